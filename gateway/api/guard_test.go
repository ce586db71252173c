package api

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"
)

func errorField(err error) zap.Field { return zap.Error(err) }

func TestHost(t *testing.T) {
	t.Parallel()
	const loopback, named, every = "127.0.0.1:9090", "gw.internal:9090", ":9090"
	for _, c := range []struct {
		admin, host string
		want        bool
	}{
		{loopback, "127.0.0.1:9090", true},
		{loopback, "127.0.0.1", true},
		{loopback, "127.8.8.8:1", true},
		{loopback, "localhost:9090", true},
		{loopback, "LOCALHOST", true},
		{loopback, "[::1]:9090", true},
		{loopback, "[::1]", true},
		{loopback, "", false},
		{loopback, "evil.example:9090", false},
		{loopback, "localhost.evil.example", false},
		{loopback, "127.0.0.1.evil.example:9090", false},
		{loopback, "10.0.0.5:9090", false},
		{loopback, "0.0.0.0:9090", false},
		{named, "gw.internal:9090", true},
		{named, "GW.internal", true},
		{named, "localhost:9090", true},
		{named, "evil.example", false},
		{named, "10.0.0.5:9090", false},
		{every, "10.0.0.5:9090", true},
		{every, "[fd00::5]:9090", true},
		{every, "evil.example:9090", false},
		{every, "", false},
		{"0.0.0.0:9090", "10.0.0.5", true},
		{"[::]:9090", "10.0.0.5", true},
		{"10.0.0.5:9090", "10.0.0.5:9090", true},
		{"10.0.0.5:9090", "10.0.0.6:9090", false},
	} {
		f := newFake()
		s, _ := serve(f, c.admin)
		r := request("POST", "/-/reload", "")
		r.Host = c.host
		w := do(s, r)
		if got := w.Code == http.StatusOK && len(f.did) == 1; got != c.want {
			t.Errorf("admin %q, host %q: got %d, did %v", c.admin, c.host, w.Code, f.did)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header, value string
		code                int
	}{
		{"no browser", "X-Other", "1", 200},
		{"same origin", "Sec-Fetch-Site", "same-origin", 200},
		{"typed in", "Sec-Fetch-Site", "none", 200},
		{"cross site", "Sec-Fetch-Site", "cross-site", 403},
		{"same site", "Sec-Fetch-Site", "same-site", 403},
		{"own origin", "Origin", "http://" + admin, 200},
		{"other origin", "Origin", "https://evil.example", 403},
		{"other port", "Origin", "http://127.0.0.1:3000", 403},
		{"null origin", "Origin", "null", 403},
	} {
		f := newFake()
		s, _ := serve(f, admin)
		r := request("POST", "/-/reload", "")
		r.Header.Set(c.header, c.value)
		w := do(s, r)
		if w.Code != c.code || (len(f.did) == 1) != (c.code == 200) {
			t.Errorf("%s: got %d, did %v", c.name, w.Code, f.did)
		}
		if c.code == 403 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: content type %q", c.name, w.Header().Get("Content-Type"))
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	s, logs := serve(newFake(), admin)
	s.Status = func() StatusReport { panic("boom") }
	w := do(s, request("GET", "/api/v1/status", ""))
	if w.Code != 500 || logs.FilterMessage("admin request panicked").Len() != 1 {
		t.Errorf("got %d, logged %v", w.Code, logs.All())
	}
}

// TestSlowReload has a reload outlive the server's own time-outs, and nothing
// else.
func TestSlowReload(t *testing.T) {
	t.Parallel()
	f := newFake()
	s, _ := serve(f, admin)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	s.Operator = slow{f, release}
	server := NewServer(s.guard(s.routes()), zap.NewNop())
	server.ReadTimeout, server.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	time.AfterFunc(200*time.Millisecond, func() { close(release) })
	resp, err := http.Post("http://"+l.Addr().String()+"/-/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
		t.Errorf("got %d %s, %v", resp.StatusCode, body, err)
	}
}
