package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// audit is what the model holds against the store when all has come to its end.
type audit struct {
	*world
	events     []store.StoredEvent
	deliveries map[int64]*store.Delivery // by number
	of         map[int64][]*store.Delivery
	attempts   map[int64][]store.Attempt
	bySource   map[string][]*store.StoredEvent // those that are no conflict
}

// grain is how exactly the store remembers when it accepted something.
const grain = 2 * time.Millisecond

func (w *world) audit(h *history) {
	a := &audit{
		world: w, deliveries: map[int64]*store.Delivery{}, of: map[int64][]*store.Delivery{},
		attempts: map[int64][]store.Attempt{}, bySource: map[string][]*store.StoredEvent{},
	}
	if err := a.read(); err != nil {
		w.fail("the store is not read: %v", err)
		return
	}
	for _, s := range w.sent {
		a.sending(s)
	}
	a.stored()
	for _, d := range a.deliveries {
		a.delivery(d)
	}
	a.order()
	a.groups()
	a.slots()
	h.counts["histories"] = 1
	h.counts["sendings"] = len(w.sent)
	h.counts["events"] = len(a.events)
	h.counts["deliveries"] = len(a.deliveries)
	h.counts["gateways"] = w.n
	for _, d := range a.deliveries {
		h.counts[d.State.String()]++
		h.counts["attempts"] += d.Attempt
	}
}

func (a *audit) read() (err error) {
	ctx, in := a.background(), a.current.Load()
	all := store.Page{Limit: 1 << 20, OldestFirst: true}
	if a.events, err = in.store.Events(ctx, store.EventFilter{Page: all}); err != nil {
		return err
	}
	for i := range a.events {
		if e := &a.events[i]; !e.Conflict {
			name := e.Event.Source + " " + e.Event.ID
			a.bySource[name] = append(a.bySource[name], e)
		}
	}
	list, err := in.store.Deliveries(ctx, store.DeliveryFilter{Page: all})
	for _, d := range list {
		a.deliveries[d.Seq], a.of[d.EventSeq] = d, append(a.of[d.EventSeq], d)
		if _, a.attempts[d.Seq], err = in.store.Delivery(ctx, d.Seq); err != nil {
			return err
		}
	}
	return err
}

// sending (P1, P4, P5): what a sender was told is what the store has.
func (a *audit) sending(s *sending) {
	stored := a.bySource[s.source()+" "+s.id]
	within := func(e *store.StoredEvent) bool {
		at := store.TimeOf(e.Seq)
		return bytes.Equal(e.Event.Body, s.body) && !at.Before(s.at.Add(-grain)) && !at.After(s.answered.Add(grain))
	}
	switch {
	case s.bad != "":
		if len(stored) > 0 || s.status/100 == 2 || s.status/100 == 5 {
			a.fail("P5: %s, which was %s, is answered %d and stored %d times", s.id, s.bad, s.status, len(stored))
		}
	case s.status == 0:
	case s.status == 202 && s.duplicate:
		a.duplicate(s)
	case s.status == 202:
		i := slices.IndexFunc(stored, within)
		if i < 0 {
			a.fail("P1: %s %s was accepted and is not there", s.hook, s.id)
			return
		}
		a.revision(s, stored[i])
	case s.status == 409:
		if !slices.ContainsFunc(a.events, func(e store.StoredEvent) bool { return e.Conflict && e.Event.ID == s.id && within(&e) }) {
			a.fail("P4: %s was answered 409 and is not kept", s.id)
		}
		if !slices.ContainsFunc(a.events, func(e store.StoredEvent) bool {
			return !e.Conflict && a.same(s, &e) && !bytes.Equal(e.Event.Body, s.body)
		}) {
			a.fail("P4: %s was answered 409 and nothing else came under its id", s.id)
		}
	case s.status == 503:
		if !s.unsure && len(a.legit[s.source()+" "+s.id]) == 1 && len(stored) > 0 {
			a.fail("P1: %s was answered 503 and is stored", s.id)
		}
	default:
		a.fail("%s, which is well signed, is answered %d", s.id, s.status)
	}
}

// same tells whether a sending is known by what an event came with: its id, and
// where that is not signed its body.
func (a *audit) same(s *sending, e *store.StoredEvent) bool {
	if e.Event.Source != s.source() {
		return false
	}
	return e.Event.ID == s.id || s.hook == "gh" && bytes.Equal(e.Event.Body, s.body)
}

