package dispatch

import (
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// tick looks after time: runs past their deadline, runs to be recorded as
// running, and keys whose next attempt comes due.
func (d *Dispatcher) tick(now time.Time) {
	d.mu.Lock()
	var changes []*store.Change
	var late, gone []*item
	for _, it := range d.running {
		switch {
		case it.started.IsZero():
		case !it.cancelled.IsZero() && now.Sub(it.cancelled) >= cancelGrace:
			gone = append(gone, it)
		case it.cancelled.IsZero() && !it.deadline.IsZero() && now.After(it.deadline):
			it.cancelled = now
			late = append(late, it)
		case !it.marked && now.Sub(it.started) >= markAfter:
			it.marked = true
			changes = append(changes, it.goesOn(store.Running))
		}
	}
	for g := range d.sleeping {
		delete(d.sleeping, g)
		if len(g.items) > 0 {
			d.offer(g.items[0].q, g)
		}
	}
	d.mu.Unlock()
	for _, c := range changes {
		d.opts.Store.Record(c)
	}
	for _, it := range late {
		it.engine.Cancel(it.d.ID(), "deadline passed")
	}
	for _, it := range gone {
		it.engine.Forget(it.d.ID())
		d.update(it, engine.Update{Kind: engine.Failed, Message: "did not end after its time-out"})
	}
}
