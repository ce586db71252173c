// Package replay is the endpoints by which stored events leave the gateway in
// full, to be rehearsed or kept elsewhere, and by which they come in once more.
// It is a part of api, which lets nobody in who may not.
package replay

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Past is what the gateway remembers, and can bring in once more.
type Past interface {
	Reader
	// Replay does a page of a replay. What it could not finish is done by asking
	// for the same page again: nothing is brought in twice.
	Replay(ctx context.Context, o Order) (Round, error)
	// Config is the configuration in force.
	Config() Written
}

// Written is a configuration as it is written: references are not resolved, and
// literal secrets are starred out.
type Written struct {
	Revision string `json:"revision"`
	File     string `json:"file"`
	// Files are the file and those that it includes; Overlay is what was made over
	// the API.
	Files   []Piece `json:"files"`
	Overlay []Piece `json:"overlay"`
}

// Piece is one text of a configuration.
type Piece struct {
	// Name of a file is from the folder of the first one.
	Name string `json:"name"`
	Text string `json:"text"`
}

// Selection says which events; without anything, all.
type Selection struct {
	Type   string `json:"type,omitempty"`
	Source string `json:"source,omitempty"`
	// Since and Until bound when the events were accepted. What comes in while the
	// replay goes on is never a part of it.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Route selects events that had a delivery for it.
	Route string `json:"route,omitempty"`
	// Dead selects events with a dead delivery, of the route if one is named, that
	// no replay has made up for.
	Dead bool `json:"dead,omitempty"`
}

// Manner says how events come in once more.
type Manner struct {
	// Routes are the only ones that may take the event. Without any it is the
	// routes whose deliveries were selected by route or dead, else all.
	Routes []string `json:"routes,omitempty"`
	// SameKey runs the deliveries themselves once more, under their ids, instead
	// of routing the event anew.
	SameKey bool `json:"same_key,omitempty"`
	// DryRun only tells what would be.
	DryRun bool `json:"dry_run,omitempty"`
	// Replay goes on with the replay that has this id.
	Replay string `json:"replay,omitempty"`
}

// Asked is for a page of a replay.
type Asked struct {
	Selection
	Manner
	// After is the `next` of the page before, Limit how many events or deliveries
	// to look at.
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
	// Events are those of an export, instead of stored ones.
	Events []Whole `json:"events,omitzero"`
}

// Order is one that makes sense.
type Order struct {
	Selection
	Manner
	// Began is when the replay with the id Replay began.
	Began time.Time
	After int64
	Limit int
	// ID names the only event; Given are events that come along.
	ID    string
	Given []*event.Event
}

// Round is what became of a part of a replay.
type Round struct {
	// Replay is its id: with it, asking again repeats nothing.
	Replay string    `json:"replay"`
	Began  time.Time `json:"began"`
	// Next is the `after` of the following page; empty at the end.
	Next string `json:"next,omitempty"`
	// Examined events, and of those, Replayed ones.
	Examined int       `json:"examined"`
	Replayed int       `json:"replayed"`
	Events   []Outcome `json:"events"`
}

// Outcome is what became of one event, or of one delivery with the same key.
type Outcome struct {
	EventID string `json:"event_id"`
	Type    string `json:"type"`
	// Outcome is replayed; before: by this replay already; no_route: nothing takes
	// it; open: the delivery has not ended; route_removed: nothing would run it;
	// made_up: a replay has brought what was dead in already.
	Outcome string `json:"outcome"`
	// ReplayID is the id of the event that repeats it.
	ReplayID string `json:"replay_id,omitempty"`
	// Deliveries with the same key, and Routes that take it.
	Delivery string   `json:"delivery,omitempty"`
	Routes   []string `json:"routes,omitempty"`
}

// The outcomes.
const (
	Replayed     = "replayed"
	Before       = "before"
	NoRoute      = "no_route"
	Open         = "open"
	RouteRemoved = "route_removed"
	MadeUp       = "made_up"
)

// Add notes a result.
func (p *Round) Add(r Outcome) {
	p.Events = append(p.Events, r)
	if r.Outcome == Replayed {
		p.Replayed++
	}
}

// ErrConflict: an event that came with the id of another starts nothing.
var ErrConflict = errors.New("api: the event is a conflict")

