// Package intake is the one way in: it matches an event against the routes,
// commits it with its deliveries, and by that hands it over to dispatch. All
// sources end here; nothing is acknowledged before the commit.
package intake

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/store"
)

// Store is where events go.
type Store interface {
	Append(ctx context.Context, e *store.Entry) (store.Receipt, error)
	AppendAll(ctx context.Context, es []*store.Entry) ([]store.Receipt, error)
}

// Rules are the routes of one configuration revision.
type Rules struct {
	Table    *route.Table
	Revision string
	// MaxPending bounds the open deliveries of the routes that ask for it.
	MaxPending map[string]int
}

// Intake accepts events.
type Intake struct {
	store   Store
	rules   func() *Rules
	pending func(route string) int
	log     *zap.Logger
	counts  Counts
}

// Counts are what intake has seen since the gateway started.
type Counts struct {
	Accepted, Duplicates, Conflicts, Refused, Unrouted atomic.Uint64
}

// New makes an intake. rules gives the routes in force; pending tells how many
// deliveries of a route are open.
func New(s Store, rules func() *Rules, pending func(route string) int, log *zap.Logger) *Intake {
	return &Intake{store: s, rules: rules, pending: pending, log: log}
}

// Counts so far.
func (in *Intake) Counts() *Counts { return &in.counts }

// Accept routes and commits one event. It returns when the event is on disk;
// the errors are those of store.Append.
func (in *Intake) Accept(ctx context.Context, ev *event.Event, keys []store.Key, digest store.Digest) (store.Receipt, error) {
	e, err := in.entry(ev)
	if err != nil {
		in.counts.Refused.Add(1)
		return store.Receipt{}, err
	}
	e.Keys, e.Digest = keys, digest
	return in.append(ctx, e)
}

// AcceptAll routes and commits several events, all of them or none. Of the
// entries, Event, Keys and Digest are given.
func (in *Intake) AcceptAll(ctx context.Context, es []*store.Entry) ([]store.Receipt, error) {
	for i, e := range es {
		routed, err := in.entry(e.Event)
		if err != nil {
			in.counts.Refused.Add(1)
			return nil, err
		}
		routed.Keys, routed.Digest = e.Keys, e.Digest
		es[i] = routed
	}
	receipts, err := in.store.AppendAll(ctx, es)
	if err != nil {
		in.count(store.Receipt{}, err)
		return nil, err
	}
	for _, receipt := range receipts {
		in.count(receipt, nil)
	}
	return receipts, nil
}

// Fire accepts an event of a schedule: once, whoever fires it and however often.
// With it the slot is remembered, unless that is nil.
func (in *Intake) Fire(ctx context.Context, ev *event.Event, slot *store.Slot) (store.Receipt, error) {
	e, err := in.entry(ev)
	if err != nil {
		in.counts.Refused.Add(1)
		return store.Receipt{}, err
	}
	// No digest: the same slot is the same event, whatever its data says by now.
	e.Slot = slot
	return in.append(ctx, e)
}

func (in *Intake) append(ctx context.Context, e *store.Entry) (store.Receipt, error) {
	receipt, err := in.store.Append(ctx, e)
	in.count(receipt, err)
	return receipt, err
}

func (in *Intake) count(receipt store.Receipt, err error) {
	switch {
	case errors.Is(err, store.ErrConflict):
		in.counts.Conflicts.Add(1)
	case err != nil:
		in.counts.Refused.Add(1)
	case receipt.Duplicate:
		in.counts.Duplicates.Add(1)
	default:
		in.counts.Accepted.Add(1)
		if receipt.Deliveries == 0 {
			in.counts.Unrouted.Add(1)
		}
	}
}

// entry routes an event from outside; a route that is full refuses it.
func (in *Intake) entry(ev *event.Event) (*store.Entry, error) {
	rules := in.rules()
	e := in.route(rules, ev)
	return e, in.room(rules, e)
}

// room: a route that is full fails with store.ErrBacklog.
func (in *Intake) room(rules *Rules, e *store.Entry) error {
	for _, d := range e.Deliveries {
		if most := rules.MaxPending[d.Route]; most > 0 && in.pending(d.Route) >= most {
			return store.ErrBacklog
		}
	}
	return nil
}

// Replay accepts an event that repeats another, for the routes that may take
// it. One that takes none of them is not stored: there is no entry then.
func (in *Intake) Replay(ctx context.Context, ev *event.Event, may func(route string) bool) (*store.Entry, store.Receipt, error) {
	rules := in.rules()
	e := in.route(rules, ev)
	e.Deliveries = slices.DeleteFunc(e.Deliveries, func(d *store.Delivery) bool { return !may(d.Route) })
	if len(e.Deliveries) == 0 {
		return nil, store.Receipt{}, nil
	}
	if err := in.room(rules, e); err != nil {
		in.counts.Refused.Add(1)
		return nil, store.Receipt{}, err
	}
	e.Digest = store.DigestOf(ev.Body)
	receipt, err := in.append(ctx, e)
	return e, receipt, err
}

// Route makes an entry of an event of the gateway's own, such as a dead
// letter, which nothing may refuse.
func (in *Intake) Route(ev *event.Event) *store.Entry { return in.route(in.rules(), ev) }

// Merge makes an entry of deliveries of one route and key that gathered, oldest
// first: an event of all theirs with a delivery that runs. It fails when the
// route cannot make an input of them.
func (in *Intake) Merge(members []*store.Delivery) (*store.Entry, error) {
	oldest, events := members[0], make([]*event.Event, len(members))
	for i, d := range members {
		events[i] = d.Event
	}
	rules := in.rules()
	d := &store.Delivery{
		Route: oldest.Route, Engine: oldest.Engine, Workflow: oldest.Workflow, Input: oldest.Input, Key: oldest.Key,
	}
	e := &store.Entry{Event: event.Group(store.GroupID(oldest.Seq), events), Revision: rules.Revision, Deliveries: []*store.Delivery{d}}
	e.Digest = store.DigestOf(e.Event.Body)
	r := rules.Table.Route(d.Route)
	switch {
	case (r == nil || !r.Gather) && len(members) > 1:
		return nil, errors.New("its route has no debounce any more")
	case r == nil || !r.Gather:
		return e, nil // as it was accepted
	}
	d.Engine, d.Workflow = r.Engine, r.Workflow
	var err error
	d.Input, err = r.Input(e.Event)
	return e, err
}

func (in *Intake) route(rules *Rules, ev *event.Event) *store.Entry {
	// As the store keeps it: a run that begins from there, after a restart, is of
	// the same event to the letter.
	ev.Time = ev.Time.UTC().Truncate(time.Microsecond)
	hits, misses := rules.Table.Match(ev)
	for _, m := range misses {
		in.log.Warn("a route could not tell and does not match",
			zap.String("event", ev.ID), zap.String("type", ev.Type), zap.String("route", m.Route.Name), zap.Error(m.Err))
	}
	e := &store.Entry{Event: ev, Revision: rules.Revision}
	if len(hits) == 0 {
		return e
	}
	e.Deliveries = make([]*store.Delivery, len(hits))
	for i, h := range hits {
		e.Deliveries[i] = &store.Delivery{
			Route: h.Route.Name, Engine: h.Route.Engine, Workflow: h.Route.Workflow, Input: h.Input, Key: h.Key, Gather: h.Route.Gather,
		}
	}
	return e
}
