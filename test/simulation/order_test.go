package simulation

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// span is a time.
type span struct{ from, to time.Time }

func (s span) has(at time.Time) bool { return !at.Before(s.from) && at.Before(s.to) }

// order (P15): on a route with strict order nothing begins before all that is
// older and has its key has ended. What was accepted while the route was not
// strict has no order.
func (a *audit) order() {
	for name := range a.plan.last.routes {
		groups := map[string][]*store.Delivery{}
		for _, d := range a.deliveries {
			if d.Route == name && !d.Gather {
				groups[d.Key] = append(groups[d.Key], d)
			}
		}
		for _, s := range a.strict(name) {
			for _, g := range groups {
				slices.SortFunc(g, func(x, y *store.Delivery) int { return cmp.Compare(x.Seq, y.Seq) })
				a.inOrder(s, g)
			}
		}
	}
}

// strict are the times in which a route was strict all along, whenever it was
// there.
func (a *audit) strict(route string) (spans []span) {
	open := false
	for _, e := range a.epochs {
		r := e.layout.routes[route]
		to := e.to
		if to.IsZero() {
			to = time.Now().Add(time.Hour)
		}
		switch {
		case r == nil:
		case !r.strict:
			open = false
		case open:
			spans[len(spans)-1].to = to
		default:
			spans, open = append(spans, span{e.from, to}), true
		}
	}
	return spans
}

func (a *audit) inOrder(s span, group []*store.Delivery) {
	for i, later := range group {
		if !s.has(store.TimeOf(later.Seq)) {
			continue
		}
		for _, start := range a.model.starts[later.ID()] {
			if !s.has(start.at) {
				continue
			}
			for _, older := range group[:i] {
				if s.has(store.TimeOf(older.Seq)) && len(a.model.acts[older.ID()]) == 0 && a.end(older).After(start.at) {
					a.fail("P15: %s of %s begins at %v before %s of the same key has ended", later.ID(), later.Route, start.at.Sub(a.start), older.ID())
				}
			}
		}
	}
}

// end is when the gateway first heard of the end that a delivery had; whether it
// could write that down is another matter.
func (a *audit) end(d *store.Delivery) time.Time {
	for _, r := range a.model.reports[d.ID()] {
		ends := r.Kind == engine.Succeeded || r.Failure == engine.Permanent || d.State == store.Dead && r.attempt >= d.Attempt
		for _, rule := range a.rulesIn(d.Route, r.at.Add(-time.Minute), r.at) {
			ends = ends || r.Failure != engine.Throttled && (r.attempt >= rule.attempts || rule.giveUp < time.Hour)
		}
		if ends {
			return r.at
		}
	}
	return d.Last.Ended
}

// slots (P11): every time at which a schedule was due is one event or none, and
// none only for a reason.
func (a *audit) slots() {
	for _, name := range slices.Sorted(maps.Keys(a.plan.last.schedules)) {
		s := &calendar{audit: a, name: name, timing: a.plan.last.schedules[name], fired: map[int64]*store.StoredEvent{}}
		for i := range a.events {
			if e := &a.events[i]; e.Event.Source == "/schedules/"+name && strings.HasPrefix(e.Event.ID, name+"@") {
				s.fired[e.Event.Time.Unix()] = e
			}
		}
		s.check()
	}
}

// calendar is what one schedule did.
type calendar struct {
	*audit
	name   string
	timing *timing
	fired  map[int64]*store.StoredEvent
}

func (c *calendar) check() {
	declared := c.declared()
	if c.plan.jumps { // then nobody can tell what was due when; none fires twice
		return
	}
	for _, at := range slices.Sorted(maps.Keys(c.fired)) {
		slot := time.Unix(at, 0)
		if !slices.ContainsFunc(declared, func(s span) bool { return s.has(slot.Add(-1)) }) {
			c.fail("P11: %s fired for %s, when it was not declared", c.name, slot.UTC())
		}
	}
	for _, s := range declared {
		c.during(s)
	}
	for _, s := range declared {
		c.overlaps(s) // declared again it is new, and knows of no slot before
	}
}

// declared are the times in which the schedule was declared without a pause,
// those in which no gateway ran included.
func (c *calendar) declared() (spans []span) {
	open := false
	for _, e := range c.epochs {
		to := e.to
		if to.IsZero() {
			to = time.Now()
		}
		switch {
		case e.layout.schedules[c.name] == nil:
			open = false
		case open:
			spans[len(spans)-1].to = to
		default:
			spans, open = append(spans, span{e.from, to}), true
		}
	}
	return spans
}

