package dispatch

import (
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/store"
)

// Room tells whether a delivery about to be committed can be held in memory.
// Behind a backlog of a strict route it can't: what is older comes first.
func (d *Dispatcher) Room(del *store.Delivery) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[del.Route]
	if q == nil || q.lane == nil || q.rule.Strict && (q.backlog || q.claiming) {
		return false
	}
	return q.held < maxHeld && d.bytes < maxBytes
}

// Take receives committed deliveries, in commit order.
func (d *Dispatcher) Take(dels []*store.Delivery) {
	d.mu.Lock()
	for _, del := range dels {
		q := d.queue(del.Route)
		if del.Claimed {
			d.add(q, del)
		} else {
			q.backlog = true
		}
	}
	d.mu.Unlock()
	d.signal()
}

// hungry lists the queues that should claim.
func (d *Dispatcher) hungry(now time.Time) (claims []*queue) {
	if d.stopping {
		return nil
	}
	for _, q := range d.queues {
		if !q.nextDue.IsZero() && !q.nextDue.After(now) {
			q.backlog, q.nextDue = true, time.Time{}
		}
		if q.backlog && !q.claiming && !q.dry && q.lane != nil && q.room() && d.bytes < maxBytes {
			q.claiming = true
			claims = append(claims, q)
		}
	}
	return claims
}

// room: memory is half empty, or full of keys that can't run.
func (q *queue) room() bool {
	return q.held < maxHeld/2 || len(q.turn) == 0 && q.held < 2*maxHeld
}

// maxExcept bounds the keys that a claim leaves out.
const maxExcept = 500

// claim asks the store for more of a route.
func (d *Dispatcher) claim(q *queue) {
	d.mu.Lock()
	c := store.Claim{
		Route: q.route, Limit: claimSize, MaxBytes: claimBytes, Now: time.Now(), InOrder: q.rule.Strict, Except: q.blocked(),
	}
	// What is committed from here on says so itself, before the answer comes.
	q.backlog = false
	d.mu.Unlock()
	d.opts.Store.Claim(c, func(got store.Claimed, err error) { d.claimed(q, c, got, err) })
}

// blocked are keys that hold something and can't run it now: more of them is
// of no use.
func (q *queue) blocked() (keys []string) {
	for key, g := range q.groups {
		if key == "" || g.queued || len(g.items) == 0 {
			continue
		}
		if keys = append(keys, key); len(keys) == maxExcept {
			break
		}
	}
	return keys
}

// claimed takes the answer, in the order of commits like Take.
func (d *Dispatcher) claimed(q *queue, c store.Claim, got store.Claimed, err error) {
	if err != nil {
		d.opts.Log.Warn("claim", zap.String("route", q.route), zap.Error(err))
	}
	d.mu.Lock()
	q.claiming = false
	for _, del := range got.Deliveries {
		d.add(q, del)
	}
	q.nextDue = got.NextDue
	if got.More || len(c.Except) > 0 || err != nil {
		q.backlog = true
		q.dry = len(got.Deliveries) == 0
	}
	released := []*store.Change(nil)
	if q.lane == nil {
		released = d.empty(q)
	}
	d.mu.Unlock()
	d.release(released)
	d.signal()
}

// release gives deliveries back whose route went while they were claimed. The
// writer calls this, which must not wait for itself.
func (d *Dispatcher) release(changes []*store.Change) {
	if len(changes) == 0 {
		return
	}
	d.work.Go(func() {
		for _, c := range changes {
			d.opts.Store.Record(c)
		}
	})
}
