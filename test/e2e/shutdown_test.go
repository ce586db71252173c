package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGTERM under load: whatever was accepted is run, now or after the next
// start, and nothing that was running is interrupted.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t, everyEvent)
	s.start()
	senders := startLoad(s, "in", 16, 0, false)
	for range 3 {
		enough := senders.count() + 300
		until(t, 30*time.Second, "enough events are accepted", func() bool { return senders.count() >= enough })
		l := s.current()
		l.signal(t, syscall.SIGTERM)
		began := time.Now()
		if code := l.wait(t, 20*time.Second); code != 0 {
			t.Errorf("exit code %d:\n%s", code, l.output.text())
		}
		t.Logf("stopped within %v, %d events accepted so far", time.Since(began).Round(time.Millisecond), senders.count())
		s.nothingLeft(time.Second)
		s.start()
	}
	acked := senders.stop(t)
	s.current().settle(t, 60*time.Second)
	for _, route := range []string{"any", "ordered"} {
		a := auditRoute(s.journal("journal"), route, acked)
		if a.check(t, route); a.SameKey > 0 {
			t.Errorf("route %s: %d runs were repeated, though every stop waited for runs to end", route, a.SameKey)
		}
		s.current().undisturbed(t, route)
	}
	inOrder(t, s.journal("journal"), "ordered")
	s.current().stop(t)
	s.nothingLeft(time.Second)
}

// longRuns has one workflow that takes ten seconds.
var longRuns = strings.Replace(everyEvent[:strings.Index(everyEvent, "routes:")], "delay: 5", "delay: 0", 1) + `
routes:
  long:
    events: [github.push]
    run: main/long
    with: {route: long, for: 10s}
    retry: {attempts: 1}
`

// begun waits until a run of the route long has begun so many times.
func (s *site) begun(times int) (notes []note) {
	s.t.Helper()
	until(s.t, 30*time.Second, "the run has begun", func() bool {
		notes = nil
		for _, n := range s.journal("journal") {
			if n.What == "begin" {
				notes = append(notes, n)
			}
		}
		return len(notes) >= times
	})
	return notes
}

// A run that the gateway's death interrupts is run again, with the same key
// and as the same attempt.
func TestKilledDuringRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, longRuns)
	l := s.start()
	if a := l.mustSend(t, "in", "1", `{"sender":"a","n":1}`); a.Code != 202 {
		t.Fatalf("answered %+v", a)
	}
	s.begun(1)
	l.kill(t)
	s.nothingLeft(5 * time.Second)

	l = s.start()
	runs := s.begun(2)
	if runs[0].Key != runs[1].Key || runs[0].Attempt != 1 || runs[1].Attempt != 1 || runs[0].PID == runs[1].PID {
		t.Errorf("run first as %+v and then as %+v", runs[0], runs[1])
	}
	l.settle(t, 30*time.Second)
	if n := l.undisturbed(t, "long"); n != 1 {
		t.Errorf("%d deliveries", n)
	}
	l.stop(t)
	s.nothingLeft(time.Second)
}

// An orderly stop waits for a run that ends in time.
func TestStopWaitsForRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, strings.Replace(longRuns, "for: 10s", "for: 3s", 1))
	l := s.start()
	if a := l.mustSend(t, "in", "1", `{"sender":"a","n":1}`); a.Code != 202 {
		t.Fatalf("answered %+v", a)
	}
	s.begun(1)
	l.stop(t)
	s.nothingLeft(time.Second)
	if notes := s.journal("journal"); len(notes) != 2 || notes[1].What != "end" {
		t.Errorf("the engine noted %+v", notes)
	}
	l = s.start()
	l.settle(t, 10*time.Second)
	if n := l.undisturbed(t, "long"); n != 1 || len(s.journal("journal")) != 2 {
		t.Errorf("%d deliveries; the engine noted %+v", n, s.journal("journal"))
	}
	l.stop(t)
}

// A run that does not end in time is left for the next start, which runs it
// with the same key and as the same attempt; so does one whose engine hangs.
func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]bool{"long run": false, "stopped process": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, strings.Replace(longRuns, "for: 10s", "for: 45s", 1))
			l := s.start()
			if a := l.mustSend(t, "in", "1", `{"sender":"a","n":1}`); a.Code != 202 {
				t.Fatalf("answered %+v", a)
			}
			s.begun(1)
			if hang {
				if err := syscall.Kill(l.enginePID(t, "main"), syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			l.signal(t, syscall.SIGTERM)
			code := l.wait(t, 40*time.Second)
			t.Logf("ended with code %d after %v", code, time.Since(began).Round(time.Millisecond))
			if code != 0 {
				t.Errorf("exit code %d:\n%s", code, l.output.text())
			}
			s.nothingLeft(time.Second)

			l = s.start()
			runs := s.begun(2)
			if runs[0].Key != runs[1].Key || runs[1].Attempt != 1 {
				t.Errorf("run first as %+v and then as %+v", runs[0], runs[1])
			}
			l.kill(t)
		})
	}
}
