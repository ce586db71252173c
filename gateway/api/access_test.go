package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/store"
)

// The tokens of these tests, by their roles.
const (
	readToken    = "read-read-read-read"
	sendToken    = "send-send-send-send"
	operateToken = "oper-oper-oper-oper"
)

func testTokens() []access.Token {
	return []access.Token{
		{Name: "dashboard", Role: access.Read, Digest: access.DigestOf([]byte(readToken))},
		{Name: "ci", Role: access.Send, Digest: access.DigestOf([]byte(sendToken))},
		{Name: "ops", Role: access.Operate, Digest: access.DigestOf([]byte(operateToken))},
	}
}

// callable are all endpoints with what each needs, and a request that works.
func callable() map[string]struct {
	right access.Right
	body  string
} {
	id := store.FormatID(seqAt(70))
	type call = struct {
		right access.Right
		body  string
	}
	calls := map[string]call{
		"POST /api/v1/events":                        {access.Send, `{"type":"a"}`},
		"POST /api/v1/deliveries/" + id + "/retry":   {access.Operate, ""},
		"POST /api/v1/deliveries/" + id + "/discard": {access.Operate, ""},
		"POST /-/reload":                             {access.Operate, ""},
	}
	for _, path := range []string{"status", "config", "engines", "webhooks", "schedules", "routes", "events", "events/pay-1",
		"deliveries", "deliveries/" + id} {
		calls["GET /api/v1/"+path] = call{right: access.Read}
	}
	calls["GET /metrics"] = call{right: access.Read}
	return calls
}

// TestWhoMayDoWhat is the matrix of endpoints and credentials: what is refused
// has done nothing.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header string
		right        access.Right
	}{
		{"nobody", "", access.Anybody},
		{"empty", "Bearer ", access.Anybody},
		{"unknown", "Bearer read-read-read-reaD", access.Anybody},
		{"prefix", "Bearer " + operateToken[:8], access.Anybody},
		{"longer", "Bearer " + operateToken + "x", access.Anybody},
		{"basic", "Basic " + operateToken, access.Anybody},
		{"bare", operateToken, access.Anybody},
		{"two in one", "Bearer " + operateToken + ", Bearer " + operateToken, access.Anybody},
		{"name", "Bearer ops", access.Anybody},
		{"read", "Bearer " + readToken, access.Read},
		{"send", "bearer " + sendToken, access.Send},
		{"operate", "Bearer  " + operateToken, access.Operate},
	} {
		for call, needs := range callable() {
			f := newFake()
			f.tokens = testTokens()
			s, _ := serve(f, admin)
			method, target, _ := strings.Cut(call, " ")
			r := request(method, target, needs.body)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			w := do(s, r)
			want := http.StatusOK
			switch {
			case c.right == access.Anybody:
				want = http.StatusUnauthorized
			case !c.right.Allows(needs.right):
				want = http.StatusForbidden
			case needs.right == access.Send:
				want = http.StatusAccepted
			}
			if w.Code != want || want > 400 && (f.did != nil || w.Header().Get("Content-Type") != "application/problem+json") {
				t.Errorf("%s, %s: got %d %s, did %v, want %d", c.name, call, w.Code, w.Body, f.did, want)
			}
			if (want == http.StatusUnauthorized) != (w.Header().Get("WWW-Authenticate") == `Bearer realm="gateway"`) {
				t.Errorf("%s, %s: WWW-Authenticate %q", c.name, call, w.Header().Get("WWW-Authenticate"))
			}
		}
	}
}

// Two headers are none: which of them a proxy has looked at is not known.
func TestTwoAuthorizations(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.tokens = testTokens()
	s, _ := serve(f, admin)
	r := request("GET", "/api/v1/status", "")
	r.Header["Authorization"] = []string{"Bearer " + readToken, "Bearer " + operateToken}
	if w := do(s, r); w.Code != http.StatusUnauthorized {
		t.Errorf("got %d", w.Code)
	}
}

