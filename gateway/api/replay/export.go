package replay

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Whole is a whole event, as `gateway events show -o json` prints it.
type Whole struct {
	// Cursor is its place in the store; newer is greater as a string.
	Cursor      string            `json:"cursor,omitempty"`
	ID          string            `json:"id"`
	Source      string            `json:"source"`
	Type        string            `json:"type"`
	Subject     string            `json:"subject,omitempty"`
	Time        time.Time         `json:"time"`
	ContentType string            `json:"datacontenttype,omitempty"`
	Extensions  map[string]string `json:"extensions,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Query       map[string]string `json:"query,omitempty"`
	Revision    string            `json:"revision,omitempty"`
	Routed      int               `json:"routed,omitempty"`
	Conflict    bool              `json:"conflict,omitempty"`
	// Data is a body of valid JSON; DataBase64 is any other body.
	Data       json.RawMessage `json:"data,omitempty"`
	DataBase64 []byte          `json:"data_base64,omitempty"`
}

// Exported is a page of whole events, newest first.
type Exported struct {
	Events []Whole `json:"events"`
	// Next is the cursor of the following, older page; empty at the end.
	Next string `json:"next,omitempty"`
}

// Repeat is one replay of an event.
type Repeat struct {
	Replay string    `json:"replay"`
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	// Routed is how many routes took it.
	Routed int `json:"routed"`
}

// Reader reads events from the store.
type Reader interface {
	Events(ctx context.Context, f store.EventFilter) ([]store.StoredEvent, error)
}

func view(e *store.StoredEvent) Whole {
	ev := e.Event
	v := Whole{
		Cursor: store.FormatID(e.Seq), ID: ev.ID, Source: ev.Source, Type: ev.Type, Subject: ev.Subject, Time: ev.Time, ContentType: ev.ContentType,
		Extensions: ev.Extensions, Headers: ev.Headers, Query: ev.Query, Revision: e.Revision, Routed: e.Deliveries, Conflict: e.Conflict,
	}
	v.Data, v.DataBase64 = Body(ev)
	return v
}

// Body is that of an event as it is shown: valid JSON as it is, or any other.
func Body(ev *event.Event) (data json.RawMessage, other []byte) {
	if event.Kind(ev.ContentType) == event.KindJSON && json.Valid(ev.Body) {
		return ev.Body, nil
	}
	return nil, ev.Body
}

// Event is the event that was exported, as it came in.
func (e *Whole) Event() *event.Event {
	ev := &event.Event{
		ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: e.Time.UTC(), ContentType: e.ContentType,
		Extensions: e.Extensions, Headers: e.Headers, Query: e.Query, Body: e.DataBase64,
	}
	if e.Data != nil {
		ev.Body = e.Data
	}
	return ev
}

const (
	defaultPage = 500
	maxPage     = 1000
	// maxBytes of bodies end a page before its limit does.
	maxBytes = 16 << 20
	// chunk is how many events are read at once: their bodies are in memory.
	chunk = 50
)

func (s *server) export(r *http.Request) (int, any, error) {
	f, limit, err := s.filter(r)
	if err != nil {
		return 0, nil, err
	}
	out := Exported{Events: []Whole{}}
	for size := 0; ; {
		found, err := s.Events(r.Context(), f)
		if err != nil {
			return 0, nil, err
		}
		for i := range found {
			if len(out.Events) == limit || size > maxBytes {
				out.Next = out.Events[len(out.Events)-1].Cursor
				return http.StatusOK, out, nil
			}
			f.Before = found[i].Seq
			if store.IsGroup(found[i].Event.ID) {
				continue // its members are what came in, and are events of their own
			}
			out.Events = append(out.Events, view(&found[i]))
			size += len(found[i].Event.Body)
		}
		if len(found) < f.Limit {
			return http.StatusOK, out, nil
		}
	}
}

func (s *server) filter(r *http.Request) (f store.EventFilter, limit int, err error) {
	q, err := ask.Parameters(r, "type", "source", "since", "until", "cursor", "limit")
	if err != nil {
		return f, 0, err
	}
	if limit, err = ask.Number(q, "limit", defaultPage, 1, maxPage); err != nil {
		return f, 0, err
	}
	f = store.EventFilter{Page: store.Page{Limit: chunk}, Type: q.Get("type"), Source: q.Get("source")}
	if text := q.Get("cursor"); text != "" {
		var ok bool
		if f.Before, ok = store.ParseID(text); !ok {
			return f, 0, ask.Refuse(http.StatusBadRequest, "cursor %q is not one that was given out", text)
		}
	}
	if f.Since, err = s.moment(q, "since"); err != nil {
		return f, 0, err
	}
	f.Until, err = s.moment(q, "until")
	return f, limit, err
}

// moment reads a time, or how long ago it was.
func (s *server) moment(q url.Values, name string) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return s.now().Add(-d).UTC(), nil
	}
	return time.Time{}, ask.Refuse(http.StatusBadRequest, "%s %s is neither a time like 2026-01-31T12:00:00Z nor a duration like 90m", name, strconv.Quote(text))
}

func (s *server) config(r *http.Request) (int, any, error) {
	_, err := ask.Parameters(r)
	return http.StatusOK, s.Config(), err
}

// maxHistory bounds the replays of one event that are told.
const maxHistory = 1000

// Of lists the replays of an event, oldest first.
func Of(ctx context.Context, from Reader, id string) ([]Repeat, error) {
	if of, _, is := store.ReplayOf(id); is {
		id = of
	}
	found, err := from.Events(ctx, store.EventFilter{Page: store.Page{Limit: maxHistory, OldestFirst: true}, ReplayOf: id})
	if err != nil {
		return nil, err
	}
	list := make([]Repeat, len(found))
	for i, e := range found {
		_, replay, _ := store.ReplayOf(e.Event.ID)
		list[i] = Repeat{Replay: replay, ID: e.Event.ID, At: store.TimeOf(e.Seq), Routed: e.Deliveries}
	}
	return list, nil
}

// read reads a body of one JSON object; nothing is an empty one.
func read(r *http.Request, into any) error {
	v, err := ask.JSON(r)
	if err != nil || v == nil {
		return err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return ask.Refuse(http.StatusUnprocessableEntity, "the body: %s", strings.TrimSuffix(ask.Fault(err), " (there are type, source, id, subject, data)"))
	}
	return nil
}

// given are events that come along. Their source may be one of the gateway's
// own: whoever may replay is believed where they came from.
func given(events []Whole) ([]*event.Event, error) {
	if events == nil {
		return nil, nil
	}
	list := make([]*event.Event, 0, len(events))
	for i := range events {
		ev := events[i].Event()
		for _, a := range []struct{ name, value string }{{"id", ev.ID}, {"source", ev.Source}, {"type", ev.Type}} {
			if a.value == "" || len(a.value) > ask.MaxAttribute || !utf8.ValidString(a.value) || strings.ContainsFunc(a.value, unicode.IsControl) {
				return nil, ask.Refuse(http.StatusUnprocessableEntity, "events[%d].%s: needs from 1 to %d bytes without control characters", i, a.name, ask.MaxAttribute)
			}
		}
		if err := ev.Valid(); err != nil {
			return nil, ask.Refuse(http.StatusUnprocessableEntity, "events[%d].data: %s", i, err)
		}
		if !events[i].Conflict {
			list = append(list, ev)
		}
	}
	return list, nil
}
