package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/live"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// AcceptedMessage tells of an event that was accepted.
func AcceptedMessage(e *event.Event, revision string, deliveries int) live.Message {
	v := viewEvent(store.StoredEvent{Event: e, Revision: revision, Deliveries: deliveries})
	// What is told may wait for who is told: it must not keep a body in memory.
	for _, text := range []*string{&v.ID, &v.Source, &v.Type, &v.Subject, &v.ContentType} {
		*text = strings.Clone(*text)
	}
	v.Extensions = nil
	return live.Message{Kind: live.Event, At: time.Now(), EventID: v.ID, Type: v.Type, Source: v.Source, Body: v}
}

// DeliveryMessage tells of a delivery as it is now.
func DeliveryMessage(d *store.Delivery) live.Message {
	v := viewDelivery(d)
	v.Input = nil
	m := live.Message{
		Kind: live.Delivery, At: time.Now(), EventID: d.EventID, Delivery: v.ID, Route: d.Route, Engine: d.Engine,
		State: v.State, Ended: !d.State.Open(), Body: v,
	}
	if d.Event != nil {
		m.Type, m.Source = strings.Clone(d.Event.Type), strings.Clone(d.Event.Source)
	}
	return m
}

// ReloadMessage tells of a reload that went live or was refused.
func ReloadMessage(r ReloadStatus) live.Message {
	return live.Message{Kind: live.Reload, At: r.At, Body: r}
}

// EngineMessage tells of an engine that is in another state.
func EngineMessage(e EngineStatus) live.Message {
	return live.Message{Kind: live.Engine, At: time.Now(), Engine: e.Name, State: e.State, Body: e}
}

// stream tells what happens as it happens.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	filter, err := s.streamFilter(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	f, err := s.Live.Follow(filter)
	if err != nil {
		s.refuse(w, r, tooMany(err))
		return
	}
	defer s.Live.Leave(f)
	s.Live.Serve(w, r, f, func() bool { return s.gate.Still(r, access.Read) })
}

func (s *server) streamFilter(r *http.Request) (live.Filter, error) {
	q := newQuery(r, s.now())
	f := live.Filter{Type: q.text("type"), Source: q.text("source"), Route: q.text("route"), Engine: q.text("engine")}
	for _, kind := range q.list("kind") {
		k := live.Kind(kind)
		if !slices.Contains([]live.Kind{live.Event, live.Delivery, live.Reload, live.Engine}, k) {
			q.fail("kind %q is none of event, delivery, reload, engine", kind)
		}
		f.Kinds = append(f.Kinds, k)
	}
	for _, state := range q.states("state") {
		f.States = append(f.States, state.String())
	}
	return f, q.err()
}

func tooMany(err error) error {
	if errors.Is(err, live.ErrFull) {
		return problem(http.StatusServiceUnavailable, "too many follow or wait already")
	}
	return err
}