// Endpoints by the patterns that they are reached under.
func Endpoints(past Past, log ask.Log, now func() time.Time) map[string]ask.Endpoint {
	s := &server{Past: past, log: log, now: now}
	return map[string]ask.Endpoint{
		"GET /api/v1/export/events":       s.export,
		"GET /api/v1/export/config":       s.config,
		"POST /api/v1/events/{id}/replay": s.one,
		"POST /api/v1/replay":             s.page,
	}
}

type server struct {
	Past
	log ask.Log
	now func() time.Time
	ids store.Sequence
}

func (s *server) one(r *http.Request) (int, any, error) {
	var way Manner
	if err := read(r, &way); err != nil {
		return 0, nil, err
	}
	o := Order{Manner: way, ID: r.PathValue("id")}
	return s.replay(r, o)
}

func (s *server) page(r *http.Request) (int, any, error) {
	var in Asked
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	o, err := in.order()
	if err != nil {
		return 0, nil, err
	}
	return s.replay(r, o)
}

func (s *server) replay(r *http.Request, o Order) (int, any, error) {
	if err := s.begin(&o); err != nil {
		return 0, nil, err
	}
	out, err := s.Replay(r.Context(), o)
	if out.Replayed > 0 && !o.DryRun {
		s.log(r, "events replayed", zap.String("replay", o.Replay), zap.Int("replayed", out.Replayed), zap.Bool("same_key", o.SameKey))
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil, ask.Refuse(http.StatusNotFound, "no event %q; it may have been retained out", o.ID)
	case errors.Is(err, ErrConflict):
		return 0, nil, ask.Refuse(http.StatusConflict, "event %q came with the id of another and starts nothing", o.ID)
	case err != nil:
		return 0, nil, err
	}
	out.Replay, out.Began = o.Replay, o.Began
	if out.Events == nil {
		out.Events = []Outcome{}
	}
	return http.StatusOK, out, nil
}

// begin gives a replay its id, which says when it began, or reads it of the
// one to go on with.
func (s *server) begin(o *Order) error {
	now := s.now()
	if o.Replay == "" {
		// Ids tell milliseconds: it begins with the next one, so that all that was
		// there when it was asked for is before it.
		seq := s.ids.Next(now.Add(time.Millisecond), 1)
		o.Replay = store.FormatID(seq)
		time.Sleep(time.Until(store.TimeOf(seq)))
	}
	seq, ok := store.ParseID(o.Replay)
	switch o.Began = store.TimeOf(seq); {
	case !ok || o.Began.After(now.Add(time.Second)):
		return ask.Refuse(http.StatusUnprocessableEntity, "replay %q is not one that was given out", o.Replay)
	case o.Began.Before(now.Add(-longest)):
		return ask.Refuse(http.StatusUnprocessableEntity, "replay %s began too long ago to go on with: what it has done is no longer known", o.Replay)
	}
	if o.Until.IsZero() || o.Until.After(o.Began) {
		o.Until = o.Began
	}
	return nil
}

// longest is how long after its beginning a replay can go on: while the store
// recognises what it has brought in.
const longest = 6 * 24 * time.Hour

const (
	defaultLimit = 100
	maxLimit     = 500
)

func (in Asked) order() (o Order, err error) {
	o = Order{Selection: in.Selection, Manner: in.Manner, Limit: in.Limit}
	if o.Limit == 0 {
		o.Limit = defaultLimit
	}
	if in.After != "" {
		var ok bool
		if o.After, ok = store.ParseID(in.After); !ok {
			return o, ask.Refuse(http.StatusUnprocessableEntity, "after %q is not one that was given out", in.After)
		}
	}
	switch {
	case o.Limit < 1 || o.Limit > maxLimit:
		return o, ask.Refuse(http.StatusUnprocessableEntity, "limit is from 1 to %d", maxLimit)
	case in.Events == nil && in.Selection == Selection{}:
		return o, ask.Refuse(http.StatusUnprocessableEntity, "say which events: since, until, type, source, route or dead")
	case !o.Until.IsZero() && o.Until.Before(o.Since):
		return o, ask.Refuse(http.StatusUnprocessableEntity, "until is before since")
	case in.Events != nil && (in.SameKey || in.Selection != Selection{} || in.After != ""):
		return o, ask.Refuse(http.StatusUnprocessableEntity, "events that come along go without a selection, after and same_key")
	case len(in.Events) > maxLimit:
		return o, ask.Refuse(http.StatusUnprocessableEntity, "at most %d events at once", maxLimit)
	}
	o.Given, err = given(in.Events)
	return o, err
}
