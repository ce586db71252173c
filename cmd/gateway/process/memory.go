// Package process is what `gateway run` wants of its own process: how much memory
// it may take, and where its time goes.
package process

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The gateway holds little and makes garbage with every event: Go's own rule,
// a heap of twice what is in use, would collect some ten times a second. So the
// heap may be five times as large, up to usual. Beyond that it has no more than
// roomy above what is in use: else what strangers make it hold for a moment
// would cost five times that. GOGC and GOMEMLIMIT, when set, rule instead.
const (
	collectAt = 400 // percent
	usual     = 96 << 20
	roomy     = 16 << 20
)

// TuneMemory sets how often the runtime collects.
func TuneMemory() {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := os.LookupEnv(name); set {
			return
		}
	}
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(usual)
	afterCollection(usual)
}

// afterCollection sets the limit anew each time a collection has told what is
// in use: then the runtime drops what nobody holds, and says so.
func afterCollection(limit int64) {
	runtime.AddCleanup(new([16]byte), func(before int64) {
		now := limitFor(inUse())
		if now != before {
			debug.SetMemoryLimit(now)
		}
		afterCollection(now)
	}, limit)
}

func limitFor(used int64) int64 { return max(used+roomy, usual) }

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
