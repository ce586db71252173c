// Package steer is the endpoints by which people see when schedules fire, and
// pause, resume, trigger and backfill them. It is a part of api, which lets
// nobody in who may not.
package steer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/store"
)

// ErrTooMany slots were to be backfilled at once.
var ErrTooMany = errors.New("api: too many slots")

// Schedules is what people may see of schedules, and do with them. A name that
// is not declared is store.ErrNotFound.
type Schedules interface {
	// Upcoming is where each stands, with its next n firings.
	Upcoming(n int) []Schedule
	Pause(ctx context.Context, name string) error
	// Resume fails with store.ErrState where the file pauses.
	Resume(ctx context.Context, name string) error
	Trigger(ctx context.Context, name string) (store.Receipt, error)
	// Backfill fails with ErrTooMany before it fires anything.
	Backfill(ctx context.Context, name string, from, to time.Time) (Backfill, error)
}

// Schedule is where one stands.
type Schedule struct {
	Name   string `json:"name"`
	Origin string `json:"origin"` // file or api
	// Spec is its cron expression or interval, as configured.
	Spec   string `json:"spec"`
	Paused bool   `json:"paused,omitempty"`
	// PausedInFile: only the file can resume it.
	PausedInFile bool      `json:"paused_in_file,omitempty"`
	Next         time.Time `json:"next,omitzero"`
	Last         time.Time `json:"last,omitzero"`
	// Firings are the next ones, Next is the first of them.
	Firings []Firing `json:"firings,omitempty"`
	// Waiting slots are due and wait for the store, or for the slot before.
	// Skipped and Missed count slots since the gateway started.
	Waiting int `json:"waiting,omitempty"`
	Skipped int `json:"skipped,omitempty"`
	Missed  int `json:"missed,omitempty"`
}

// Firing is one time at which a schedule is due, with its zone's offset.
type Firing struct {
	// Slot names the firing; At is when it happens, later by the jitter.
	Slot time.Time `json:"slot"`
	At   time.Time `json:"at"`
}

// Fired is the event of a schedule that was fired by hand.
type Fired struct {
	Status    string `json:"status"`
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	Workflows int    `json:"workflows_triggered"`
}

// Interval is what is to be backfilled, both ends included.
type Interval struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Backfill is what became of a backfill.
type Backfill struct {
	// Slots in the interval; those that had fired Before did not fire again.
	Slots  int `json:"slots"`
	Fired  int `json:"fired"`
	Before int `json:"fired_before"`
}

// Endpoints by the patterns that they are reached under.
func Endpoints(schedules Schedules, log ask.Log, now func() time.Time) map[string]ask.Endpoint {
	s := server{schedules, log, now}
	return map[string]ask.Endpoint{
		"GET /api/v1/schedules":                  s.list,
		"GET /api/v1/schedules/{name}":           s.show,
		"POST /api/v1/schedules/{name}/pause":    s.pause,
		"POST /api/v1/schedules/{name}/resume":   s.resume,
		"POST /api/v1/schedules/{name}/trigger":  s.trigger,
		"POST /api/v1/schedules/{name}/backfill": s.backfill,
	}
}

type server struct {
	Schedules
	log ask.Log
	now func() time.Time
}

const (
	// maxNext bounds the firings that are told of each schedule.
	maxNext = 100
	// shown is how many are told of one schedule that is asked for.
	shown = 5
)

func (s server) list(r *http.Request) (int, any, error) {
	q, err := ask.Parameters(r, "next")
	if err != nil {
		return 0, nil, err
	}
	n, err := ask.Number(q, "next", 1, 1, maxNext)
	if err != nil {
		return 0, nil, err
	}
	all := s.Upcoming(n)
	if all == nil {
		all = []Schedule{}
	}
	return http.StatusOK, map[string]any{"schedules": all}, nil
}

func (s server) show(r *http.Request) (int, any, error) {
	for _, one := range s.Upcoming(shown) {
		if one.Name == r.PathValue("name") {
			return http.StatusOK, one, nil
		}
	}
	return 0, nil, refusal(r, store.ErrNotFound)
}

func (s server) pause(r *http.Request) (int, any, error) {
	return s.change(r, "schedule paused", s.Pause)
}

func (s server) resume(r *http.Request) (int, any, error) {
	return s.change(r, "schedule resumed", s.Resume)
}

// change does one thing to a schedule and answers with it as it is afterwards.
func (s server) change(r *http.Request, done string, do func(context.Context, string) error) (int, any, error) {
	name := r.PathValue("name")
	if err := do(r.Context(), name); err != nil {
		return 0, nil, refusal(r, err)
	}
	s.log(r, done, zap.String("schedule", name))
	return s.show(r)
}

// refusal says why not; what it does not know it leaves alone.
func refusal(r *http.Request, err error) error {
	switch name := r.PathValue("name"); {
	case errors.Is(err, store.ErrNotFound):
		return ask.Refuse(http.StatusNotFound, "no schedule %q is declared", name)
	case errors.Is(err, store.ErrState):
		return ask.Refuse(http.StatusConflict, "schedule %q is paused in the file; change it there", name)
	case errors.Is(err, ErrTooMany):
		return ask.Refuse(http.StatusUnprocessableEntity, "the interval has too many slots for one backfill; take a shorter one")
	}
	return err
}

func (s server) trigger(r *http.Request) (int, any, error) {
	name := r.PathValue("name")
	receipt, err := s.Trigger(r.Context(), name)
	if err != nil {
		return 0, nil, refusal(r, err)
	}
	s.log(r, "schedule triggered", zap.String("schedule", name), zap.String("event", receipt.EventID))
	return http.StatusAccepted, Fired{
		Status: "accepted", EventID: receipt.EventID, EventType: receipt.EventType, Workflows: receipt.Deliveries,
	}, nil
}

func (s server) backfill(r *http.Request) (int, any, error) {
	in, err := s.interval(r)
	if err != nil {
		return 0, nil, err
	}
	name := r.PathValue("name")
	done, err := s.Backfill(r.Context(), name, in.From, in.To)
	if done.Fired > 0 {
		s.log(r, "schedule backfilled", zap.String("schedule", name), zap.Time("from", in.From), zap.Time("to", in.To), zap.Int("fired", done.Fired))
	}
	if err != nil {
		return 0, nil, refusal(r, err)
	}
	return http.StatusAccepted, done, nil
}

func (s server) interval(r *http.Request) (in Interval, err error) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return in, ask.Refuse(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return in, ask.Unread(err)
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, ask.Refuse(http.StatusBadRequest, `the body: want {"from": …, "to": …} with times like 2026-01-31T12:00:00Z`)
	}
	switch {
	case in.From.IsZero() || in.To.IsZero():
		return in, ask.Refuse(http.StatusUnprocessableEntity, "from and to are needed")
	case in.To.Before(in.From):
		return in, ask.Refuse(http.StatusUnprocessableEntity, "to is before from")
	case in.To.After(s.now()):
		return in, ask.Refuse(http.StatusUnprocessableEntity, "to lies ahead: what is to come fires by itself")
	}
	return in, nil
}
