package e2e

import (
	"testing"
	"time"

	"github.com/event-gateway/gateway/test/ledger"
)

// note is a line that the test engine wrote about a run.
type note = ledger.Note

// journal reads what engines wrote, oldest first.
func (s *site) journal(name string) []note {
	s.t.Helper()
	notes, err := ledger.Read(s.path("out/" + name))
	if err != nil {
		s.t.Fatal(err)
	}
	return notes
}

// audit is what became of the events of one route.
type audit struct{ ledger.Audit }

// auditRoute compares what was promised with what was done.
func auditRoute(notes []note, route string, acked map[string]time.Time) audit {
	return audit{ledger.Count(notes, route, acked)}
}

// check fails the test unless everything was done, and twice only under the
// same key.
func (a audit) check(t *testing.T, route string) {
	t.Helper()
	t.Logf("route %s: %s", route, a)
	if a.Lost > 0 || a.OtherKey > 0 || a.Twice > 0 {
		t.Errorf("route %s: %d events were lost, %d were run again under another key, %d by the same process", route, a.Lost, a.OtherKey, a.Twice)
	}
}

// inOrder checks that the first runs of each sender's events began in the
// order in which they were accepted, each after the one before had ended.
func inOrder(t *testing.T, notes []note, route string) {
	t.Helper()
	keys, wrong := ledger.Order(notes, route)
	for _, d := range wrong[:min(3, len(wrong))] {
		t.Errorf("route %s: %s", route, d)
	}
	if keys == 0 || len(wrong) > 3 {
		t.Errorf("route %s: %d keys, %d out of order", route, keys, len(wrong))
	}
}
