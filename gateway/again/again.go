// Package again brings events in once more: stored ones that somebody selects,
// or those of an export, through the routes in force. It is a part of gateway,
// which composes.
package again

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/api/replay"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/store"
)

// Store is what of the store a replay needs.
type Store interface {
	Events(ctx context.Context, f store.EventFilter) ([]store.StoredEvent, error)
	EventByID(ctx context.Context, id string) (*store.StoredEvent, []*store.Delivery, error)
	Deliveries(ctx context.Context, f store.DeliveryFilter) ([]*store.Delivery, error)
	Again(ctx context.Context, seq int64, before time.Time) (*store.Delivery, error)
}

// Past is what the gateway remembers, and can bring in once more.
type Past struct {
	Store
	Intake *intake.Intake
	Rules  func() *intake.Rules
	// Due is told of a delivery that is to run once more, or why it is not.
	Due func(d *store.Delivery, err error) error
	// Document in force.
	Document func() *config.Document
}

// Config is the configuration in force, as it is written.
func (p Past) Config() replay.Written { return Written(p.Document()) }

// Written is a configuration as it is written.
func Written(doc *config.Document) replay.Written {
	files, overlay := doc.Texts()
	return replay.Written{Revision: doc.Revision[:12], File: doc.Path, Files: pieces(files), Overlay: pieces(overlay)}
}

func pieces(texts []config.Text) []replay.Piece {
	list := make([]replay.Piece, len(texts))
	for i, t := range texts {
		list[i] = replay.Piece{Name: t.Name, Text: t.Text}
	}
	return list
}

// Attributes that mark an event as a replay: of which event, and by which
// replay. Routes can match on them.
const (
	OfAttribute     = "replayof"
	ReplayAttribute = "replayid"
)

// Replay implements replay.Past.
func (p Past) Replay(ctx context.Context, o replay.Order) (page replay.Round, err error) {
	r := &round{Past: p, o: o, page: &page}
	switch {
	case o.ID != "":
		return page, r.byID(ctx)
	case o.Given != nil:
		return page, r.given(ctx)
	case o.Dead || o.Route != "":
		return page, r.byDelivery(ctx)
	}
	return page, r.byEvent(ctx)
}

// round is one page of a replay.
type round struct {
	Past
	o    replay.Order
	page *replay.Round
}

// picked is an event with those of its deliveries that were selected; nil, when
// nobody asked about deliveries.
type picked struct {
	*store.StoredEvent
	deliveries []*store.Delivery
}

func (r *round) byID(ctx context.Context) error {
	e, deliveries, err := r.EventByID(ctx, r.o.ID)
	switch {
	case err != nil:
		return err
	case e.Conflict:
		return replay.ErrConflict
	}
	if r.sameKeyed(e.Event) {
		return r.add(ctx, picked{e, deliveries})
	}
	return r.add(ctx, picked{e, nil})
}

// sameKeyed tells whether the deliveries of an event are run once more, as they
// are. A group has no other way: it would be routed by what it is not.
func (r *round) sameKeyed(ev *event.Event) bool { return r.o.SameKey || store.IsGroup(ev.ID) }

func (r *round) given(ctx context.Context) error {
	for _, ev := range r.o.Given {
		if err := r.add(ctx, picked{&store.StoredEvent{Event: ev}, nil}); err != nil {
			return err
		}
	}
	return nil
}

// byEvent walks over the events, oldest first.
func (r *round) byEvent(ctx context.Context) error {
	o := r.o
	found, err := r.Events(ctx, store.EventFilter{
		Page: store.Page{After: o.After, Limit: o.Limit, OldestFirst: true}, Type: o.Type, Source: o.Source, Since: o.Since, Until: o.Until,
	})
	if err != nil {
		return err
	}
	for i := range found {
		one := picked{&found[i], nil}
		if !r.wanted(one.StoredEvent) {
			continue
		}
		if o.SameKey {
			if one.deliveries, err = r.deliveriesOf(ctx, one.StoredEvent); err != nil {
				return err
			}
		}
		if err := r.add(ctx, one); err != nil {
			return err
		}
	}
	if len(found) == o.Limit {
		r.page.Next = store.FormatID(found[len(found)-1].Seq)
	}
	return nil
}

