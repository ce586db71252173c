//go:build !race

package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

// The race detector maps more memory than any limit lets through, so these
// engines, which are this test's own binary, have to do without it.

// An engine that takes too much fails by itself; its neighbour does not notice.
func TestLimits(t *testing.T) {
	t.Parallel()
	if !process.CanLimit {
		b := newBench(t, nil)
		s := spec(t, "ok")
		s.Memory = 1 << 30
		var limit *LimitError
		if _, err := b.Acquire(t.Context(), s); !errors.As(err, &limit) {
			t.Errorf("error %v", err)
		}
		return
	}
	b := newBench(t, nil)
	s := spec(t, "ok")
	s.Name, s.Memory, s.OpenFiles = "bounded", 256<<20, 64
	bounded, free := b.acquire(s), b.acquire(spec(t, "ok"))
	for _, e := range []*Engine{bounded, free} {
		if x := do(t, e, "small", "eat", "64"); x.Kind != Succeeded {
			t.Errorf("%s: 64 MiB: %+v", e.Status().Name, x)
		}
	}
	if x := do(t, bounded, "files", "open", "100"); x.Kind != Failed || !strings.Contains(x.Message, "too many open files") {
		t.Errorf("100 files: %+v", x)
	}
	if x := do(t, free, "files", "open", "100"); x.Kind != Succeeded {
		t.Errorf("100 files, not bounded: %+v", x)
	}
	if x := do(t, bounded, "large", "eat", "512"); x.Kind != Lost {
		t.Errorf("512 MiB: %+v", x)
	}
	if x := do(t, free, "large", "eat", "512"); x.Kind != Succeeded || free.Status().Restarts != 0 {
		t.Errorf("512 MiB, not bounded: %+v", x)
	}
	waitReady(t, bounded)
	if x := do(t, bounded, "again", "eat", "64"); x.Kind != Succeeded || bounded.Status().Restarts != 1 {
		t.Errorf("after the restart: %+v, %d restarts", x, bounded.Status().Restarts)
	}
}
