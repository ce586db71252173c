// Package process is what `gateway run` wants of its own process: how much memory
// it may take, and where its time goes.
package process

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// The gateway holds little and makes garbage with every event: Go's own rule,
// a heap of twice what is in use, would collect some ten times a second. So the
// heap may be five times as large, up to usual. Beyond that it has room for as
// much again as is in use, at least roomy and at most five times that: else what
// strangers make it hold for a moment would cost far more. GOGC and GOMEMLIMIT,
// when set, rule instead.
const (
	collectAt = 400 // percent
	usual     = 96 << 20
	roomy     = 16 << 20
)

// Memory is how often the runtime collects.
type Memory struct {
	// ruled: the environment has not ruled otherwise.
	ruled bool
	mu    sync.Mutex
	eased int
}

// TuneMemory sets how often the runtime collects.
func TuneMemory() *Memory {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := os.LookupEnv(name); set {
			return &Memory{}
		}
	}
	m := &Memory{ruled: true}
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(usual)
	m.afterCollection(usual)
	return m
}

// Ease lets Go's own rule hold for a while, in which much that is of use comes
// and goes: a configuration is read. With little room that would be collecting
// all the time. Back ends it.
func (m *Memory) Ease() (back func()) {
	if !m.ruled {
		return func() {}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.eased++
	debug.SetMemoryLimit(math.MaxInt64)
	debug.SetGCPercent(100)
	return m.back
}

func (m *Memory) back() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.eased--; m.eased == 0 {
		debug.SetGCPercent(collectAt)
		debug.SetMemoryLimit(limitFor(inUse()))
	}
}

// afterCollection sets the limit anew each time a collection has told what is
// in use: then the runtime drops what nobody holds, and says so.
func (m *Memory) afterCollection(limit int64) {
	runtime.AddCleanup(new([16]byte), func(before int64) { m.afterCollection(m.limit(before)) }, limit)
}

func (m *Memory) limit(before int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.eased > 0 {
		return 0 // whatever it is then, it will be set
	}
	now := limitFor(inUse())
	if now != before {
		debug.SetMemoryLimit(now)
	}
	return now
}

// limitFor is how much may be taken with so much in use.
func limitFor(used int64) int64 { return max(used+min(max(roomy, used), 5*roomy), usual) }

// inUse is what the latest collection found in use.
func inUse() (sum int64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/metadata/other:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			sum += int64(s.Value.Uint64())
		}
	}
	return sum
}
