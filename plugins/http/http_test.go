package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// V5 of Standard Webhooks' own libraries.
const vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// service is a real one on loopback that keeps what it hears.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	heard  []*http.Request
	bodies []string
}

func newService(t *testing.T, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.heard, s.bodies = append(s.heard, r), append(s.bodies, string(body))
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// last is the request that was heard last, and its body.
func (s *service) last(t *testing.T) (*http.Request, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heard) == 0 {
		t.Fatal("nothing was heard")
	}
	return s.heard[len(s.heard)-1], s.bodies[len(s.bodies)-1]
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

// configured is an engine; URL in the configuration is the service's.
func configured(t *testing.T, config, url string) *engine {
	t.Helper()
	e := &engine{}
	config = strings.ReplaceAll(config, "URL", url)
	if err := e.Configure(t.Context(), &sdk.Config{JSON: []byte(config), BaseDir: t.TempDir()}); err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return e
}

// one is an engine with one request, named it, that may go to loopback.
func one(t *testing.T, request, url string) *engine {
	t.Helper()
	return configured(t, `{"allow":["127.0.0.1"],"requests":{"it":`+request+`}}`, url)
}

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func run(input string) *sdk.Request {
	return &sdk.Request{
		Key: "0saevzjxg0001", Workflow: "it", Attempt: 2, Input: json.RawMessage(input),
		Event: sdk.Event{
			ID: "e/1", Type: "order.made", Source: "/webhooks/shop", Subject: "A-1", ContentType: "application/json; charset=utf-8",
			Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Body: []byte(` {"total": 1.50} `),
			Extensions: map[string]string{"traceparent": trace},
		},
	}
}

// kindOf is how the SDK marked an error, and after how long to try again.
func kindOf(err error) (string, time.Duration) {
	switch {
	case err == nil:
		return "succeeded", 0
	case reflect.TypeOf(err) != reflect.TypeOf(sdk.Permanent(io.EOF)):
		return "retryable", 0
	}
	f := reflect.ValueOf(err).Elem()
	if reflect.DeepEqual(f.FieldByName("kind").Int(), reflect.ValueOf(sdk.Permanent(io.EOF)).Elem().FieldByName("kind").Int()) {
		return "permanent", 0
	}
	return "throttled", time.Duration(f.FieldByName("after").Int())
}

func TestRequest(t *testing.T) {
	s := newService(t, nil)
	e := one(t, `{"url":"URL/orders/{input.order}?from={event.source}","method":"put",
		"headers":{"X-Order":"no. {input.order}","authorization":"Bearer t0ken-of-mine"}}`, s.URL)
	if _, err := e.Run(t.Context(), run(`{"order":17}`)); err != nil {
		t.Fatal(err)
	}
	r, body := s.last(t)
	if r.Method != "PUT" || r.RequestURI != "/orders/17?from=%2Fwebhooks%2Fshop" || body != `{"order":17}` {
		t.Errorf("%s %s %s", r.Method, r.RequestURI, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Idempotency-Key": "0saevzjxg0001", "Traceparent": trace, "X-Order": "no. 17",
		"Authorization": "Bearer t0ken-of-mine", "User-Agent": "event-gateway", "Webhook-Signature": "", "Accept-Encoding": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestBody(t *testing.T) {
	const envelope = `{"key":"0saevzjxg0001","workflow":"it","event":{"id":"e/1","source":"/webhooks/shop","type":"order.made","subject":"A-1",` +
		`"time":"2026-01-02T03:04:05Z","datacontenttype":"application/json; charset=utf-8","data":{"total":1.50},"extensions":{"traceparent":"` + trace + `"}},"input":{"a":"<1>"}}`
	tests := []struct{ name, body, input, want, mediaType string }{
		{"the input", ``, `{"a":"<1>"}`, `{"a":"<1>"}`, "application/json"},
		{"without one the event", ``, ``, ` {"total": 1.50} `, "application/json; charset=utf-8"},
		{"the event", `"event"`, `{"a":1}`, ` {"total": 1.50} `, "application/json; charset=utf-8"},
		{"the input that is not there", `"input"`, ``, `null`, "application/json"},
		{"all", `"envelope"`, `{"a":"<1>"}`, envelope, "application/json"},
		{"none", `"none"`, `{"a":1}`, ``, ""},
		{"a tree", `{"text":"order {input.id}: {event.type}","n":{"all":["{input.list}"],"id":"{input.id}"},"on":true,"many":9007199254740993}`,
			`{"id":12345678901234567890,"list":[1,{"x":null}]}`,
			`{"many":9007199254740993,"n":{"all":[[1,{"x":null}]],"id":12345678901234567890},"on":true,"text":"order 12345678901234567890: order.made"}`, "application/json"},
		{"a quote stays in its text", `{"text":"it is {input.s}"}`, `{"s":"\",\"admin\":\"true"}`, `{"text":"it is \",\"admin\":\"true"}`, "application/json"},
		{"braces that name nothing", `{"text":"{ \"a\": {} } {{input.s}}"}`, `{"s":"x"}`, `{"text":"{ \"a\": {} } {x}"}`, "application/json"},
	}
	s := newService(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := `{"url":"URL"}`
			if tt.body != "" {
				request = `{"url":"URL","body":` + tt.body + `}`
			}
			if _, err := one(t, request, s.URL).Run(t.Context(), run(tt.input)); err != nil {
				t.Fatal(err)
			}
			r, body := s.last(t)
			if body != tt.want || r.Header.Get("Content-Type") != tt.mediaType {
				t.Errorf("got %s %q\nwant %s %q", body, r.Header.Get("Content-Type"), tt.want, tt.mediaType)
			}
		})
	}
}

// What a stranger put into an event stays where its placeholder stands.
func TestInjection(t *testing.T) {
	tests := []struct{ name, request, value, uri, fails string }{
		{"slash", `{"url":"URL/a/{input.v}/b"}`, "acme/shop", "/a/acme%2Fshop/b", ""},
		{"query from the path", `{"url":"URL/a/{input.v}"}`, "x?admin=1#f;p", "/a/x%3Fadmin=1%23f%3Bp", ""},
		{"another parameter", `{"url":"URL/a?q={input.v}&x=y"}`, "1&x=z#f", "/a?q=1%26x%3Dz%23f&x=y", ""},
		{"percent", `{"url":"URL/a/{input.v}"}`, "%2e%2e", "/a/%252e%252e", ""},
		{"question mark within", `{"url":"URL/a?q={input.v}"}`, "../?", "/a?q=..%2F%3F", ""},
		{"climbing", `{"url":"URL/a/{input.v}"}`, "..", "", "url: would have . or .. in its path"},
		{"climbing, escaped", `{"url":"URL/a/{input.v}"}`, "../../admin", "", "url: would have . or .. in its path"},
		{"climbing, the other way", `{"url":"URL/a/{input.v}"}`, `x\..\admin`, "", "url: would have . or .. in its path"},
		{"climbing in halves", `{"url":"URL/a/.{input.v}/b"}`, ".", "", "url: would have . or .. in its path"},
		{"nothing", `{"url":"URL/a/{input.v}/b"}`, "", "", "url: {input.v}: is empty, in the path"},
		{"line end in the path", `{"url":"URL/a/{input.v}"}`, "x\r\nHost: y", "", "url: {input.v}: holds a control character, in the path"},
		{"line end in a header", `{"url":"URL/a","headers":{"X-V":"{input.v}"}}`, "x\r\nX-Admin: y", "", "headers: X-V: {input.v}: holds a control character, in a header"},
		{"NUL in a header", `{"url":"URL/a","headers":{"X-V":"{input.v}"}}`, "x\x00", "", "headers: X-V: {input.v}: holds a control character, in a header"},
		{"a placeholder in a value", `{"url":"URL/a/{input.v}"}`, "{key}", "/a/%7Bkey%7D", ""},
	}
	s := newService(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input, err := json.Marshal(map[string]string{"v": tt.value})
			if err != nil {
				t.Fatal(err)
			}
			before := s.count()
			_, err = one(t, tt.request, s.URL).Run(t.Context(), run(string(input)))
			if tt.fails != "" {
				if kind, _ := kindOf(err); kind != "permanent" || err.Error() != tt.fails || s.count() != before {
					t.Errorf("%s: %v, %d requests", kind, err, s.count()-before)
				}
				return
			}
			if r, _ := s.last(t); err != nil || r.RequestURI != tt.uri || s.count() != before+1 {
				t.Errorf("%s, %v; want %s", r.RequestURI, err, tt.uri)
			}
		})
	}
}

