package gather

import (
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/store"
)

// merge has a group written as one event. Of one that the route can make no
// input of, the halves may do: each member did alone when it was accepted.
func (g *Gatherer) merge(e ended) {
	into, err := g.opts.Merge(e.members)
	switch half := len(e.members) / 2; {
	case err == nil:
		g.record(e, e.changes(into))
	case half > 0:
		g.merge(ended{e.of, e.members[:half]})
		g.merge(ended{e.of, e.members[half:]})
	default:
		g.record(e, []*store.Change{g.dead(e.members[0], err)})
	}
}

// changes end all members, with the event that they become.
func (e ended) changes(into *store.Entry) []*store.Change {
	now := time.Now()
	changes := make([]*store.Change, len(e.members))
	for i, d := range e.members {
		changes[i] = &store.Change{
			Delivery: d, State: store.Merged, Due: d.Due,
			Attempt: store.Attempt{Ended: now, Outcome: outcome.Merged, Message: into.Event.ID},
		}
	}
	changes[0].Emit = into
	return changes
}

// dead ends a delivery that the route can make no input of.
func (g *Gatherer) dead(d *store.Delivery, cause error) *store.Change {
	now := time.Now()
	d.Attempt++
	d.FirstAttemptAt = now
	d.Last = store.Attempt{
		Number: d.Attempt, Started: now, Ended: now, Outcome: outcome.Permanent, Message: outcome.Clip(cause.Error()),
	}
	c := &store.Change{
		Delivery: d, State: store.Dead, Due: d.Due, Attempts: d.Attempt, Throttled: d.Throttled, FirstAttemptAt: now,
		Attempt: d.Last, AttemptEnded: true,
	}
	outcome.Log(g.opts.Log, c)
	if letter := outcome.DeadLetter(d, d.Engine, d.Workflow); letter != nil {
		c.Emit = g.opts.Route(letter)
	}
	return c
}

// record has changes written as one, and told to who follows.
func (g *Gatherer) record(e ended, changes []*store.Change) {
	then := []func(){func() { g.merged(e) }}
	for _, c := range changes {
		if tell := g.opts.Follow(c); tell != nil {
			then = append(then, tell)
		}
	}
	first := changes[0]
	first.Also, first.Urgent = changes[1:], true
	first.Committed = func() {
		for _, do := range then {
			do()
		}
	}
	g.opts.Store.Record(first)
}

// merged forgets the members of a group that is on disk.
func (g *Gatherer) merged(e ended) {
	g.mu.Lock()
	for _, d := range e.members {
		g.weigh(e.of, d, -1)
	}
	g.mu.Unlock()
	g.signal()
}
