package memory

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store/storetest"
)

// The simulated store is a store, also while its disk is slow and often full
// for a moment.
func TestConformance(t *testing.T) {
	for name, fate := range map[string]func() Fate{
		"quick": nil,
		"slow":  func() Fate { return Fate{Gather: time.Millisecond, Sync: time.Millisecond, Lag: time.Millisecond} },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(*testing.T) storetest.Opener {
				disk := NewDisk()
				return func(_ *testing.T, o storetest.Options) (storetest.Store, func()) {
					s := Open(disk, Options{Taker: o.Taker, MaxPending: o.MaxPending, Retain: o.Retain, Fate: fate})
					ctx, cancel := context.WithCancel(context.Background())
					var wg sync.WaitGroup
					wg.Go(func() { _ = s.Run(ctx) })
					return s, func() { cancel(); wg.Wait() }
				}
			})
		})
	}
}