func TestInputThatCannotFit(t *testing.T) {
	for input, want := range map[string]string{
		`{}`:               "url: {input.v}: is not there",
		``:                 "url: {input.v}: is not there",
		`"text"`:           "url: {input.v}: is not there",
		`{"v":null}`:       "url: {input.v}: is null",
		`{"v":["x"]}`:      "url: {input.v}: is neither a text, a number, nor true or false",
		`{"v":{"w":true}}`: "url: {input.v}: is neither a text, a number, nor true or false",
	} {
		_, err := one(t, `{"url":"URL/{input.v}"}`, "http://127.0.0.1:1").Run(t.Context(), run(input))
		if kind, _ := kindOf(err); kind != "permanent" || err.Error() != want {
			t.Errorf("%s: %s: %v", input, kind, err)
		}
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	release, hang := context.WithCancel(t.Context())
	started := make(chan struct{}, 1)
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/drip" { // begins to answer, and does not go on
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		started <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-release.Done():
		}
	})
	defer hang()
	for _, path := range []string{"/hang", "/drip"} {
		_, err := one(t, `{"url":"URL`+path+`","timeout":"50ms"}`, s.URL).Run(t.Context(), run(""))
		if kind, _ := kindOf(err); kind != "retryable" || err.Error() != s.URL+": timed out after 50ms" {
			t.Errorf("%s: %s: %v", path, kind, err)
		}
		<-started
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-started
			cancel(errors.New("enough"))
		}()
		if _, err = one(t, `{"url":"URL`+path+`"}`, s.URL).Run(ctx, run("")); err == nil || err.Error() != s.URL+": enough" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Connections are used again, whatever was answered.
