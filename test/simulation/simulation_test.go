package simulation

import (
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "play this seed alone")
	seedsFlag = flag.Int("seeds", 0, "how many seeds to play")
)

func TestSimulation(t *testing.T) {
	if *seedFlag != 0 {
		h := play(t, newPlan(*seedFlag, large), bugs{})
		t.Log("\n" + h.String())
		for _, f := range h.failures {
			t.Error(f)
		}
		return
	}
	counts := map[string]int{}
	var mu sync.Mutex
	var next atomic.Uint64
	t.Run("all", func(t *testing.T) {
		for i := range 2 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for {
					seed := next.Add(1)
					if seed > uint64(max(*seedsFlag, 50)) {
						return
					}
					h := play(t, newPlan(seed, large), bugs{})
					mu.Lock()
					for k, n := range h.counts {
						counts[k] += n
					}
					mu.Unlock()
					for i, f := range h.failures {
						if i < 3 {
							t.Errorf("seed %d: %s", seed, f)
						}
					}
				}
			})
		}
	})
	t.Log(counts)
}
