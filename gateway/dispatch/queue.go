package dispatch

import (
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// lane is an engine with its places and the queues that have something for it.
type lane struct {
	Lane
	running int
	turn    []*queue
}

// up tells whether the engine takes runs now.
func (l *lane) up() bool {
	select {
	case <-l.Engine.Ready():
		return true
	default:
		return false
	}
}

// queue is what memory holds of one route.
type queue struct {
	route  string
	rule   Rule
	lane   *lane // nil while the route is not in force
	groups map[string]*group
	// turn are groups of which something can start; queued: this queue is in
	// its lane's turn.
	turn   []*group
	queued bool
	// held counts the deliveries in memory, running ones included.
	held int
	// backlog: the store may have more. dry: it had none of the keys that could
	// run; look again when a run has ended. nextDue: when a retry comes due.
	backlog, claiming, dry bool
	nextDue                time.Time
}

// group is the deliveries of one order key, oldest first.
type group struct {
	key     string
	items   []*item
	running int
	queued  bool
}

// remove takes a delivery that does not run out of the group.
func (g *group) remove(seq int64) bool {
	before := len(g.items)
	g.items = slices.DeleteFunc(g.items, func(it *item) bool { return it.d.Seq == seq })
	return len(g.items) < before
}

// item is a delivery in memory.
type item struct {
	d      *store.Delivery
	q      *queue
	g      *group
	engine Engine
	lane   *lane
	// of the attempt under way
	started, deadline, cancelled time.Time
	runID                        string
	process                      string
	marked, waiting, discarded   bool
	// unsure: it may have been started before; ask the engine first.
	unsure bool
}

// change is what is written when the item's attempt does not end.
func (it *item) change(state store.State, due time.Time) *store.Change {
	return &store.Change{
		Delivery: it.d, State: state, Due: due, RunID: it.runID,
		Attempts: it.d.Attempt, Throttled: it.d.Throttled, FirstAttemptAt: it.d.FirstAttemptAt,
		Attempt: it.d.Last,
	}
}

func (d *Dispatcher) queue(route string) *queue {
	q := d.queues[route]
	if q == nil {
		q = &queue{route: route, groups: map[string]*group{}, backlog: true}
		d.queues[route] = q
	}
	return q
}

// add takes a delivery into memory.
func (d *Dispatcher) add(q *queue, del *store.Delivery) {
	g := q.groups[del.Key]
	if g == nil {
		g = &group{key: del.Key}
		q.groups[del.Key] = g
	}
	it := &item{d: del, q: q, g: g, runID: del.RunID, unsure: del.State != store.Pending}
	g.items = append(g.items, it)
	q.held++
	d.bytes += len(del.Event.Body)
	d.offer(q, g)
}

// offer puts a group in the queue's turn, and the queue in its lane's, when
// something of it can start.
func (d *Dispatcher) offer(q *queue, g *group) {
	if q.lane == nil || g.queued || len(g.items) == 0 || g.running >= q.rule.limit() {
		return
	}
	if g.items[0].d.Due.After(time.Now()) {
		d.sleeping[g] = struct{}{}
		return
	}
	g.queued = true
	q.turn = append(q.turn, g)
	if !q.queued {
		q.queued = true
		q.lane.turn = append(q.lane.turn, q)
	}
}

// pick takes what can start: routes take turns for their engine's places, and
// keys for their route's.
func (d *Dispatcher) pick() (starts []*item) {
	if d.stopping {
		return nil
	}
	for _, l := range d.lanes {
		if len(l.turn) == 0 || !l.up() {
			continue
		}
		for l.running < l.InFlight && len(l.turn) > 0 && len(starts) < startSize {
			starts = append(starts, d.next(l))
		}
	}
	return starts
}

func (d *Dispatcher) next(l *lane) *item {
	q := l.turn[0]
	l.turn = l.turn[1:]
	g := q.turn[0]
	q.turn = q.turn[1:]
	it := g.items[0]
	g.items[0] = nil
	g.items = g.items[1:]

	g.queued, q.queued = false, false
	g.running++
	l.running++
	it.lane, it.engine = l, l.Engine
	d.running[it.d.Seq] = it
	d.offer(q, g)
	if !q.queued && len(q.turn) > 0 {
		q.queued = true
		l.turn = append(l.turn, q)
	}
	return it
}

// unstart ends an item's turn; what becomes of it is the caller's.
func (d *Dispatcher) unstart(it *item) {
	delete(d.running, it.d.Seq)
	if !it.waiting {
		it.lane.running--
	}
	it.waiting = false
	it.g.running--
}

// back returns an item to the head of its group: its attempt did not happen,
// or nobody knows how it ended.
func (d *Dispatcher) back(it *item) {
	d.unstart(it)
	it.started, it.deadline, it.cancelled = time.Time{}, time.Time{}, time.Time{}
	it.g.items = slices.Insert(it.g.items, 0, it)
	if it.q.groups[it.g.key] != it.g {
		it.q.groups[it.g.key] = it.g
	}
	d.offer(it.q, it.g)
}

// drop forgets an item that left memory.
func (d *Dispatcher) drop(it *item) {
	it.q.held--
	d.bytes -= len(it.d.Event.Body)
	it.q.dry = false
}

// tidy removes a group that has nothing left.
func (d *Dispatcher) tidy(q *queue, g *group) {
	if len(g.items) == 0 && g.running == 0 {
		delete(d.sleeping, g)
		if q.groups[g.key] == g {
			delete(q.groups, g.key)
		}
	}
}
