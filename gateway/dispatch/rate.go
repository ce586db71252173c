package dispatch

import (
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// A run of a route with a rate counts before it begins, and for good: the store
// has its start on disk first. So the window is full after a restart if it was
// before, and what makes the gateway crash is not run more often by that. What
// is written is when it begins at the latest: a start that was not on disk by
// then is written once more.

// Recall takes over what former processes have started. It is called before
// the first plan is put in force.
func (d *Dispatcher) Recall(list []store.Start) {
	at := map[string][]time.Time{}
	for _, s := range list {
		at[s.Route] = append(at[s.Route], s.At)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for route, times := range at {
		d.starts[route] = pace.Recall(times, time.Now())
	}
}

// applyRates puts the rates of a plan in force. What was started before counts.
func (d *Dispatcher) applyRates(p *Plan, now time.Time) {
	for route, rule := range p.Routes {
		if rule.Rate.Count > 0 && d.starts[route] == nil {
			d.starts[route] = &pace.Starts{}
		}
	}
	for route, s := range d.starts {
		if rate := p.Routes[route].Rate; rate.Count > 0 {
			s.Keep(rate)
		} else if now.Sub(s.Last()) >= store.MaxWindow {
			delete(d.starts, route)
		}
	}
}

// waits tells that what comes next may not start by the route's rate. What its
// engine is perhaps running already is only asked for, and does not wait.
func (q *queue) waits(now time.Time) bool {
	if q.starts == nil || len(q.turn) == 0 || q.starts.Free(now) {
		return false
	}
	g := q.turn[0]
	return g.ready() && !g.items[0].unsure
}

// Held tells whether a route has something to start and may not, by its rate.
func (d *Dispatcher) Held(route string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues.Get(route)
	return q != nil && q.lane != nil && q.waits(time.Now())
}

// count counts a run by its route's rate, if it has one.
func (r *run) count(now time.Time) {
	if r.starts != nil {
		r.start.Count(r.starts, now)
	}
}

// uncount is for a run that has not begun after all.
func (r *run) uncount() {
	r.start.Drop(r.starts)
	if r.starts != nil && r.first.Equal(r.started) {
		r.d.FirstAttemptAt = time.Time{}
	}
}

// waitsAgain is what is written of a run that the store has as running and that
// has not begun; nil when it says nothing of the kind.
func (r *run) waitsAgain() *store.Change {
	if r.starts == nil || r.unsure || r.discarded {
		return nil
	}
	c := r.change(r.state())
	c.Claimed = true
	return c
}

// launch begins an attempt; with a rate, once the store knows of it.
func (d *Dispatcher) launch(r *run) {
	if r.starts == nil {
		d.call(r)
		return
	}
	d.mu.Lock()
	now := time.Now()
	switch {
	case r.ended:
		d.mu.Unlock()
	case r.item.discarded:
		d.mu.Unlock()
		d.update(r, engine.Update{Kind: engine.Failed, Message: dropped})
	case !r.start.Counts() && !r.starts.Free(now):
		d.mu.Unlock()
		d.back(r, func() { r.unsure = false }) // it ran before, and to run again it waits like any other
	default:
		if !r.start.Counts() {
			r.count(now)
		}
		c := d.counting(r)
		d.mu.Unlock()
		d.record(c)
	}
}

// counting is the change that makes a start count.
func (d *Dispatcher) counting(r *run) *store.Change {
	c := r.goesOn(store.Running)
	c.Start = &store.Start{Route: r.d.Route}
	c.Start.At, c.Start.Window = r.start.Latest(r.starts)
	r.deadline = time.Time{} // a full disk may take its time, and that is not the run's
	c.Committed = func() {
		d.mu.Lock()
		d.counted = append(d.counted, r)
		d.mu.Unlock()
		d.signal()
	}
	return c
}

// begin begins an attempt that counts: from now, to be exact.
func (d *Dispatcher) begin(r *run) {
	d.mu.Lock()
	gone, unwanted := r.ended, r.item.discarded || r.item.unwanted
	timely := gone || r.start.Begin(r.starts, time.Now())
	if r.arm(time.Now()); !timely {
		r.uncount()
	}
	d.mu.Unlock()
	switch {
	case gone:
	case unwanted:
		d.update(r, engine.Update{Kind: engine.Failed, Message: dropped})
	case !timely:
		d.launch(r)
	default:
		d.call(r)
	}
}

// leave drops the runs that were about to begin when the end came.
func (d *Dispatcher) leave() {
	d.mu.Lock()
	counted := d.counted
	d.counted = nil
	d.mu.Unlock()
	for _, r := range counted {
		d.back(r, func() { r.unsure = false })
	}
}