// duplicate: the first one came not longer ago than the window.
func (a *audit) duplicate(s *sending) {
	for i := range a.events {
		e := &a.events[i]
		age := s.answered.Sub(store.TimeOf(e.Seq))
		if !e.Conflict && e.Event.ID == s.eventID && a.same(s, e) && bytes.Equal(e.Event.Body, s.body) && age > -grain && s.at.Sub(store.TimeOf(e.Seq)) < a.plan.window+grain {
			return
		}
	}
	a.fail("P4: %s was called a duplicate of %s, which did not come within %v", s.id, s.eventID, a.plan.window)
}

// revision (P6): an event was routed by a configuration that was in force.
func (a *audit) revision(s *sending, e *store.StoredEvent) {
	for _, epoch := range a.epochs {
		if epoch.revision == e.Revision && !epoch.from.After(s.answered) && (epoch.to.IsZero() || !epoch.to.Before(s.at)) {
			return
		}
	}
	a.fail("P6: %s was routed by %s, which was not in force then", s.id, e.Revision)
}

// stored (P4, P5, P11): all that is stored has been sent, once in a window, and
// has the deliveries that it must have.
func (a *audit) stored() {
	type first struct {
		e  *store.StoredEvent
		by string
	}
	before := map[string]first{}
	for i := range a.events {
		e := &a.events[i]
		if why := a.unknown(e.Event); why != "" {
			a.fail("P5: %s %s is stored: %s", e.Event.Source, e.Event.ID, why)
		}
		if e.Conflict {
			if len(a.of[e.Seq]) > 0 {
				a.fail("P4: %s is a conflict and has deliveries", e.Event.ID)
			}
			continue
		}
		keys := []string{"id " + e.Event.Source + " " + e.Event.ID}
		if e.Event.Source == "/webhooks/gh" && !store.IsGroup(e.Event.ID) {
			keys = append(keys, "body "+string(e.Event.Body))
		}
		for _, k := range keys {
			if was, ok := before[k]; ok {
				apart := store.TimeOf(e.Seq).Sub(store.TimeOf(was.e.Seq))
				// A schedule that was forgotten while the clock went back begins anew.
				inside := strings.HasPrefix(e.Event.Source, "/schedules") && !a.plan.jumps || e.Event.Source == "/gateway" || store.IsGroup(e.Event.ID) || apart < a.plan.window-grain
				if inside {
					a.fail("P4: %s and %s are stored %v apart, known by the same %s", was.e.Event.ID, e.Event.ID, apart, k)
				}
			}
			before[k] = first{e, k}
		}
		if !store.IsGroup(e.Event.ID) {
			a.routed(e)
		}
	}
}

// routed: an event has a delivery for each route that it takes, and no other.
func (a *audit) routed(e *store.StoredEvent) {
	i := slices.IndexFunc(a.epochs, func(x epoch) bool { return x.revision == e.Revision })
	if i < 0 {
		a.fail("P6: %s was routed by %s, which never was in force", e.Event.ID, e.Revision)
		return
	}
	l := a.epochs[i].layout
	var got []string
	for _, d := range a.of[e.Seq] {
		got = append(got, d.Route)
		rule := l.routes[d.Route]
		if rule == nil {
			continue
		}
		if gathers := rule.wait > 0; gathers != d.Gather {
			a.fail("P1: %s for %s gathers: %t, by its route: %t", e.Event.ID, d.Route, d.Gather, gathers)
		}
		if input := rule.inputFor(e.Event.Body); input != string(d.Input) {
			a.fail("%s for %s has the input %s, and not %s", e.Event.ID, d.Route, d.Input, input)
		}
		if want := rule.keyFor(e.Event.Body); d.Key != want {
			a.fail("P15: %s for %s has the key %q, and not %q", e.Event.ID, d.Route, d.Key, want)
		}
	}
	slices.Sort(got)
	if want := l.takers(e.Event.Type); !slices.Equal(got, want) {
		a.fail("P1: %s (%s) has deliveries for %v, and takes %v", e.Event.ID, e.Event.Type, got, want)
	}
}

func (r *rule) inputFor(body []byte) string {
	var data struct{ N int }
	if !r.input || json.Unmarshal(body, &data) != nil {
		return ""
	}
	return fmt.Sprintf(`{"n":%d}`, data.N)
}

