package simulation

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// membersOf are the events that one event is made of.
func membersOf(ev *event.Event) (members []*event.Event) {
	var body struct {
		Events []struct {
			ID, Source, Type string
			Time             time.Time
			Data             json.RawMessage
		}
	}
	if json.Unmarshal(ev.Body, &body) != nil || len(body.Events) == 0 {
		return []*event.Event{{ID: "none", Source: "nowhere"}}
	}
	for _, m := range body.Events {
		members = append(members, &event.Event{ID: m.ID, Source: m.Source, Type: m.Type, Time: m.Time, Body: m.Data})
	}
	return members
}

// groups: what gathered is in one group, whole, in its order; and no group ended
// before its time or long after it.
func (a *audit) groups() {
	merged := map[string][]*store.Delivery{} // by group
	for _, d := range a.deliveries {
		if d.State == store.Merged {
			merged[d.Last.Message] = append(merged[d.Last.Message], d)
		}
	}
	for i := range a.events {
		if e := &a.events[i]; store.IsGroup(e.Event.ID) {
			a.group(e, merged[e.Event.ID])
			delete(merged, e.Event.ID)
		}
	}
	for id, members := range merged {
		a.fail("debounce: %d deliveries are in %s, and it is not there", len(members), id)
	}
}

func (a *audit) group(e *store.StoredEvent, members []*store.Delivery) {
	slices.SortFunc(members, func(x, y *store.Delivery) int { return int(x.Seq - y.Seq) })
	var want, got []string
	for _, d := range members {
		want = append(want, d.EventID)
		if len(a.model.acts[d.ID()]) > 0 {
			return // people may take one out of a group, put it into another, and end it
		}
	}
	for _, m := range membersOf(e.Event) {
		got = append(got, m.ID)
	}
	ds := a.of[e.Seq]
	all := len(got)
	if len(ds) == 1 {
		got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) && a.discarded(id, ds[0].Route) })
	}
	switch {
	case len(got) == 0 && len(want) == 0:
		return
	case !slices.Equal(got, want):
		a.fail("debounce: %s is of %v, and its members are %v", e.Event.ID, got, want)
		return
	case len(got) == all && e.Event.ID != store.GroupID(members[0].Seq):
		a.fail("debounce: %s does not name its oldest member %s", e.Event.ID, members[0].ID())
	case len(ds) != 1 || ds[0].Gather:
		a.fail("debounce: %s has %d deliveries", e.Event.ID, len(ds))
		return
	}
	for _, d := range members {
		if d.Route != ds[0].Route || d.Key != ds[0].Key {
			a.fail("debounce: %s of %s, key %q, is in a group of %s, key %q", d.ID(), d.Route, d.Key, ds[0].Route, ds[0].Key)
		}
	}
	a.inTime(e, ds[0].Route, members)
}

// inTime: a group ends when there was a pause, or when it took too long.
func (a *audit) inTime(e *store.StoredEvent, route string, members []*store.Delivery) {
	first, last := store.TimeOf(members[0].Seq), store.TimeOf(members[len(members)-1].Seq)
	at := store.TimeOf(e.Seq)
	rules := a.rulesIn(route, last.Add(-underWay), at)
	early, late := time.Time{}, time.Time{}
	if a.acted(route, at.Add(-time.Second), at) {
		return // people may end a group
	}
	for _, r := range rules {
		if r.wait == 0 {
			return // it has no debounce any more
		}
		due := earliest(last.Add(r.wait), first.Add(r.most))
		if early.IsZero() || due.Before(early) {
			early = due
		}
		late = latest(late, due)
	}
	if at.Before(early.Add(-grain)) {
		a.fail("debounce: %s of %s, from %v to %v, ended at %v, %v too early", e.Event.ID, route, first.Sub(a.start), last.Sub(a.start), at.Sub(a.start), early.Sub(at))
	}
	// Downtime, and a store that stalls, put it off.
	if a.upAll(route, late, late.Add(time.Second)) && at.After(late.Add(time.Second)) {
		a.fail("debounce: %s of %s, from %v to %v, ended at %v, %v too late", e.Event.ID, route, first.Sub(a.start), last.Sub(a.start), at.Sub(a.start), at.Sub(late))
	}
}

// discarded: the delivery of an event for a route was, by a person. When its
// group has ended before, it runs as a part of it all the same.
func (a *audit) discarded(id, route string) bool {
	for _, d := range a.deliveries {
		if d.EventID == id && d.Route == route && d.Gather && d.State == store.Discarded {
			return true
		}
	}
	return false
}

// acted: a person did something to a delivery of the route meanwhile.
func (a *audit) acted(route string, from, to time.Time) bool {
	for key, acts := range a.model.acts {
		if d := a.deliveries[seqOf(key)]; d != nil && d.Route == route &&
			slices.ContainsFunc(acts, func(x act) bool { return x.at.After(from) && x.at.Before(to.Add(time.Second)) }) {
			return true
		}
	}
	return false
}

// upAll: a gateway ran all the time, the route was in force, and the store did
// not stall; for a while before, too.
func (a *audit) upAll(route string, from, to time.Time) bool {
	from = from.Add(-time.Second)
	if slices.ContainsFunc(a.stalls, func(s time.Time) bool { return s.After(from.Add(-5*time.Second)) && s.Before(to) }) {
		return false
	}
	up := slices.ContainsFunc(a.ups, func(u *up) bool { return !u.from.After(from) && (u.to.IsZero() || !u.to.Before(to)) })
	return up && len(a.rulesIn(route, from, to)) == a.epochsIn(from, to)
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
