package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// rotating takes its secrets from files.
const rotating = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal}
webhooks:
  hook: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
  turned:
    scheme: github
    secrets:
      - "${file:secrets/new}"
      - "${env:NOT_SET:-}"
      - {value: "${file:secrets/old}", until: 2126-01-01T00:00:00Z}
routes:
  all: {events: ["github.*"], run: main/note}
`

// A secret file that changes is swapped by itself: no engine is asked, no other
// reload happens, nobody else's request fails, and it works while the
// configuration's own file is broken.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := newSite(t, rotating)
	s.turn("old", secretOf("old"))
	s.turn("new", secretOf("a"))
	l := s.start()
	engine := l.status(t).Engines[0]
	revision := l.status(t).Config.Revision
	others := startLoad(s, "hook", 2, time.Millisecond, true)
	signedWith := func(name string, want int) {
		t.Helper()
		until(t, 10*time.Second, fmt.Sprintf("what is signed with %s is answered %d", name, want), func() bool { return l.turned(t, secretOf(name)) == want })
	}
	signedWith("a", 202)
	signedWith("old", 202)
	s.turn("new", secretOf("b"))
	signedWith("b", 202)
	signedWith("a", 401)
	if n := l.output.reloads("file"); n != 0 {
		t.Errorf("%d reloads of the file", n)
	}

	whole := s.read()
	s.write("version: 1\nwebhooks: [")
	until(t, 10*time.Second, "the broken file is refused", func() bool { return l.status(t).Config.Refused == 1 })
	s.turn("new", secretOf("c"))
	signedWith("c", 202)
	signedWith("b", 401)
	if last := l.status(t).Config.LastReload; last.OK {
		t.Error("the file is broken, and the status does not say so")
	}
	s.write(whole)
	until(t, 10*time.Second, "the file is taken again", func() bool { return l.status(t).Config.LastReload.OK })

	s.turn("new", "")
	until(t, 10*time.Second, "an empty secret is refused", func() bool { last := l.status(t).Config.LastReload; return !last.OK })
	signedWith("c", 202)
	s.turn("new", secretOf("d"))
	signedWith("d", 202)
	others.stop(t)
	r := l.status(t)
	if r.Engines[0].PID != engine.PID || r.Engines[0].StartedAt != engine.StartedAt || r.Config.Revision != revision || !r.Config.LastReload.OK {
		t.Errorf("something else than secrets changed: %+v, before %+v; %+v", r.Engines[0], engine, r.Config)
	}
	l.secretsTold(t, r)
	l.settle(t, 30*time.Second)
	l.stop(t)
}

// secretsTold: by their positions in the file, the first matched last.
func (l *life) secretsTold(t *testing.T, r api.StatusReport) {
	t.Helper()
	w := r.Webhooks[1]
	if len(w.Secrets) != 2 || w.LastSecret != "0" || w.Secrets[1].Position != 2 || !w.Secrets[0].LastAt.After(w.Secrets[1].LastAt) || w.Secrets[1].LastAt.IsZero() || w.Secrets[1].Until.IsZero() {
		t.Errorf("secrets: %+v, last %q", w.Secrets, w.LastSecret)
	}
	now := float64(time.Now().Unix())
	for _, position := range []string{"0", "2"} {
		at := l.gauge(t, `gateway_webhook_secret_last_match_timestamp_seconds{secret="`+position+`",webhook="turned"}`)
		if at < now-300 || at > now+1 {
			t.Errorf("secret %s matched at %f", position, at)
		}
	}
}

// turn puts a secret in place.
func (s *site) turn(name, value string) {
	s.t.Helper()
	if err := os.MkdirAll(s.path("secrets"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.replace(s.path("secrets/"+name), []byte(value+"\n"), 0o600)
}

func secretOf(name string) string { return "the secret of this test called " + name }

// turned sends an event to the webhook whose secrets are turned.
func (l *life) turned(t *testing.T, key string) int {
	t.Helper()
	body := fmt.Appendf(nil, `{"at":%d}`, time.Now().UnixNano())
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	r, err := http.NewRequest(http.MethodPost, l.public+"/webhooks/turned", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
		"X-Github-Delivery": {strings.Trim(string(body), "{}")},
	}
	a, err := do(http.DefaultClient, r)
	if err != nil {
		t.Fatal(err)
	}
	return a.Code
}
