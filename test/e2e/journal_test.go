package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"
)

// note is a line that the test engine wrote about a run.
type note struct {
	What, Route, Key, Event, Sender string
	Attempt, N, PID                 int
	At                              int64 // Unix, nanoseconds
}

// journal reads what engines wrote, oldest first.
func (s *site) journal(name string) (notes []note) {
	s.t.Helper()
	text, err := os.ReadFile(s.path("out/" + name))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var n note
		if err := json.Unmarshal(line, &n); err != nil {
			s.t.Fatalf("journal: %v: %q", err, line)
		}
		notes = append(notes, n)
	}
	return notes
}

// audit is what became of the events of one route.
type audit struct{ acknowledged, runs, lost, sameKey, otherKey int }

// auditRoute compares what was promised with what was done.
func auditRoute(notes []note, route string, acked map[string]time.Time) audit {
	keys, ends := map[string][]string{}, map[string]bool{}
	a := audit{acknowledged: len(acked)}
	for _, n := range notes {
		switch {
		case n.Route != route:
		case n.What == "begin":
			a.runs++
			if known := keys[n.Event]; slices.Contains(known, n.Key) {
				a.sameKey++
			} else if keys[n.Event] = append(known, n.Key); len(known) > 0 {
				a.otherKey++
			}
		case n.What == "end":
			ends[n.Event] = true
		}
	}
	for id := range acked {
		if !ends[id] {
			a.lost++
		}
	}
	return a
}

// check fails the test unless everything was done, and twice only under the
// same key.
func (a audit) check(t *testing.T, route string) {
	t.Helper()
	t.Logf("route %s: acknowledged %d, runs %d, lost %d, repeated under the same key %d, under another key %d",
		route, a.acknowledged, a.runs, a.lost, a.sameKey, a.otherKey)
	if a.lost > 0 || a.otherKey > 0 {
		t.Errorf("route %s: %d events were lost, %d were run again under another key", route, a.lost, a.otherKey)
	}
}

// inOrder checks that the first runs of each sender's events began in the
// order in which they were accepted, each after the one before had ended.
func inOrder(t *testing.T, notes []note, route string) {
	t.Helper()
	next, ended := map[string]int{}, map[string]int{}
	wrong := 0
	for _, n := range notes {
		switch {
		case n.Route != route:
		case n.What == "end":
			ended[n.Sender] = max(ended[n.Sender], n.N)
		case n.N > next[n.Sender]:
			if n.N != next[n.Sender]+1 || ended[n.Sender] != n.N-1 {
				if wrong++; wrong <= 3 {
					t.Errorf("route %s: %s %d began after %d, when %d had ended", route, n.Sender, n.N, next[n.Sender], ended[n.Sender])
				}
			}
			next[n.Sender] = n.N
		}
	}
	if len(next) == 0 || wrong > 3 {
		t.Errorf("route %s: %d keys, %d out of order", route, len(next), wrong)
	}
}
