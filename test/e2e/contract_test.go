package e2e

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/test/contract"
)

// described has a bit of everything that the API shows.
const described = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal}
  exec: {plugin: EXEC, env: {PATH: "/usr/bin:/bin"}, config: {commands: {fails: {command: ["false"]}}}}
webhooks:
  hook: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
schedules:
  often: {every: 1s, type: a}
routes:
  all: {events: ["*"], run: main/note}
  fails: {events: ["order.*"], run: exec/fails, retry: {attempts: 2, backoff: 50ms}}
`

// Requests made up from the description that the gateway serves, allowed ones
// and nearly allowed ones, get only answers that it has, and never a 500.
// CONTRACT_SEED repeats a run, CONTRACT_REQUESTS makes it longer.
func TestContract(t *testing.T) {
	t.Parallel()
	s := newSite(t, described)
	l := s.start()
	c, err := contract.New(l.page(t, "/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CONTRACT_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	requests := 3000
	if text := os.Getenv("CONTRACT_REQUESTS"); text != "" {
		if requests, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("CONTRACT_SEED=%d", seed)
	g := c.Generate(seed)
	codes := map[int]int{}
	for range requests {
		r := g.Next()
		a, sent := l.try(t, r)
		if !sent {
			continue // Go's client refuses to send it
		}
		codes[a.Code]++
		g.Learn(a.Body)
		if err := c.Check(a); err != nil && r.Method != http.MethodHead {
			t.Errorf("%+v: %.2000v", r, err)
		}
	}
	t.Logf("answers: %v", codes)
	for _, code := range []int{200, 202, 400, 404, 405, 415, 422} {
		if codes[code] == 0 {
			t.Errorf("none was answered %d: too little was tested", code)
		}
	}
	l.stop(t)
}

// try sends a request; of an answer that goes on it takes the head.
func (l *life) try(t *testing.T, r contract.Request) (a contract.Answer, sent bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.Method, l.admin+r.Target, strings.NewReader(r.Body))
	if err != nil {
		return a, false
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if strings.Contains(err.Error(), "invalid") { // header, method
			return a, false
		}
		t.Fatalf("%+v: %v", r, err)
	}
	defer resp.Body.Close()
	a = contract.Answer{Method: r.Method, Path: req.URL.EscapedPath(), Code: resp.StatusCode, ContentType: resp.Header.Get("Content-Type")}
	if r.Follows && resp.StatusCode == http.StatusOK {
		return a, true
	}
	if a.Body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return a, true
}

// page is what a path of the admin address has.
func (l *life) page(t *testing.T, path string) []byte {
	t.Helper()
	a, _ := l.try(t, contract.Request{Method: http.MethodGet, Target: path})
	if a.Code != http.StatusOK {
		t.Fatalf("%s: %d", path, a.Code)
	}
	return a.Body
}
