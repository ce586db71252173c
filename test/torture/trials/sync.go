//go:build linux && amd64

package trials

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/tracer"
	"github.com/event-gateway/gateway/test/torture/trial"
)

// failing is how many gateways fail at once: they wait for their disk and their
// senders most of the time.
const failing = 6

// Sync has each sync call of a new gateway's life fail, once and, in another
// life, from then on. The gateway acknowledges nothing more, ends, and says so;
// the next one goes on from what is on disk.
func Sync(b *trial.Bench) error {
	var mu sync.Mutex
	at := map[tracer.Step]int{}
	err := b.Each(failing, func(n int) error {
		call, sticky := n/2+1, n%2 == 1
		step, err := failedSync(b, fmt.Sprint("sync-", n), call, sticky)
		if err != nil {
			return fmt.Errorf("sync call %d, sticky %v: %w", call, sticky, err)
		}
		mu.Lock()
		defer mu.Unlock()
		at[step]++
		return nil
	})
	b.Extra = fmt.Sprintf("the first %d sync calls, each once and from then on; failed by step: %v", b.Times/2, at)
	return err
}

// notices is within what a gateway must have ended, slowSync what it may take
// for each sync before.
const notices, slowSync = 5 * time.Second, 20 * time.Millisecond

func failedSync(b *trial.Bench, name string, n int, sticky bool) (at tracer.Step, err error) {
	s, err := b.Site(name, site.Config)
	if err != nil {
		return "", err
	}
	defer func() { s.End(); err = errors.Join(err, os.RemoveAll(s.Dir)) }() // thousands of stores fill a disk
	load := site.NewLoad(s, 64)
	load.Go(2)
	defer load.Stop()
	l, r, err := fault(b, s, tracer.Rule{Steps: tracer.Syncs(), N: n, Errno: unix.EIO, Sticky: sticky}, notices+time.Duration(n)*slowSync)
	switch {
	case errors.Is(err, site.ErrGoesOn) && r.Fired != nil && *r.Fired == tracer.SyncFolder && !sticky:
		// SQLite does not look whether its sync of the folder failed; the store
		// does it once more.
		return *r.Fired, finish(b, s, load)
	case err != nil:
		return "", err
	case r.Fired == nil:
		return "", fmt.Errorf("was never made; the gateway ended with code %d:\n%s", l.Code(), l.Said())
	case l.Code() <= 0 || l.Code() >= 128:
		b.Problem("sync call %d (%s): the gateway ended with code %d:\n%s", n, *r.Fired, l.Code(), l.Said())
	}
	if late := acknowledgedAfter(load.Stop(), r.At, *r.Fired); late > 0 {
		b.Problem("sync call %d (%s): %d events that were sent after it had failed were acknowledged", n, *r.Fired, late)
	}
	return *r.Fired, finish(b, s, load)
}

// grace is how long the gateway may take to notice that filling SQLite has
// failed: what it acknowledges meanwhile is synced in the journal.
const grace = time.Second

func acknowledgedAfter(acked map[string]time.Time, failed time.Time, at tracer.Step) (n int) {
	if !slices.Contains([]tracer.Step{tracer.SyncEvent, tracer.SyncOutcome}, at) {
		failed = failed.Add(grace)
	}
	for _, sent := range acked {
		if sent.After(failed) {
			n++
		}
	}
	return n
}
