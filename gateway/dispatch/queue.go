package dispatch

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/store"
)

// lane is an engine with its places and the queues that have something for it.
type lane struct {
	Lane
	running int
	turn    []*queue
	// pause is until when the engine, which is up, gets nothing.
	pause time.Time
}

// takes tells whether the engine takes runs now.
func (l *lane) takes(now time.Time) bool {
	if now.Before(l.pause) {
		return false
	}
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
	rule   *Rule
	lane   *lane // nil while the route is not in force
	groups map[string]*group
	// turn are groups of which something can start; queued: this queue is in
	// its lane's turn; looking: it is in the dispatcher's looks.
	turn            []*group
	queued, looking bool
	// starts are counted by the route's rate; nil without one.
	starts *pace.Starts
	// held counts the deliveries in memory and bytes their size, running ones
	// included but not those that wait for an answer.
	held, bytes int
	// giving counts those on their way back to the store, given all that ever were.
	giving, given int
	// backlog: the store may have more. claiming: it has been asked. nextDue:
	// when it will have more.
	backlog, claiming bool
	nextDue           time.Time
	// paused is until when a claim that failed is not made again, searched
	// when the store was last searched for other keys than those in memory.
	paused, searched time.Time
}

// queue makes the queue of a route, which begins by looking into the store.
func (d *Dispatcher) queue(route string) *queue {
	q := &queue{route: route, rule: &Rule{}, groups: map[string]*group{}, backlog: true}
	d.queues.Put(route, q)
	return q
}

// group is the deliveries of one order key, oldest first.
type group struct {
	key     string
	q       *queue
	items   []*item
	running int
	queued  bool
}

// ready tells whether the group's next delivery may start now, but for its due
// time.
func (g *group) ready() bool { return len(g.items) > 0 && g.running < g.q.rule.limit() }

// longest compares two groups: whose next has been due for longer comes first.
func longest(a, b *group) int {
	if len(a.items) == 0 || len(b.items) == 0 {
		return cmp.Compare(len(a.items), len(b.items)) // nothing can start of one
	}
	x, y := a.items[0].d, b.items[0].d
	return cmp.Or(x.Due.Compare(y.Due), cmp.Compare(x.Seq, y.Seq))
}

// item is a delivery in memory.
type item struct {
	d *store.Delivery
	q *queue
	// unsure: its engine may be running it; ask before starting it.
	unsure bool
	// discarded by a person: whatever becomes of it is not recorded. unwanted:
	// cancelled by one; its attempt is the last.
	discarded, unwanted bool
	// lost counts the runs in a row whose engine went away.
	lost int
}

func newItem(q *queue, del *store.Delivery) *item {
	return &item{d: del, q: q, unsure: del.State != store.Pending}
}

func (it *item) size() int { return itemBytes + len(it.d.Event.Body) + len(it.d.Input) }

// limit is how many runs of one key may go on.
func (r *Rule) limit() int {
	switch {
	case r.Strict:
		return 1
	case r.Concurrency > 0:
		return r.Concurrency
	}
	return math.MaxInt
}

// weigh counts an item in (1) or out (-1).
func (d *Dispatcher) weigh(it *item, n int) {
	it.q.held += n
	it.q.bytes += n * it.size()
	d.bytes += n * it.size()
}

// group finds an item's group or makes it.
func (it *item) group() *group {
	g := it.q.groups[it.d.Key]
	if g == nil {
		g = &group{key: it.d.Key, q: it.q}
		it.q.groups[it.d.Key] = g
	}
	return g
}

// add takes an item into memory, at the head of its key or at the end.
func (d *Dispatcher) add(it *item, head bool) {
	g := it.group()
	if head {
		g.items = slices.Insert(g.items, 0, it)
	} else {
		g.items = append(g.items, it)
	}
	if it.unsure && g.queued && g.items[0] == it {
		g.queued = false // what comes first of it has changed, and so has its place
		g.q.turn = slices.DeleteFunc(g.q.turn, func(other *group) bool { return other == g })
	}
	d.weigh(it, 1)
	d.offer(g)
}

// offer puts a group in the queue's turn, and the queue in its lane's, when
// something of it can start.
func (d *Dispatcher) offer(g *group) {
	q := g.q
	if q.lane == nil || g.queued || !g.ready() {
		return
	}
	if g.items[0].d.Due.After(time.Now()) {
		d.sleeping[g] = struct{}{}
		return
	}
	g.queued = true
	if g.items[0].unsure {
		q.turn = slices.Insert(q.turn, 0, g) // no rate holds it up, so nothing that waits for one may
	} else {
		q.turn = append(q.turn, g)
	}
	q.enter()
}

// enter puts a queue in its lane's turn if it has one of its own: behind those
// of its priority and above.
func (q *queue) enter() {
	if q.queued || len(q.turn) == 0 || q.starts != nil && q.waits(time.Now()) {
		return
	}
	q.queued = true
	at := len(q.lane.turn)
	for at > 0 && q.lane.turn[at-1].rule.Priority < q.rule.Priority {
		at--
	}
	q.lane.turn = slices.Insert(q.lane.turn, at, q)
}

// pick takes what can start: routes of the highest priority take turns for
// their engine's places, and keys for their route's.
func (d *Dispatcher) pick(now time.Time) (starts []*run) {
	for _, l := range d.lanes {
		if len(l.turn) == 0 || !l.takes(now) {
			continue
		}
		for l.running < l.InFlight && len(l.turn) > 0 && len(starts) < startSize {
			if r := d.next(l, now); r != nil {
				starts = append(starts, r)
			}
		}
	}
	return starts
}

// next takes one delivery of the queue whose turn it is; nil when a person
// has discarded it meanwhile.
func (d *Dispatcher) next(l *lane, now time.Time) (r *run) {
	q := l.turn[0]
	l.turn = l.turn[1:]
	q.queued = false
	if len(q.turn) == 0 || q.waits(now) {
		return nil // a tick puts it back
	}
	g := q.turn[0]
	q.turn = q.turn[1:]
	g.queued = false
	if g.ready() && d.running[g.items[0].d.Seq] != nil {
		g.items[0].d.Due = now.Add(pollTime) // discarded and retried: the former run ends first
		d.offer(g)
	} else if g.ready() {
		it := g.items[0]
		g.items[0] = nil
		g.items = g.items[1:]
		r = newRun(it, g, now)
		g.running++
		l.running++
		d.running[it.d.Seq] = r
		if !r.unsure {
			r.count(now)
		}
		d.offer(g)
	}
	q.enter()
	d.look(q)
	return r
}

// tidy removes a group that has nothing left.
func (d *Dispatcher) tidy(g *group) {
	if len(g.items) == 0 && g.running == 0 {
		delete(d.sleeping, g)
		delete(g.q.groups, g.key)
		d.forget(g.q)
	}
}
