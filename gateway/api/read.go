package api

import (
	"errors"
	"net/http"

	"github.com/event-gateway/gateway/gateway/api/replay"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/store"
)

// Lists are bounded: without a limit they have defaultLimit entries.
const defaultLimit, maxLimit = 50, 1000

// EventList is a page of events, newest first.
type EventList struct {
	Events []Event `json:"events"`
	// Next is the cursor of the following, older page; empty at the end.
	Next string `json:"next,omitempty"`
}

// DeliveryList is a page of deliveries, newest first.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries"`
	// Next is the cursor of the following, older page; empty at the end.
	Next string `json:"next,omitempty"`
}

func (s *server) events(r *http.Request) (reply, error) {
	q := newQuery(r, s.now())
	page := q.page()
	f := store.EventFilter{
		Page: probe(page), Type: q.text("type"), Source: q.text("source"),
		Since: q.time("since"), Until: q.time("until"), Routed: q.flag("routed"),
	}
	if err := q.err(); err != nil {
		return reply{}, err
	}
	found, err := s.Reader.Events(r.Context(), f)
	if err != nil {
		return reply{}, err
	}
	found, more := cut(found, page.Limit)
	out := EventList{Events: make([]Event, len(found))}
	for i, e := range found {
		out.Events[i] = viewEvent(e)
	}
	if more {
		out.Next = store.FormatID(found[len(found)-1].Seq)
	}
	return reply{body: out}, nil
}

func (s *server) deliveries(r *http.Request) (reply, error) {
	q := newQuery(r, s.now())
	page := q.page()
	f := store.DeliveryFilter{
		Page: probe(page), States: q.states("state"), Route: q.text("route"), Engine: q.text("engine"),
	}
	if err := q.err(); err != nil {
		return reply{}, err
	}
	found, err := s.Reader.Deliveries(r.Context(), f)
	if err != nil {
		return reply{}, err
	}
	found, more := cut(found, page.Limit)
	out := DeliveryList{Deliveries: make([]Delivery, len(found))}
	for i, d := range found {
		out.Deliveries[i] = viewDelivery(d)
	}
	if more {
		out.Next = found[len(found)-1].ID()
	}
	return reply{body: out}, nil
}

// probe asks for one more than the page has, to know whether there is a next.
func probe(p store.Page) store.Page {
	p.Limit++
	return p
}

func cut[T any](found []T, limit int) (page []T, more bool) {
	if len(found) > limit {
		return found[:limit], true
	}
	return found, false
}

func (s *server) event(r *http.Request) (reply, error) {
	id := r.PathValue("id")
	e, deliveries, err := s.Reader.EventByID(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return reply{}, problem(http.StatusNotFound, "no event %q; it may have been retained out", id)
	}
	if err != nil {
		return reply{}, err
	}
	v := viewWholeEvent(*e)
	v.Deliveries = make([]Delivery, 0, len(deliveries))
	for _, d := range deliveries {
		whole, err := s.wholeDelivery(r, d.Seq)
		if errors.Is(err, store.ErrNotFound) {
			continue // retained out since
		}
		if err != nil {
			return reply{}, err
		}
		v.Deliveries = append(v.Deliveries, whole)
	}
	v.Replays, err = replay.Of(r.Context(), s.Reader, id)
	return reply{body: v}, err
}

func (s *server) delivery(r *http.Request) (reply, error) {
	seq, err := deliverySeq(r)
	if err != nil {
		return reply{}, err
	}
	d, err := s.wholeDelivery(r, seq)
	if errors.Is(err, store.ErrNotFound) {
		return reply{}, noDelivery(r)
	}
	d.Run = runs.Of(s.Runs.Underway(), d.ID)
	return reply{body: d}, err
}

func (s *server) wholeDelivery(r *http.Request, seq int64) (Delivery, error) {
	d, attempts, err := s.Reader.Delivery(r.Context(), seq)
	if err != nil {
		return Delivery{}, err
	}
	v := viewDelivery(d)
	v.Attempts = make([]Attempt, len(attempts))
	for i, a := range attempts {
		v.Attempts[i] = viewAttempt(a)
	}
	return v, nil
}

func deliverySeq(r *http.Request) (int64, error) {
	seq, ok := store.ParseID(r.PathValue("id"))
	if !ok {
		return 0, noDelivery(r)
	}
	return seq, nil
}

func noDelivery(r *http.Request) error {
	return problem(http.StatusNotFound, "no delivery %q; it may have been retained out", r.PathValue("id"))
}
