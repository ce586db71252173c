package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

// replaced acquires an engine, and again when a bad version has taken the place
// of its program.
func replaced(t *testing.T, b *bench, change func(*Spec)) (e *Engine, good, bad string) {
	t.Helper()
	s := spec(t, "ok")
	s.Path = copyOf(t, self(t), filepath.Join(t.TempDir(), "engine"))
	first := b.acquire(s)
	good = first.Status().SHA256
	worsen(t, s.Path)
	bin, err := process.OpenBinary(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer bin.Close()
	s.SHA256 = bin.Sum()
	change(&s)
	second, err := b.Acquire(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	first.Release()
	eventually(t, "the first process is gone", func() bool { return first.Status().State == Stopped })
	return second, good, bin.Sum()
}

func worsen(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path+".new", append(text, bad...), 0o755)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// works runs something until it succeeds, and tells how often it did not.
func works(t *testing.T, e *Engine, most int) (lost int) {
	t.Helper()
	for ; lost < most; lost++ {
		waitReady(t, e)
		u := newUpdates()
		if err := e.Run(callOf("a", "echo", "1"), u.report); err != nil {
			lost--
			continue
		}
		if u.final(t).Kind == Succeeded {
			return lost
		}
	}
	return lost
}

// A program that passes every question of a reload and then dies of its work
// gives way to the one before, whose file is no longer there.
func TestBadVersionGivesWay(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	e, good, bad := replaced(t, b, func(s *Spec) { s.SHA256 = "" })
	if lost := works(t, e, 10); lost != returnAfter {
		t.Errorf("%d runs were lost, want %d", lost, returnAfter)
	}
	if st := e.Status(); st.SHA256 != good || st.Returned != bad || st.State != Up {
		t.Errorf("status %+v", st)
	}
	again := e.spec.Load()
	same, err := b.Acquire(t.Context(), *again) // a reload, with the bad file still there
	if err != nil || same != e {
		t.Errorf("acquired again: %v", err)
	}
	same.Release()
	if b.logs.FilterMessageSnippet("back to the one before").Len() != 1 {
		t.Error("it is not logged")
	}
}

// A pin says which program it is to be, and no other is run in its place.
func TestPinnedVersionStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	e, _, bad := replaced(t, b, func(*Spec) {})
	if lost := works(t, e, returnAfter+2); lost != returnAfter+2 {
		t.Errorf("a run succeeded after %d were lost", lost)
	}
	if st := e.Status(); st.SHA256 != bad || st.Returned != "" {
		t.Errorf("status %+v", st)
	}
}

// What has been up for long is no new version any more: it may crash for other
// reasons.
func TestProvenVersionStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(x *timing) { x.healthyAfter = time.Nanosecond })
	e, _, bad := replaced(t, b, func(s *Spec) { s.SHA256 = "" })
	if lost := works(t, e, returnAfter+2); lost != returnAfter+2 {
		t.Errorf("a run succeeded after %d were lost", lost)
	}
	if st := e.Status(); st.SHA256 != bad || st.Returned != "" {
		t.Errorf("status %+v", st)
	}
}
