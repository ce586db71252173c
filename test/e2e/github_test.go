package e2e

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// everyGitHubEvent takes whatever GitHub sends.
const everyGitHubEvent = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal}
webhooks:
  github: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
routes:
  all:
    events: ["github.*"]
    run: main/note
    with: {route: all}
`

// GitHub's own library signs GitHub's own examples, of every kind of event:
// those that are signed rightly become events of the right type, and no other.
func testGitHub(t *testing.T, dir string) {
	s := newSite(t, everyGitHubEvent)
	l := s.start()
	answers := map[string]int{"wrong": 401, "missing": 401, "doubled": 400, "one of each": 400, "tampered": 401, "right": 202, "again": 202}
	kinds, accepted, repeats := map[string]bool{}, map[string]time.Time{}, 0
	script := exec.CommandContext(t.Context(), "node", "github.mjs", l.public+"/webhooks/github")
	script.Dir, script.Env = dir, append(os.Environ(), "SECRET="+secret)
	for _, p := range runScript(t, script) {
		if want := answers[p.Variant]; want == 0 || p.Code != want {
			t.Errorf("%s, signature %s: %d, want %d", p.Event, p.Variant, p.Code, want)
		}
		switch p.Variant {
		case "right":
			kinds[p.Event] = true
			if p.Duplicate { // some examples are there twice
				repeats++
			} else if accepted[p.EventID] = time.Now(); p.EventType != "github."+p.Event {
				t.Errorf("%s became an event of type %q", p.Event, p.EventType)
			}
		case "again":
			if _, known := accepted[p.EventID]; !p.Duplicate || !known {
				t.Errorf("%s, sent again under a fresh id: %+v", p.Event, p)
			}
		}
	}
	t.Logf("%d kinds of events, %d examples, %d of them repeat another", len(kinds), len(accepted)+repeats, repeats)
	if len(kinds) < 50 || repeats > len(accepted)/10 {
		t.Errorf("%d kinds, %d examples, %d repeats: the examples are not what they were", len(kinds), len(accepted), repeats)
	}
	l.settle(t, 30*time.Second)
	a := auditRoute(s.journal("journal"), "all", accepted)
	if a.check(t, "all"); a.Runs != len(accepted) {
		t.Errorf("%d runs of %d events", a.Runs, len(accepted))
	}
	l.stop(t)
}
