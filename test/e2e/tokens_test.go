package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// guarded lets nobody call the admin listener without a token.
const guarded = `
version: 1
server:
  listen: 127.0.0.1:0
  admin: 0.0.0.0:0
  tokens:
    ops: {role: operate, token: "${file:secrets/ops}"}
    ci: {role: send, token: "${env:E2E_TOKEN}"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal}
routes:
  all: {events: ["order.*"], run: main/note}
`

// Tokens come with the configuration and go with it: with a reload of the file,
// and by themselves when the file that holds one changes.
func TestTokens(t *testing.T) {
	t.Parallel()
	var log locked
	s := newSite(t, guarded)
	s.log, s.env = &log, []string{"E2E_TOKEN=" + secretOf("ci")}
	if err := os.Mkdir(s.path("secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.turn("ops", secretOf("first"))
	l := s.start()
	answered := func(method, path, token string, want int) {
		t.Helper()
		until(t, 10*time.Second, method+" "+path+" is answered as it should", func() bool { return l.asked(t, method, path, token) == want })
	}
	answered("GET", "/healthz", "", 200)
	answered("GET", "/readyz", "", 200)
	answered("GET", "/api/v1/status", "", 401)
	answered("GET", "/api/v1/status", secretOf("ops"), 401)
	answered("GET", "/api/v1/status", secretOf("first"), 200)
	answered("GET", "/api/v1/status", secretOf("ci"), 403)
	answered("POST", "/-/reload", secretOf("ci"), 403)

	s.turn("ops", secretOf("second"))
	answered("GET", "/api/v1/status", secretOf("second"), 200)
	answered("GET", "/api/v1/status", secretOf("first"), 401)
	if n := l.output.reloads("file"); n != 0 {
		t.Errorf("%d reloads of the file for a token in another", n)
	}
	// A file without tokens opens nothing: the address is not a loopback one.
	whole := s.read()
	s.write(strings.Replace(guarded, "tokens:", "x-tokens:", 1))
	answered("POST", "/-/reload", secretOf("second"), 422)
	answered("GET", "/api/v1/status", "", 401)
	s.write(strings.Replace(whole, "role: send", "role: read", 1))
	answered("GET", "/api/v1/status", secretOf("ci"), 200)

	l.cli(t, []string{"GATEWAY_TOKEN_FILE=" + s.path("secrets/ops")}, true, "reload")
	l.cli(t, []string{"GATEWAY_TOKEN=" + secretOf("ci")}, false, "reload")
	l.stop(t)
	for _, name := range []string{"ci", "first", "second"} {
		if strings.Contains(string(log.Bytes()), secretOf(name)) {
			t.Errorf("the log has the token %s", name)
		}
	}
	if !strings.Contains(string(log.Bytes()), `"by":"ops"`) {
		t.Errorf("the log does not say who reloaded:\n%s", log.Bytes())
	}
}

// asked is how the admin listener answers.
func (l *life) asked(t *testing.T, method, path, token string) int {
	t.Helper()
	r, err := http.NewRequest(method, l.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := do(http.DefaultClient, r)
	if err != nil {
		t.Fatal(err)
	}
	return a.Code
}

// cli runs a verb against the gateway.
func (l *life) cli(t *testing.T, env []string, works bool, args ...string) {
	t.Helper()
	cmd := exec.Command(built.gateway, append([]string{"--admin", l.admin}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); (err == nil) != works {
		t.Errorf("%v: %v: %s", args, err, out)
	}
}
