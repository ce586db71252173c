package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownEngine has an engine whose program is the site's own.
func ownEngine() string {
	return strings.Replace(everyEvent, "plugin: ENGINE", "plugin: DIR/engine", 1)
}

// program is the test engine's, made another one by what is added to its end.
func program(t *testing.T, addition string) []byte {
	t.Helper()
	text, err := os.ReadFile(built.engine)
	if err != nil {
		t.Fatal(err)
	}
	return append(text, addition...)
}

// A new program takes over without a request or a run that fails; a program
// that does not work changes nothing.
func TestEngineSwap(t *testing.T) {
	t.Parallel()
	s := newSite(t, ownEngine())
	s.replace(s.path("engine"), program(t, ""), 0o700)
	l := s.start()
	senders := startLoad(s, "in", 8, 5*time.Millisecond, true)
	first := l.enginePID(t, "main")

	s.replace(s.path("engine"), program(t, "another version"), 0o700)
	if code, problems := l.reload(t); code != http.StatusOK {
		t.Fatalf("reload: %d %v", code, problems)
	}
	second := l.enginePID(t, "main")
	if second == first {
		t.Errorf("process %d still serves after its program was replaced", first)
	}
	until(t, 20*time.Second, "the first process is gone", func() bool { return !slices.Contains(s.left(), first) })
	s.serves(senders, second)

	s.brokenPrograms(l, senders, second)

	if a := auditRoute(s.journal("journal"), "any", nil); a.SameKey > 0 {
		t.Errorf("%d runs were repeated, though no reload interrupts one", a.SameKey)
	}

	// What is loaded is started again after a crash, whatever the file is now.
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, 20*time.Second, "the engine was started again", func() bool { return l.status(t).Engines[0].Restarts > 0 })
	third := l.enginePID(t, "main")
	if third == second {
		t.Errorf("process %d was killed and still serves", second)
	}
	s.serves(senders, third)

	acked := senders.stop(t)
	l.settle(t, 30*time.Second)
	auditRoute(s.journal("journal"), "any", acked).check(t, "any")
	auditRoute(s.journal("journal"), "ordered", acked).check(t, "ordered")
	inOrder(t, s.journal("journal"), "ordered")
	l.undisturbed(t, "any")
	l.undisturbed(t, "ordered")
	l.stop(t)
	s.nothingLeft(time.Second)
}

// Fifty versions one after the other, or E2E_SWAPS, every fifth of them broken:
// no request and no run suffers, and nothing piles up.
func TestManySwaps(t *testing.T) {
	t.Parallel()
	s := newSite(t, ownEngine())
	s.replace(s.path("engine"), program(t, ""), 0o700)
	l := s.start()
	senders := startLoad(s, "in", 8, 5*time.Millisecond, true)
	serving := l.enginePID(t, "main")
	s.serves(senders, serving)
	before := measure(t, l)
	swaps := int(fromEnv(t, "E2E_SWAPS", 50))
	for n := range swaps {
		content, want := program(t, fmt.Sprint("version ", n)), http.StatusOK
		if n%5 == 4 {
			content, want = []byte("#!/bin/sh\nexit 3\n"), http.StatusUnprocessableEntity
		}
		s.replace(s.path("engine"), content, 0o700)
		if code, problems := l.reload(t); code != want {
			t.Fatalf("version %d: reload: %d %v", n, code, problems)
		}
		now := l.enginePID(t, "main")
		if swapped := want == http.StatusOK; swapped == (now == serving) {
			t.Errorf("version %d: process %d served, now %d does", n, serving, now)
		}
		serving = now
	}
	s.serves(senders, serving)
	acked := senders.stop(t)
	l.settle(t, 30*time.Second)
	until(t, 40*time.Second, "one process is left", func() bool { return len(s.left()) == 1 })
	l.flat(t, before)
	notes := s.journal("journal")
	for _, route := range []string{"any", "ordered"} {
		a := auditRoute(notes, route, acked)
		a.check(t, route)
		if a.SameKey > 0 {
			t.Errorf("route %s: %d runs were repeated", route, a.SameKey)
		}
		l.undisturbed(t, route)
	}
	inOrder(t, notes, "ordered")
	t.Logf("%d swaps, %d events, %d engine processes", swaps, len(acked), len(s.engines()))
	l.stop(t)
	s.nothingLeft(time.Second)
}

// brokenPrograms are refused, at the program's key, and the old one serves.
func (s *site) brokenPrograms(l *life, senders *load, pid int) {
	s.t.Helper()
	for name, content := range map[string]string{
		"ends at once":  "#!/bin/sh\nexit 3\n",
		"not an engine": "#!/bin/sh\necho hello\nexec sleep 60\n",
		"not a program": "hello\n",
		"empty":         "",
		"half of it":    string(program(s.t, "")[:1<<20]),
	} {
		s.replace(s.path("engine"), []byte(content), 0o700)
		code, problems := l.reload(s.t)
		if code != http.StatusUnprocessableEntity || !mentions(problems, "engines.main.plugin") {
			s.t.Errorf("%s: reload: %d %v", name, code, problems)
		}
		if now := l.enginePID(s.t, "main"); now != pid {
			s.t.Errorf("%s: process %d served, now %d does", name, pid, now)
		}
		s.serves(senders, pid)
	}
}

// serves waits until a process has run an event that was sent from now on.
func (s *site) serves(senders *load, pid int) {
	s.t.Helper()
	from := time.Now().UnixNano()
	until(s.t, 20*time.Second, "the engine's process runs what is sent", func() bool {
		notes := s.journal("journal")
		for i := len(notes) - 1; i >= 0 && notes[i].At > from; i-- {
			if n := notes[i]; n.PID == pid && n.What == "begin" && senders.sentAfter(n.Event, from) {
				return true
			}
		}
		return false
	})
}
