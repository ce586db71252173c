package process

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// The limit follows what is in use. It is not parallel: it is about all of the
// process.
func TestTuneMemory(t *testing.T) {
	limit := func() int64 { return debug.SetMemoryLimit(-1) }
	defer debug.SetMemoryLimit(limit())
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	t.Setenv("GOMEMLIMIT", "off")
	TuneMemory()
	if limit() != math.MaxInt64 {
		t.Error("GOMEMLIMIT is set, and another limit holds")
	}
	held := make([]byte, 100<<20)
	m := &Memory{ruled: true}
	m.afterCollection(0)
	until := time.Now().Add(10 * time.Second)
	for runtime.GC(); limit() == math.MaxInt64; runtime.GC() {
		if time.Now().After(until) {
			t.Fatal("nothing follows a collection")
		}
		time.Sleep(time.Millisecond)
	}
	if got := limit(); got < 116<<20 || got > 190<<20 {
		t.Errorf("with 100 MiB in use the limit is %d MiB", got>>20)
	}
	back := m.Ease()
	runtime.GC()
	if limit() != math.MaxInt64 {
		t.Error("eased, and a limit holds")
	}
	if back(); limit() > 190<<20 {
		t.Errorf("afterwards the limit is %d MiB", limit()>>20)
	}
	runtime.KeepAlive(held)
}
