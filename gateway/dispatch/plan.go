package dispatch

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Apply puts a plan in force. Runs that go on are not touched; deliveries of
// routes that are gone return to the store until the route does.
func (d *Dispatcher) Apply(p *Plan) {
	d.mu.Lock()
	order := d.order(p)
	d.applyLanes(p)
	d.applyRates(p, time.Now())
	for _, q := range slices.Clone(d.queues.All()) {
		if _, ok := p.Routes[q.route]; !ok {
			d.empty(q)
			q.lane = nil
			d.forget(q)
		}
	}
	for _, name := range order {
		d.applyRule(name, p.Routes[name])
	}
	d.mu.Unlock()
	d.signal()
}

// order of the routes of a plan: as their turns are, or who is next would never
// be while plans follow each other; the others by name.
func (d *Dispatcher) order(p *Plan) (names []string) {
	place := map[string]int{}
	for _, l := range d.lanes {
		for i, q := range l.turn {
			place[q.route] = i - len(l.turn)
		}
	}
	names = slices.Collect(maps.Keys(p.Routes))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(place[a]-place[b], strings.Compare(a, b)) })
	return names
}

func (d *Dispatcher) applyLanes(p *Plan) {
	for name := range d.lanes {
		if _, ok := p.Engines[name]; !ok {
			delete(d.lanes, name)
		}
	}
	for name, l := range p.Engines {
		if d.lanes[name] == nil {
			d.lanes[name] = &lane{}
		}
		d.lanes[name].Lane, d.lanes[name].turn = l, nil
	}
}

func (d *Dispatcher) applyRule(route string, rule Rule) {
	q := d.queues.Get(route)
	if q == nil {
		q = d.queue(route)
	}
	l := d.lanes[rule.Engine]
	if l == nil || q.rule.Strict != rule.Strict {
		d.empty(q) // memory has another order than the store will give
	}
	groups := q.inTurn()
	q.rule, q.lane, q.turn, q.queued, q.starts = &rule, l, nil, false, nil
	if rule.Rate.Count > 0 {
		q.starts = d.starts[route]
	}
	for _, g := range groups {
		g.queued = false
		d.offer(g)
	}
	d.look(q)
}

// inTurn are the groups of a queue: those that can start as their turns are,
// then the others, the oldest first.
func (q *queue) inTurn() []*group {
	groups, turns := slices.Clone(q.turn), len(q.turn)
	for _, g := range q.groups {
		if !g.queued && len(g.items) > 0 {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups[turns:], longest)
	return groups
}

// empty gives what waits in a queue back to the store; runs go on.
func (d *Dispatcher) empty(q *queue) {
	for _, g := range q.groups {
		items := g.items
		g.items = nil
		for _, it := range items {
			d.weigh(it, -1)
			d.giveBack(it)
		}
		d.tidy(g)
	}
	d.more(q)
}

// giveBack leaves a delivery that memory does not hold any more to the store.
// It is for Run to record that: callers may be the writer, which must not wait
// for itself.
func (d *Dispatcher) giveBack(it *item) {
	c := it.change(it.state())
	c.Committed = d.returned(it)
	d.returns = append(d.returns, c)
}

// returned makes the Committed of a change that leaves a delivery to the
// store: from then on a claim finds it.
func (d *Dispatcher) returned(it *item) func() {
	q, due := it.q, it.d.Due
	q.giving++
	q.given++
	return func() {
		d.mu.Lock()
		q.giving--
		if now := time.Now(); due.After(now) && !q.rule.Strict {
			q.sleepUntil(due)
		} else {
			d.more(q)
		}
		d.forget(q)
		d.mu.Unlock()
		d.signal()
	}
}

// forget removes a queue that is not in force and has nothing left: nothing
// held, nothing running, nothing on its way from or to the store.
func (d *Dispatcher) forget(q *queue) {
	if q.lane == nil && len(q.groups) == 0 && !q.claiming && q.giving == 0 && d.queues.Get(q.route) == q {
		d.queues.Delete(q.route)
	}
}

// state that the store should have of a delivery that does not run here.
func (it *item) state() store.State {
	if it.unsure {
		return store.Running
	}
	return store.Pending
}

// change is what is written of a delivery between its attempts.
func (it *item) change(state store.State) *store.Change {
	return &store.Change{
		Delivery: it.d, State: state, Due: it.d.Due, RunID: it.d.RunID,
		Attempts: it.d.Attempt, Throttled: it.d.Throttled, FirstAttemptAt: it.d.FirstAttemptAt,
		Attempt: it.d.Last,
	}
}