// wanted: what repeats an event is not selected beside it, and what the gateway
// said about deliveries only when somebody asks for that. A group is brought in by
// its members, but with the same key it is what runs. A conflict starts nothing,
// ever.
func (r *round) wanted(e *store.StoredEvent) bool {
	_, _, repeats := store.ReplayOf(e.Event.ID)
	own := e.Event.Source == "/gateway" && r.o.Type == "" && r.o.Source == ""
	group := store.IsGroup(e.Event.ID) && !r.o.SameKey
	return !e.Conflict && !repeats && !own && !group
}

// byDelivery walks over the deliveries that are asked for, oldest first. A page
// ends with all deliveries of an event.
func (r *round) byDelivery(ctx context.Context) error {
	o := r.o
	f := store.DeliveryFilter{Page: store.Page{After: o.After, Before: store.SeqAt(o.Until), Limit: o.Limit, OldestFirst: true}, Route: o.Route}
	if !o.Since.IsZero() {
		f.After = max(f.After, store.SeqAt(o.Since)-1)
	}
	if o.Dead {
		f.States = []store.State{store.Dead}
	}
	found, err := r.Deliveries(ctx, f)
	if err != nil {
		return err
	}
	last := int64(0)
	for _, d := range found {
		if d.Seq <= last {
			continue // of an event that has been looked at
		}
		if last, err = r.event(ctx, d); err != nil {
			return err
		}
	}
	if len(found) == o.Limit {
		r.page.Next = store.FormatID(last)
	}
	return nil
}

// event looks at the event of a delivery with all that are selected of it, and
// tells where the last one of its deliveries is.
func (r *round) event(ctx context.Context, first *store.Delivery) (last int64, err error) {
	found, err := r.Events(ctx, store.EventFilter{Page: store.Page{After: first.EventSeq - 1, Before: first.EventSeq + 1, Limit: 1}})
	if err != nil || len(found) == 0 {
		return first.Seq, err
	}
	e := &found[0]
	last = e.Seq + int64(e.Deliveries)
	group := store.IsGroup(e.Event.ID) && !r.o.SameKey && !r.o.Dead
	if o := r.o; group || o.Type != "" && o.Type != e.Event.Type || o.Source != "" && o.Source != e.Event.Source {
		return last, nil
	}
	all, err := r.deliveriesOf(ctx, e)
	if err != nil {
		return last, err
	}
	all = slices.DeleteFunc(all, func(d *store.Delivery) bool {
		return r.o.Route != "" && d.Route != r.o.Route || r.o.Dead && d.State != store.Dead
	})
	if r.o.Dead && !r.o.SameKey {
		if all, err = r.owed(ctx, e, all); err != nil {
			return last, err
		}
	}
	return last, r.add(ctx, picked{e, all})
}

func (r *round) deliveriesOf(ctx context.Context, e *store.StoredEvent) ([]*store.Delivery, error) {
	list, err := r.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{
		After: e.Seq, Before: e.Seq + int64(e.Deliveries) + 1, Limit: e.Deliveries, OldestFirst: true,
	}})
	return list, err
}

// maxReplays bounds how many replays of an event are looked at.
const maxReplays = 1000

// owed leaves out the dead deliveries that a replay has made up for: one for the
// same route that succeeded, or still may.
func (r *round) owed(ctx context.Context, e *store.StoredEvent, dead []*store.Delivery) ([]*store.Delivery, error) {
	of := e.Event.ID
	if root, _, is := store.ReplayOf(of); is {
		of = root
	}
	replays, err := r.Events(ctx, store.EventFilter{Page: store.Page{Limit: maxReplays, After: e.Seq}, ReplayOf: of})
	if err != nil {
		return nil, err
	}
	for i := range replays {
		if replays[i].Event.ID == store.ReplayID(of, r.o.Replay) {
			continue // this very replay, done again
		}
		later, err := r.deliveriesOf(ctx, &replays[i])
		if err != nil {
			return nil, err
		}
		dead = slices.DeleteFunc(dead, func(d *store.Delivery) bool {
			return slices.ContainsFunc(later, func(l *store.Delivery) bool {
				return l.Route == d.Route && (l.State == store.Succeeded || l.State.Open())
			})
		})
	}
	return dead, nil
}

