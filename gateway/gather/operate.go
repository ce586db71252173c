package gather

import (
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Retry ends the group that a delivery waits in, for a person, and tells whether
// it does wait in one.
func (g *Gatherer) Retry(seq int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, key, _ := g.find(seq)
	if r != nil {
		g.end(r, key)
		g.signal()
	}
	return r != nil
}

// Discard drops a delivery that a person discarded. One whose group has ended
// meanwhile is a part of it nevertheless.
func (g *Gatherer) Discard(seq int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, key, i := g.find(seq)
	if r == nil {
		return
	}
	group := r.open[key]
	g.weigh(r, group.members[i], -1)
	if group.remove(i, time.Now()); len(group.members) == 0 {
		delete(r.open, key)
	}
	g.signal()
}

// Nudge looks into the store for a route, after a person changed something there.
func (g *Gatherer) Nudge(route string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.routes[route]; r != nil {
		r.backlog = true
	}
	g.signal()
}

func (g *Gatherer) find(seq int64) (of *route, key string, i int) {
	for _, r := range g.routes {
		for key, group := range r.open {
			if i := group.find(seq); i >= 0 {
				return r, key, i
			}
		}
	}
	return nil, "", 0
}

// Due is when the group of a delivery ends by the rule, if nothing more comes;
// zero while nobody can tell: what it waits for is in the store, or its route is
// not in force.
func (g *Gatherer) Due(d *store.Delivery) (due time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.routes[d.Route]
	if r == nil || r.rule == nil || !r.known {
		return due
	}
	if open := r.open[d.Key]; open != nil && d.Seq >= open.members[0].Seq {
		return open.due(*r.rule)
	}
	return due
}

// Waiting tells how many deliveries of a route wait in groups, and when the
// first of these ends by the rule.
func (g *Gatherer) Waiting(name string) (n int, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.routes[name]
	if r == nil || r.rule == nil {
		return 0, until
	}
	for _, group := range r.open {
		n += len(group.members)
		if due := group.due(*r.rule); until.IsZero() || due.Before(until) {
			until = due
		}
	}
	return n, until
}