// soon is what firing may take, with a store that stalls a little.
const soon = 15 * time.Second

// during checks each slot of a time in which the schedule was declared.
func (c *calendar) during(s span) {
	known := c.settled(s)
	for i, u := range c.ups {
		from, to := latest(u.from, s.from), u.to
		if to.IsZero() || to.After(s.to) {
			to = s.to
		}
		if !to.After(from) {
			continue
		}
		// A schedule begins when its turn comes: after the others', if it is new.
		for _, slot := range c.timing.slots(latest(from, s.from.Add(time.Second)), to.Add(-soon)) {
			if c.timing.overlap == "allow" && c.calm(slot) {
				c.must(slot, "it was due while the gateway ran")
			}
		}
		if i > 0 && !c.ups[i-1].to.IsZero() && c.ups[i-1].to.After(known) && u.from.After(s.from) && u.from.Add(soon).Before(to) {
			c.missed(c.ups[i-1].to, u.from)
		}
	}
}

// settled is from when on the store surely knows of the schedule.
func (c *calendar) settled(s span) time.Time {
	for _, u := range c.ups {
		from, to := latest(u.from, s.from), u.to
		if to.IsZero() || to.After(s.to) {
			to = s.to
		}
		if to.Sub(from) > soon && c.calm(from) {
			return from.Add(soon - time.Second)
		}
	}
	return s.to
}

// missed checks what became of the slots between two gateways.
func (c *calendar) missed(from, to time.Time) {
	if !c.calm(from) || !c.calm(to) {
		return
	}
	list := c.timing.slots(from, to)
	var late []time.Time
	timely := false
	for _, slot := range list {
		switch age := to.Sub(slot); {
		case age < 55*time.Second:
			timely = true
			if c.timing.overlap == "allow" {
				c.must(slot, "it came due less than a minute before a start")
			}
		case age > 65*time.Second && age < missedWindow-time.Minute:
			late = append(late, slot)
		default:
			timely = timely || age <= 65*time.Second
		}
	}
	if len(late) == 0 || c.timing.overlap != "allow" {
		return
	}
	switch c.timing.missed {
	case "none":
		for _, slot := range late {
			if slot.After(from.Add(time.Second)) && c.fired[slot.Unix()] != nil {
				c.fail("P11: %s fired for %s, which was missed", c.name, slot.UTC())
			}
		}
	case "latest":
		if !timely {
			c.must(late[len(late)-1], "it is the latest that was missed")
		}
	case "all": // a hundred, those that came due just now among them
		for _, slot := range late[min(len(late), max(0, len(list)-90)):] {
			c.must(slot, "all that is missed is made up for")
		}
	}
}

func (c *calendar) must(slot time.Time, why string) {
	if c.fired[slot.Unix()] == nil {
		c.fail("P11: %s did not fire for %s: %s", c.name, slot.UTC(), why)
	}
}

// calm: the store did not stall about then.
func (c *calendar) calm(at time.Time) bool {
	return !slices.ContainsFunc(c.stalls, func(s time.Time) bool { return s.Sub(at).Abs() < 40*time.Second })
}

// overlaps: unless it may, none is fired while the one before has not ended.
func (c *calendar) overlaps(s span) {
	if c.timing.overlap == "allow" {
		return
	}
	all := slices.SortedFunc(maps.Values(c.fired), func(x, y *store.StoredEvent) int { return cmp.Compare(x.Seq, y.Seq) })
	for i := 1; i < len(all); i++ {
		accepted := store.TimeOf(all[i].Seq)
		if !s.has(accepted) || !s.has(store.TimeOf(all[i-1].Seq)) {
			continue
		}
		for _, d := range c.of[all[i-1].Seq] {
			if !d.Last.Ended.After(accepted.Add(grain)) || len(c.model.acts[d.ID()]) > 0 {
				continue
			}
			// What waits for a route that is not declared does not count.
			from, to := accepted.Add(-grain), accepted.Add(grain)
			if len(c.rulesIn(d.Route, from, to)) == c.epochsIn(from, to) {
				c.fail("P11: %s was fired at %v while %s of %s had not ended, which it did at %v", all[i].Event.ID, accepted.Sub(c.start), d.ID(), all[i-1].Event.ID, d.Last.Ended.Sub(c.start))
			}
		}
	}
}

func (w *world) epochsIn(from, to time.Time) (n int) {
	for _, e := range w.epochs {
		if !e.from.After(to) && (e.to.IsZero() || !e.to.Before(from)) {
			n++
		}
	}
	return n
}
