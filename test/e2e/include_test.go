package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/revisions"
)

const including = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
include: [engines.yaml, "routes.d/*.yaml"]
defaults: {engine: main}
webhooks:
  in: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
`

const includedEngine = `
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal, delay: 5}
`

// routeFile has a route of a name, and a webhook that shows whether it is there.
func routeFile(name string) string { return routeOf(name, "github.push") }

// idleFile has one that no event takes: what it left behind would wait for it.
func idleFile(name string) string { return routeOf(name, "nobody.sends") }

func routeOf(name, event string) string {
	return fmt.Sprintf("routes:\n  %[1]s:\n    events: [%[2]s]\n    run: note\n    with: {route: %[1]s}\nwebhooks:\n  %[1]s: {scheme: github, secrets: [\"${env:E2E_SECRET}\"], path: /hooks/%[1]s}\n", name, event)
}

// newIncluding is a site with its configuration in several files.
func newIncluding(t *testing.T, routes ...string) *site {
	t.Helper()
	s := newSite(t, including)
	s.replace(s.path("engines.yaml"), []byte(s.fill(includedEngine)), 0o600)
	if err := os.MkdirAll(s.path("routes.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range routes {
		s.replace(s.path("routes.d/"+name+".yaml"), []byte(routeFile(name)), 0o600)
	}
	return s
}

// has tells whether the webhook of a route's file is there.
func (l *life) has(t *testing.T, name string) bool {
	t.Helper()
	resp, err := http.Get(l.public + "/hooks/" + name + "/test")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (l *life) waitFor(t *testing.T, name string, there bool) {
	t.Helper()
	until(t, 20*time.Second, fmt.Sprintf("%s is there: %t", name, there), func() bool { return l.has(t, name) == there })
}

// Files that come, change, break and go in a folder under load: every request is
// accepted, every event run; what is broken changes nothing and is told with its
// place.
func TestInclude(t *testing.T) {
	t.Parallel()
	s := newIncluding(t, "first")
	l := s.start()
	pid := l.enginePID(t, "main")
	senders := startLoad(s, "in", 4, 20*time.Millisecond, true)
	for i := range 8 {
		name := fmt.Sprintf("r%d", i)
		file := s.path("routes.d/" + name + ".yaml")
		s.replace(file, []byte(idleFile(name)), 0o600)
		l.waitFor(t, name, true)
		refusedAt(t, s, l, name)
		s.replace(file, []byte(strings.ReplaceAll(idleFile(name), "/hooks/"+name, "/hooks/again-"+name)), 0o600)
		l.waitFor(t, "again-"+name, true)
		if i%2 == 0 {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Rename(file, file+".off"); err != nil {
			t.Fatal(err)
		}
		l.waitFor(t, "again-"+name, false)
	}
	swapFolder(t, s, l)
	acked := senders.stop(t)
	l.settle(t, 30*time.Second)
	auditRoute(s.journal("journal"), "first", acked).check(t, "first")
	l.undisturbed(t, "first")
	if now := l.enginePID(t, "main"); now != pid {
		t.Errorf("the engine's process was %d and is %d", pid, now)
	}
	var page revisions.RevisionList
	l.get(t, "/api/v1/config/revisions?limit=1000", &page)
	if n := len(page.Revisions); n < 20 || page.Revisions[n-1].Reason != "start" || page.Revisions[0].Reason != "file" || len(page.Revisions[n-2].Changes.Changes) != 2 {
		t.Errorf("%d revisions: %+v", n, page.Revisions)
	}
	l.stop(t)
	s.nothingLeft(time.Second)
}

// refusedAt breaks the file of a route, and has it told where.
func refusedAt(t *testing.T, s *site, l *life, name string) {
	t.Helper()
	before := l.status(t).Config
	file := s.path("routes.d/" + name + ".yaml")
	s.replace(file, []byte(strings.Replace(idleFile(name), "run: note", "run: mian/note", 1)), 0o600)
	var now api.ConfigStatus
	until(t, 20*time.Second, "the broken file is refused", func() bool {
		now = l.status(t).Config
		return now.Refused > before.Refused
	})
	for _, p := range now.LastReload.Problems {
		if p.File == file && p.Line == 4 && p.Col == 10 && p.Path == "routes."+name+".run" && strings.Contains(p.Message, `no engine named "mian"`) {
			if now.Revision != before.Revision || !l.has(t, name) {
				t.Errorf("revision %s was live, now %s is", before.Revision, now.Revision)
			}
			return
		}
	}
	t.Errorf("told was %+v", now.LastReload.Problems)
}

// swapFolder makes the folder a link, and swaps it as Kubernetes and releases do.
func swapFolder(t *testing.T, s *site, l *life) {
	t.Helper()
	for i := range 3 {
		name := fmt.Sprintf("swapped%d", i)
		release := s.path("release-" + name)
		if err := os.MkdirAll(release, 0o700); err != nil {
			t.Fatal(err)
		}
		s.replace(release+"/first.yaml", []byte(routeFile("first")), 0o600)
		s.replace(release+"/"+name+".yaml", []byte(idleFile(name)), 0o600)
		err := os.Symlink(release, s.path("routes.next"))
		if i == 0 {
			err = errors.Join(err, os.Rename(s.path("routes.d"), s.path("routes.old")))
		}
		if err = errors.Join(err, os.Rename(s.path("routes.next"), s.path("routes.d"))); err != nil {
			t.Fatal(err)
		}
		l.waitFor(t, name, true)
	}
	l.waitFor(t, "swapped1", false)
}