// add brings in what was picked.
func (r *round) add(ctx context.Context, p picked) error {
	r.page.Examined++
	if r.sameKeyed(p.Event) {
		return r.sameKey(ctx, p)
	}
	result := replay.Outcome{EventID: p.Event.ID, Type: p.Event.Type}
	if (r.o.Dead || r.o.Route != "") && len(p.deliveries) == 0 {
		result.Outcome = replay.MadeUp
		r.page.Add(result)
		return nil
	}
	ev := repeat(p.Event, r.o.Replay)
	var err error
	result.ReplayID = ev.ID
	if result.Outcome, result.Routes, err = r.take(ctx, ev, r.may(p.deliveries)); err != nil {
		return err
	}
	if result.Outcome == replay.NoRoute || r.o.DryRun {
		result.ReplayID = ""
	}
	r.page.Add(result)
	return nil
}

// may tells which routes may take an event.
func (r *round) may(selected []*store.Delivery) func(string) bool {
	switch {
	case len(r.o.Routes) > 0:
		return func(name string) bool { return slices.Contains(r.o.Routes, name) }
	case selected != nil:
		return func(name string) bool {
			return slices.ContainsFunc(selected, func(d *store.Delivery) bool { return d.Route == name })
		}
	}
	return func(string) bool { return true }
}

// take gives the event to its routes, or only tells which they are.
func (r *round) take(ctx context.Context, ev *event.Event, may func(string) bool) (outcome string, routes []string, err error) {
	if r.o.DryRun {
		r.Rules().Table.Decide(ev, func(v *route.Verdict) {
			if v.Step == route.Matched && may(v.Route.Name) {
				routes = append(routes, v.Route.Name)
			}
		})
		if routes == nil {
			return replay.NoRoute, nil, nil
		}
		return replay.Replayed, routes, nil
	}
	e, receipt, err := r.Intake.Replay(ctx, ev, may)
	switch {
	case err != nil:
		return "", nil, err
	case e == nil:
		return replay.NoRoute, nil, nil
	case receipt.Duplicate:
		return replay.Before, nil, nil
	}
	for _, d := range e.Deliveries {
		routes = append(routes, d.Route)
	}
	return replay.Replayed, routes, nil
}

// repeat is the event once more, as its replay: a new fact, that says so.
func repeat(of *event.Event, id string) *event.Event {
	ev := &event.Event{
		ID: store.ReplayID(of.ID, id), Source: of.Source, Type: of.Type, Subject: of.Subject, Time: of.Time,
		ContentType: of.ContentType, Headers: of.Headers, Query: of.Query, Extensions: maps.Clone(of.Extensions), Body: of.Body,
	}
	root, _, _ := store.ReplayOf(ev.ID)
	ev.Extend(OfAttribute, root)
	ev.Extend(ReplayAttribute, id)
	return ev
}

// sameKey runs the deliveries themselves once more.
func (r *round) sameKey(ctx context.Context, p picked) error {
	for _, d := range p.deliveries {
		if len(r.o.Routes) > 0 && !slices.Contains(r.o.Routes, d.Route) || d.State == store.Discarded || d.State == store.Merged {
			continue
		}
		result := replay.Outcome{EventID: p.Event.ID, Type: p.Event.Type, Delivery: d.ID(), Routes: []string{d.Route}}
		var err error
		if result.Outcome, err = r.run(ctx, d); err != nil {
			return err
		}
		r.page.Add(result)
	}
	return nil
}

func (r *round) run(ctx context.Context, d *store.Delivery) (string, error) {
	switch {
	case d.State.Open():
		return replay.Open, nil
	case !d.Last.Ended.Before(r.o.Began):
		return replay.Before, nil
	case r.Rules().Table.Route(d.Route) == nil:
		return replay.RouteRemoved, nil
	case r.o.DryRun:
		return replay.Replayed, nil
	}
	err := r.Due(r.Store.Again(ctx, d.Seq, r.o.Began))
	if errors.Is(err, store.ErrState) || errors.Is(err, store.ErrNotFound) {
		return replay.Before, nil
	}
	return replay.Replayed, err
}
