package dispatch

import (
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/store"
)

// Room tells whether a delivery about to be committed can be held in memory.
func (d *Dispatcher) Room(del *store.Delivery) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues.Get(del.Route)
	if q == nil {
		return false
	}
	if q.open() && d.fits(q) {
		return true
	}
	// At once: the next delivery of this commit must not overtake this one,
	// even if what stood in the way goes before the commit has ended.
	q.backlog = true
	return false
}

// open tells whether deliveries may come straight from their commit. To a
// strict route they may not while older ones are in the store or on their way.
func (q *queue) open() bool {
	return q.lane != nil && !(q.rule.Strict && (q.backlog || q.claiming || q.giving > 0))
}

// fits tells whether memory has room for one more.
func (d *Dispatcher) fits(q *queue) bool { return q.held < maxHeld && d.spare(q) > 0 }

// spare is how many bytes a queue may still take into memory: what is left of
// all, but always its own fair share, so that the routes of an engine that is
// down cannot take all memory from the others.
func (d *Dispatcher) spare(q *queue) int {
	return max(maxBytes-d.bytes, maxBytes/max(1, d.queues.Len())-q.bytes)
}

// Take receives committed deliveries, in commit order.
func (d *Dispatcher) Take(dels []*store.Delivery) {
	d.mu.Lock()
	for _, del := range dels {
		switch q := d.queues.Get(del.Route); {
		case !del.Claimed && q != nil:
			d.more(q)
		case !del.Claimed: // a queue begins by looking into the store
		case q != nil && q.open() && d.fits(q):
			d.add(newItem(q, del), false)
		default: // since Room the plan has changed or memory has filled
			d.refuse(q, del)
		}
	}
	d.mu.Unlock()
	d.signal()
}

// refuse gives a delivery back that came too late.
func (d *Dispatcher) refuse(q *queue, del *store.Delivery) {
	if q == nil {
		q = d.queue(del.Route)
	}
	d.giveBack(newItem(q, del))
}

// more: the store has something of the route that perhaps can run.
func (d *Dispatcher) more(q *queue) {
	q.backlog = true
	d.look(q)
}

// look makes Run consider a claim.
func (d *Dispatcher) look(q *queue) {
	if q.backlog && !q.looking {
		q.looking = true
		d.looks = append(d.looks, q)
	}
}

// sleepUntil is when to look into the store at the latest.
func (q *queue) sleepUntil(due time.Time) {
	if q.nextDue.IsZero() || due.Before(q.nextDue) {
		q.nextDue = due
	}
}

// claim is a question to the store.
type claim struct {
	store.Claim
	q     *queue
	given int // what had been given back before
}

// hungry makes the claims of the queues that should claim. What is committed
// after a claim was made says so itself, before or after the answer.
func (d *Dispatcher) hungry(now time.Time) (claims []claim) {
	for _, q := range d.looks {
		q.looking = false
		if !q.asks(now) || !d.hasRoom(q, now) {
			continue // whatever ends this looks again, a tick at the latest
		}
		c := claim{q: q, given: q.given, Claim: store.Claim{
			Route: q.route, Limit: claimSize, MaxBytes: min(claimBytes, d.spare(q)), Now: now, InOrder: q.rule.Strict,
		}}
		if q.held >= maxHeld/2 {
			c.Except, q.searched = q.blocked(now), now
		}
		// The answer tells, and what comes meanwhile.
		q.backlog, q.claiming, q.nextDue = false, true, time.Time{}
		d.bytes += c.MaxBytes // room for the answer
		claims = append(claims, c)
	}
	clear(d.looks)
	d.looks = d.looks[:0]
	return claims
}

// asks tells whether a queue has a question and nothing is in its way.
func (q *queue) asks(now time.Time) bool {
	return q.backlog && !q.claiming && q.lane != nil && !now.Before(q.paused) && !(q.rule.Strict && q.giving > 0)
}

// hasRoom: memory is half empty, or full of keys that can't run. Then the
// store is searched for others, seldom because it is work for the store.
func (d *Dispatcher) hasRoom(q *queue, now time.Time) bool {
	switch {
	case d.spare(q) <= 0:
		return false
	case q.held < maxHeld/2:
		return true
	}
	return (len(q.turn) == 0 || q.waits(now)) && q.held < 2*maxHeld && now.Sub(q.searched) >= pollTime
}

// blocked are keys that hold something and can't run it now: more of them is
// of no use.
func (q *queue) blocked(now time.Time) (keys []string) {
	waits := q.waits(now)
	for key, g := range q.groups {
		if (!g.queued || waits) && len(g.items) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// claimed takes the answer, which may be late.
func (d *Dispatcher) claimed(c claim, got store.Claimed, err error) {
	if err != nil {
		d.opts.Log.Warn("claim", zap.String("route", c.Route), zap.Error(err))
	}
	d.mu.Lock()
	q := c.q
	q.claiming = false
	d.bytes -= c.MaxBytes
	// Something older may have gone back since the store was asked, and not be
	// in the answer: then all of it goes back.
	takes := q.lane != nil && !(q.rule.Strict && q.given != c.given)
	for _, del := range got.Deliveries {
		if takes {
			it := newItem(q, del)
			d.add(it, it.unsure && !q.rule.Strict)
		} else {
			d.giveBack(newItem(q, del))
		}
	}
	if err != nil {
		q.backlog, q.paused = true, c.Now.Add(pollTime)
	} else {
		q.backlog = q.backlog || got.More || len(c.Except) > 0
		if !got.NextDue.IsZero() {
			q.sleepUntil(got.NextDue)
		}
	}
	d.look(q)
	d.forget(q)
	d.mu.Unlock()
	d.signal()
}