func (r *rule) keyFor(body []byte) string {
	var data struct{ Key string }
	if !r.key || json.Unmarshal(body, &data) != nil {
		return ""
	}
	return data.Key
}

// delivery (P1, P12): it has come to an end that has a reason, and its history
// is whole.
func (a *audit) delivery(d *store.Delivery) {
	m, key := a.model, d.ID()
	history := a.attempts[d.Seq]
	for i, at := range history {
		if at.Number != i+1 {
			a.fail("P12: %s: attempt %d is number %d: %+v of %+v", key, i+1, at.Number, at, *d)
		}
	}
	if len(history) != d.Attempt && d.State != store.Discarded {
		a.fail("P12: %s (%s) had %d attempts, of which %d are kept", key, d.State, d.Attempt, len(history))
	}
	switch d.State {
	case store.Succeeded:
		if !m.succeeded[key] {
			a.fail("P1: %s succeeded, says the store, and no engine has done it", key)
		}
	case store.Merged:
		if !d.Gather || len(m.starts[key]) > 0 {
			a.fail("debounce: %s became a part of a group, and ran %d times by itself", key, len(m.starts[key]))
		}
	case store.Dead:
		a.reason(d)
		a.letter(d)
	case store.Discarded:
		if !slices.ContainsFunc(m.acts[key], func(x act) bool { return x.what == "discard" }) {
			a.fail("P12: %s was discarded, and by nobody", key)
		}
	default:
		a.fail("P1: %s for %s is %s in the end", key, d.Route, d.State)
	}
}

// reason why a delivery is dead.
func (a *audit) reason(d *store.Delivery) {
	m, key := a.model, d.ID()
	if d.Last.Outcome == "" || d.Last.Message == "" && d.Last.Outcome != "throttled" {
		a.fail("P12: %s is dead and does not say why: %+v", key, d.Last)
	}
	last, heard := m.lastReport(key, d.Attempt)
	switch d.Last.Outcome {
	case "permanent":
		if !heard || last.Failure != engine.Permanent {
			a.fail("P12: %s died for good, and no engine said so", key)
		}
		return
	case "cancelled":
		if len(m.acts[key]) == 0 {
			a.fail("P12: %s was cancelled, and by nobody", key)
		}
		return
	}
	if len(m.acts[key]) > 0 || len(m.starts[key]) == 0 {
		return
	}
	least := 1 << 30
	for _, rule := range a.rulesIn(d.Route, m.starts[key][0].at.Add(-underWay), d.Last.Ended) {
		least = min(least, rule.attempts)
		if d.Last.Ended.Add(max(rule.pause(d.Attempt), last.RetryAfter)).Sub(d.FirstAttemptAt) > rule.giveUp-time.Second {
			return
		}
	}
	if d.Attempt-d.Throttled < least {
		a.fail("P12: %s is dead after %d attempts that count, of %d", key, d.Attempt-d.Throttled, least)
	}
}

// underWay is how long before a run begins the rule may have been taken that it
// runs by: its start may have to be written first.
const underWay = 5 * time.Second

// letter: a delivery that died has made an event that says so.
func (a *audit) letter(d *store.Delivery) {
	var ev *store.StoredEvent
	for i := range a.events {
		if a.events[i].Seq == d.EventSeq {
			ev = &a.events[i]
		}
	}
	if ev == nil {
		a.fail("P12: %s is dead and its event is gone", d.ID())
		return
	}
	if ev.Event.Source == "/gateway" {
		return
	}
	letters := a.bySource[fmt.Sprintf("/gateway %s.%d", d.ID(), d.Attempt)]
	if len(letters) != 1 {
		a.fail("P12: %s is dead, and %d events say so", d.ID(), len(letters))
		return
	}
	var said struct {
		Delivery, Route string
		Attempts        int
		Message         string
		Event           struct{ ID string }
	}
	if err := json.Unmarshal(letters[0].Event.Body, &said); err != nil || said.Delivery != d.ID() || said.Attempts != d.Attempt ||
		said.Route != d.Route || said.Message != d.Last.Message || said.Event.ID != ev.Event.ID {
		a.fail("P12: %s is dead, and what is said of it is %s", d.ID(), letters[0].Event.Body)
	}
}
