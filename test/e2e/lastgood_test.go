package e2e

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api/revisions"
)

// refuses starts the gateway, which must not start, and returns what it says.
func (s *site) refuses(args ...string) string {
	s.t.Helper()
	l := s.launch(args...)
	if code := l.wait(s.t, 30*time.Second); code != 78 {
		s.t.Fatalf("exit code %d, want 78:\n%s", code, l.output.text())
	}
	return l.output.text()
}

// isLastGood waits until the file is in force, or the last good revision.
func (l *life) isLastGood(t *testing.T, want bool) {
	t.Helper()
	until(t, 20*time.Second, "the last good revision is told to be in force, or no longer", func() bool {
		var ready struct{ Degraded []string }
		if code := l.get(t, "/readyz", &ready); code != http.StatusOK {
			t.Fatalf("readyz: %d", code)
		}
		told := slices.ContainsFunc(ready.Degraded, func(s string) bool { return strings.HasPrefix(s, "config: the last good revision") })
		return told == want && (l.gauge(t, "gateway_config_last_good") == 1) == want && l.status(t).Config.LastGood == want
	})
}

// Killed, its files broken, the gateway starts with what was in force last: the
// included files and what was made over the API as well. The mended file takes
// over by itself.
func TestLastGood(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(t *testing.T, s *site){
		"a mistake": func(_ *testing.T, s *site) { s.write(strings.Replace(including, "scheme", "shceme", 1)) },
		"no YAML":   func(_ *testing.T, s *site) { s.write(including + "  }\n") },
		"an included file": func(_ *testing.T, s *site) {
			s.replace(s.path("routes.d/first.yaml"), []byte("routes: ["), 0o600)
		},
		"no files": func(t *testing.T, s *site) {
			if err := os.RemoveAll(s.path("routes.d")); err != nil {
				t.Fatal(err)
			}
			s.write(strings.Replace(including, "engines.yaml", "gone.yaml", 1))
		},
		"an engine that refuses": func(_ *testing.T, s *site) {
			s.replace(s.path("engines.yaml"), []byte(s.fill(strings.Replace(includedEngine, "delay: 5", "refuse: not on a Monday", 1))), 0o600)
		},
		"an engine that is gone": func(_ *testing.T, s *site) {
			s.replace(s.path("engines.yaml"), []byte(s.fill(strings.Replace(includedEngine, "plugin: ENGINE", "plugin: ./gone", 1))), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIncluding(t, "first", "second")
			l := s.start()
			subscribe(t, l)
			revision := l.status(t).Config.Revision
			l.kill(t)
			breakIt(t, s)
			s.refuses()
			l = s.start("--use-last-good")
			l.isLastGood(t, true)
			c := l.status(t).Config
			if c.Revision != revision || c.LastReload == nil || c.LastReload.OK || c.Made != 1 || !l.has(t, "second") {
				t.Errorf("in force is %+v, want revision %s", c, revision)
			}
			if a := l.mustSend(t, "in", "1", `{}`); a.Code != http.StatusAccepted || a.Triggered != 3 {
				t.Errorf("an event: %+v, want three workflows", a)
			}
			if !strings.Contains(l.output.text(), "the file is refused: the last good revision is in force until it is mended") {
				t.Errorf("not told:\n%s", l.output.text())
			}
			mend(t, s)
			l.isLastGood(t, false)
			l.waitFor(t, "third", true)
			history(t, l, revision)
			l.settle(t, 20*time.Second)
			l.stop(t)
			s.nothingLeft(time.Second)
		})
	}
}

func subscribe(t *testing.T, l *life) {
	t.Helper()
	resp, err := http.Post(l.admin+"/api/events/subscribe/github.*", "application/json", strings.NewReader(`{"workflow_id":"note"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("subscribe: %d", resp.StatusCode)
	}
}

// mend writes all files as they were, and one more.
func mend(t *testing.T, s *site) {
	t.Helper()
	if err := os.MkdirAll(s.path("routes.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.replace(s.path("engines.yaml"), []byte(s.fill(includedEngine)), 0o600)
	for _, name := range []string{"first", "second", "third"} {
		s.replace(s.path("routes.d/"+name+".yaml"), []byte(routeFile(name)), 0o600)
	}
	s.write(including)
}

// history tells of the start, of what was subscribed, and of the mended file.
func history(t *testing.T, l *life, revision string) {
	t.Helper()
	var page revisions.RevisionList
	l.get(t, "/api/v1/config/revisions", &page)
	var reasons []string
	for _, r := range page.Revisions {
		reasons = append(reasons, r.Reason)
	}
	// Files are written one after the other: what is whole in between counts.
	if n := len(reasons); n < 3 || reasons[0] != "file" || !slices.Equal(reasons[n-2:], []string{"api", "start"}) || page.Revisions[n-2].Revision != revision {
		t.Errorf("history: %v", reasons)
	}
	var d revisions.Difference
	l.get(t, "/api/v1/config/diff?from="+revision, &d)
	if !slices.ContainsFunc(d.Changes.Changes, func(c revisions.Change) bool { return c.Path == "routes.third" && c.Kind == "added" }) ||
		!strings.Contains(d.Text, "+++ routes.d/third.yaml\n") {
		t.Errorf("since then: %+v", d)
	}
}

// What cannot be brought back is told with both reasons.
func TestLastGoodFails(t *testing.T) {
	t.Parallel()
	s := newIncluding(t, "first")
	s.write(including + "  more: {scheme: github, secrets: [\"${env:E2E_MORE}\"]}\n")
	s.env = []string{"E2E_MORE=another secret of these tests"}
	if said := s.refusesBroken(t, "--use-last-good"); !strings.Contains(said, "no revision was kept here") {
		t.Errorf("without history:\n%s", said)
	}
	s.write(including + "  more: {scheme: github, secrets: [\"${env:E2E_MORE}\"]}\n")
	s.start().kill(t)
	s.env = nil
	if said := s.refusesBroken(t, "--use-last-good"); !strings.Contains(said, "in the last good revision") || !strings.Contains(said, "environment variable E2E_MORE is not set") {
		t.Errorf("without its secret:\n%s", said)
	}
	s.write("")
	s.env = []string{"E2E_MORE=another secret of these tests"}
	l := s.start("--use-last-good=" + s.path("data"))
	l.isLastGood(t, true)
	l.stop(t)
}

// refusesBroken breaks the file first; that is told in any case.
func (s *site) refusesBroken(t *testing.T, args ...string) string {
	t.Helper()
	s.write(including + "unheard: of\n")
	said := s.refuses(args...)
	if !strings.Contains(said, `unknown key "unheard"`) {
		t.Errorf("the first reason is not told:\n%s", said)
	}
	return said
}
