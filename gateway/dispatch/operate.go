package dispatch

import "time"

// InFlight tells whether a delivery runs now.
func (d *Dispatcher) InFlight(seq int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.running[seq]
	return r != nil && !r.waiting
}

// Nudge makes Run look into the store for a route, after a person changed
// something there.
func (d *Dispatcher) Nudge(route string) {
	d.mu.Lock()
	if q := d.queues.Get(route); q != nil {
		d.more(q)
	}
	d.mu.Unlock()
	d.signal()
}

// Retry makes a delivery that memory holds due now, for a person: one of a
// strict route that waits for its next attempt, which the store, because it
// is in memory, does not touch. It tells whether memory holds it.
func (d *Dispatcher) Retry(seq int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	g, i := d.find(seq)
	if g == nil {
		return false
	}
	it := g.items[i]
	it.d.Due, it.d.FirstAttemptAt = time.Now(), time.Time{}
	d.offer(g)
	d.signal()
	return true
}

// Discard drops a delivery that a person discarded: a run is asked to end, and
// whatever it answers is not recorded.
func (d *Dispatcher) Discard(seq int64) {
	d.mu.Lock()
	r := d.running[seq]
	if r != nil {
		r.discarded, r.cancelled = true, time.Now()
	} else {
		d.remove(seq)
	}
	d.mu.Unlock()
	if r != nil {
		r.engine.Cancel(r.d.ID(), "discarded")
	}
	d.signal()
}

// remove drops a delivery that does not run.
func (d *Dispatcher) remove(seq int64) {
	g, i := d.find(seq)
	if g == nil {
		return
	}
	it := g.items[i]
	g.items = append(g.items[:i:i], g.items[i+1:]...)
	d.weigh(it, -1)
	d.offer(g) // what follows it need not wait for its due time
	d.look(g.q)
	d.tidy(g)
}

// find looks for a delivery in memory that does not run.
func (d *Dispatcher) find(seq int64) (*group, int) {
	for _, q := range d.queues.All() {
		for _, g := range q.groups {
			for i, it := range g.items {
				if it.d.Seq == seq {
					return g, i
				}
			}
		}
	}
	return nil, 0
}
