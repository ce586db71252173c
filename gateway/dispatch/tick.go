package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// tick looks after time: runs past their deadline, runs to be recorded as
// running, keys and routes whose next attempt comes due.
func (d *Dispatcher) tick(now time.Time) {
	d.mu.Lock()
	changes, late, gone := d.watch(now)
	d.rouse(now)
	for _, q := range d.queues.All() {
		if !q.nextDue.IsZero() && !q.nextDue.After(now) {
			q.nextDue = time.Time{}
			d.more(q)
		}
		if q.lane != nil {
			q.enter() // its rate may allow it by now
		}
		d.look(q) // memory that others have left makes room
	}
	d.mu.Unlock()
	for _, c := range changes {
		d.record(c)
	}
	for _, r := range late {
		r.engine.Cancel(r.d.ID(), "deadline passed")
	}
	for _, r := range gone {
		r.engine.Forget(r.d.ID())
		d.update(r, engine.Update{Kind: engine.Failed, Message: "did not end when it was asked to"})
	}
}

// rouse offers the groups that slept long enough.
func (d *Dispatcher) rouse(now time.Time) {
	var due []*group
	for g := range d.sleeping {
		if len(g.items) == 0 || !g.items[0].d.Due.After(now) {
			delete(d.sleeping, g)
			due = append(due, g)
		}
	}
	slices.SortFunc(due, longest)
	for _, g := range due {
		d.offer(g)
	}
}

// watch finds runs to be recorded, to be cancelled, and to be given up.
func (d *Dispatcher) watch(now time.Time) (changes []*store.Change, late, gone []*run) {
	for _, r := range d.running {
		switch {
		case r.ended:
		case !r.cancelled.IsZero():
			if now.Sub(r.cancelled) >= cancelGrace {
				gone = append(gone, r)
			}
		case !r.deadline.IsZero() && !now.Before(r.deadline):
			r.cancelled = now
			late = append(late, r)
		case !r.marked && now.Sub(r.started) >= markAfter:
			changes = append(changes, r.goesOn(store.Running))
		}
	}
	slices.SortFunc(gone, func(a, b *run) int { return cmp.Compare(a.d.Seq, b.d.Seq) })
	return changes, late, gone
}