// TestWithoutToken: whether the gateway lives is for everybody, why not is not,
// and what is not there looks like what is.
func TestWithoutToken(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.tokens = testTokens()
	f.report.Ready, f.report.Reasons = false, []string{"the reason"}
	s, _ := serve(f, admin)
	for target, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/nowhere": 401, "/api/v1/": 401} {
		w := do(s, request("GET", target, ""))
		if w.Code != want || strings.Contains(w.Body.String(), "reason") || strings.Contains(w.Body.String(), "exec") {
			t.Errorf("%s: got %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
	r := request("DELETE", "/api/v1/events", "")
	if w := do(s, r); w.Code != 401 {
		t.Errorf("wrong method: got %d", w.Code)
	}
	r = request("GET", "/readyz", "")
	r.Header.Set("Authorization", "Bearer "+readToken)
	if w := do(s, r); !strings.Contains(w.Body.String(), "the reason") {
		t.Errorf("with a token: %s", w.Body)
	}
}

// TestTokenNeedsNoHost: a service has names that the gateway does not know. Who
// has a token may use them; a site that was rebound has none.
func TestTokenNeedsNoHost(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]int{"Bearer " + readToken: 200, "Bearer wrong": 403, "": 403} {
		f := newFake()
		f.tokens = testTokens()
		s, _ := serve(f, ":9090")
		r := request("GET", "/api/v1/status", "")
		r.Host = "gateway.svc.example:9090"
		r.Header.Set("Authorization", header)
		if w := do(s, r); w.Code != want {
			t.Errorf("%q: got %d, want %d", header, w.Code, want)
		}
	}
}

// TestTokensRotate: what counts is asked for every request.
func TestTokensRotate(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.tokens = testTokens()
	s, _ := serve(f, admin)
	status := func() int {
		r := request("GET", "/api/v1/status", "")
		r.Header.Set("Authorization", "Bearer "+readToken)
		return do(s, r).Code
	}
	before := status()
	f.tokens = []access.Token{{Name: "dashboard", Role: access.Read, Digest: access.DigestOf([]byte("another-another-one"))}}
	if after := status(); before != 200 || after != 401 {
		t.Errorf("got %d, then %d", before, after)
	}
}

// TestCertificate: without tokens a certificate that the listener has checked
// is as good; a listener that others reach lets nobody in without either.
func TestCertificate(t *testing.T) {
	t.Parallel()
	shown := &x509.Certificate{Subject: pkix.Name{CommonName: "ops.example"}}
	verified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}, VerifiedChains: [][]*x509.Certificate{{shown}}}
	for _, c := range []struct {
		name, at string
		tls      *tls.ConnectionState
		tokens   []access.Token
		want     int
		by       string
	}{
		{"loopback", "127.0.0.1:9090", nil, nil, 200, "192.0.2.1:1234"},
		{"loopback, v6", "[::1]:9090", nil, nil, 200, "192.0.2.1:1234"},
		{"elsewhere", "10.0.0.5:9090", nil, nil, 401, ""},
		{"elsewhere, TLS alone", "10.0.0.5:9090", &tls.ConnectionState{}, nil, 401, ""},
		{"elsewhere, not checked", "10.0.0.5:9090", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}}, nil, 401, ""},
		{"elsewhere, checked", "10.0.0.5:9090", verified, nil, 200, "CN=ops.example"},
		{"with tokens it is not enough", "10.0.0.5:9090", verified, testTokens(), 401, ""},
		{"nor is loopback", "127.0.0.1:9090", nil, testTokens(), 401, ""},
	} {
		f := newFake()
		f.tokens = c.tokens
		s, logs := serve(f, "10.0.0.5:9090")
		r := request("POST", "/-/reload", "")
		r.TLS = c.tls
		r.Host = "10.0.0.5:9090"
		at, err := net.ResolveTCPAddr("tcp", c.at)
		if err != nil {
			t.Fatal(err)
		}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, at))
		w := do(s, r)
		if w.Code != c.want || (len(f.did) == 1) != (c.want == 200) {
			t.Errorf("%s: got %d, did %v, want %d", c.name, w.Code, f.did, c.want)
		}
		if lines := logs.All(); c.by != "" && (len(lines) != 1 || lines[0].ContextMap()["by"] != c.by) {
			t.Errorf("%s: logged %v", c.name, lines)
		}
	}
}

// TestWhoDidIt: the log has the token's name and never the token.
func TestWhoDidIt(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.tokens = testTokens()
	s, logs := serve(f, admin)
	r := request("POST", "/api/v1/events", `{"type":"a"}`)
	r.Header.Set("Authorization", "Bearer "+sendToken)
	do(s, r)
	lines := logs.All()
	if len(lines) != 1 || lines[0].ContextMap()["by"] != "ci" || lines[0].ContextMap()["from"] != r.RemoteAddr {
		t.Fatalf("logged %v", lines)
	}
	if text := fmt.Sprint(lines[0].ContextMap(), f.tokens); strings.Contains(text, sendToken) {
		t.Errorf("shown: %s", text)
	}
}

// TestLinkFromElsewhere: a browser that follows a link is let in to look.
func TestLinkFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, site, mode, origin string
		want                       int
	}{
		{"GET", "cross-site", "navigate", "", 200},
		{"GET", "cross-site", "cors", "https://evil.example", 403},
		{"GET", "cross-site", "no-cors", "", 403},
		{"GET", "same-site", "no-cors", "", 403},
		{"GET", "same-origin", "cors", "", 200},
		{"GET", "none", "navigate", "", 200},
		{"GET", "", "", "https://evil.example", 403},
		{"GET", "", "", "", 200},
		{"HEAD", "cross-site", "no-cors", "", 403},
		{"POST", "cross-site", "navigate", "null", 403},
	} {
		f := newFake()
		s, _ := serve(f, admin)
		target := "/api/v1/status"
		if c.method == "POST" {
			target = "/-/reload"
		}
		r := httptest.NewRequest(c.method, target, nil)
		r.Host = admin
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Sec-Fetch-Mode": c.mode, "Origin": c.origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if w := do(s, r); w.Code != c.want || c.want != 200 && f.did != nil {
			t.Errorf("%+v: got %d, did %v", c, w.Code, f.did)
		}
	}
}