func TestConnectionsAreReused(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]bool{}
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, strings.Repeat("x", 100<<10))
	})
	e := one(t, `{"url":"URL"}`, s.URL)
	for range 20 {
		if _, err := e.Run(t.Context(), run("")); err == nil {
			t.Fatal("a 502 is no success")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(connections) != 1 {
		t.Errorf("%d connections", len(connections))
	}
}

// An answer that does not end is a success once what is kept of it is there.
func TestEndlessAnswer(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10<<10))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := one(t, `{"url":"URL","timeout":"1h","max_output":"1KiB"}`, s.URL).Run(ctx, run("")); err != nil || ctx.Err() != nil {
		t.Error(err, ctx.Err())
	}
}

// A proxy would dial for us, where nobody looks at the address.
func TestNoProxyFromEnvironment(t *testing.T) {
	proxy := newService(t, nil)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("ALL_PROXY", proxy.URL)
	if f := one(t, `{"url":"URL"}`, "http://93.184.215.14").via.(*http.Transport).Proxy; f != nil {
		t.Error("there is a proxy")
	}
}

func TestUnreachable(t *testing.T) {
	s := newService(t, nil)
	s.Close()
	_, err := one(t, `{"url":"URL/a-path-with-T0KEN-in-it?token=canary-query"}`, s.URL).Run(t.Context(), run(""))
	if kind, _ := kindOf(err); kind != "retryable" || !strings.HasSuffix(err.Error(), "connect: connection refused") || strings.Contains(err.Error(), "T0KEN") {
		t.Errorf("%s: %v", kind, err)
	}
}

func FuzzTarget(f *testing.F) {
	f.Add("x/../y", "?&#")
	f.Add("..", "\\")
	f.Add("%2f%00", "@host:1")
	to, _, err := parseTarget("https://shop.example.com/a/{input.p}/b?q={input.q}&r=1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p, q string) {
		u, err := to.fill(values{run: run(""), input: map[string]any{"p": p, "q": q}})
		if err != nil {
			return
		}
		if u.Scheme != "https" || u.Host != "shop.example.com" || u.User != nil || u.Fragment != "" ||
			strings.Count(u.EscapedPath(), "/") != 3 || u.Path != "/a/"+p+"/b" {
			t.Errorf("%q makes %q of the path", p, u)
		}
		if got := u.Query(); len(got) != 2 || got.Get("q") != q || got.Get("r") != "1" {
			t.Errorf("%q makes %q of the query", q, u)
		}
	})
}
