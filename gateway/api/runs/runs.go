// Package runs is the endpoints by which people see what runs and what waits
// for them, answer it, and cancel it. It is a part of api, which lets nobody in
// who may not.
package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/store"
)

var (
	// ErrAway: the engine takes nothing at this moment; try again.
	ErrAway = errors.New("api: engine away")
	// ErrUnfit is wrapped by what says how an answer is not what was asked for.
	ErrUnfit = errors.New("the answer does not fit")
)

// Runs is what people may see of runs, and do with them. A delivery of which
// nothing runs is store.ErrNotFound.
type Runs interface {
	// Underway are the attempts that have not ended, newest delivery first.
	Underway() []Run
	// Answer fails with store.ErrState when the run does not wait, with ErrAway
	// and with an error that wraps ErrUnfit.
	Answer(ctx context.Context, seq int64, answer json.RawMessage) error
	Cancel(ctx context.Context, seq int64) error
}

// Run is an attempt under way.
type Run struct {
	// Delivery names it; RunID is the engine's own name.
	Delivery string `json:"delivery"`
	EventID  string `json:"event_id"`
	RunID    string `json:"run_id,omitempty"`
	Route    string `json:"route"`
	Engine   string `json:"engine"`
	Workflow string `json:"workflow"`
	// State is running, waiting, or cancelling: asked to end.
	State   string `json:"state"`
	Attempt int    `json:"attempt"`
	Process string `json:"process,omitempty"`
	// Deadline is when it will be asked to end; absent while it waits.
	Started  time.Time `json:"started"`
	Deadline time.Time `json:"deadline,omitzero"`
	Progress *Progress `json:"progress,omitempty"`
	Question *Question `json:"question,omitempty"`
}

// Progress is what a run said last about how far it is.
type Progress struct {
	Step    string `json:"step,omitempty"`
	Message string `json:"message,omitempty"`
	// Fraction from 0 to 1; absent when unknown.
	Fraction *float64  `json:"fraction,omitempty"`
	At       time.Time `json:"at"`
}

// Question is what a waiting run wants to know.
type Question struct {
	Prompt string `json:"prompt"`
	// Schema is a JSON Schema of the answer; absent when anything goes.
	Schema json.RawMessage `json:"schema,omitempty"`
	Since  time.Time       `json:"since"`
}

// RunList is what runs and what waits.
type RunList struct {
	Runs []Run `json:"runs"`
	// More that are not in the list.
	More int `json:"more,omitempty"`
}

// Endpoints by the patterns that they are reached under.
func Endpoints(runs Runs, log ask.Log) map[string]ask.Endpoint {
	s := server{runs, log}
	return map[string]ask.Endpoint{
		"GET /api/v1/runs":                    s.list,
		"GET /api/v1/runs/{id}":               s.show,
		"POST /api/v1/deliveries/{id}/answer": s.answer,
		"POST /api/v1/deliveries/{id}/cancel": s.cancel,
	}
}

type server struct {
	Runs
	log ask.Log
}

// Of is the run of a delivery, if there is one.
func Of(all []Run, delivery string) *Run {
	i := slices.IndexFunc(all, func(r Run) bool { return r.Delivery == delivery })
	if i < 0 {
		return nil
	}
	return &all[i]
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// states are what a list may be cut down to.
var states = []string{"running", "waiting", "cancelling"}

func (s server) list(r *http.Request) (int, any, error) {
	q, err := ask.Parameters(r, "state", "route", "engine", "limit")
	if err != nil {
		return 0, nil, err
	}
	limit, err := ask.Number(q, "limit", defaultLimit, 1, maxLimit)
	if err != nil {
		return 0, nil, err
	}
	if state := q.Get("state"); state != "" && !slices.Contains(states, state) {
		return 0, nil, ask.Refuse(http.StatusBadRequest, "state %q is none of running, waiting, cancelling", state)
	}
	out := RunList{Runs: []Run{}}
	for _, run := range s.Underway() {
		switch {
		case !fits(q.Get("state"), run.State) || !fits(q.Get("route"), run.Route) || !fits(q.Get("engine"), run.Engine):
		case len(out.Runs) == limit:
			out.More++
		default:
			out.Runs = append(out.Runs, run)
		}
	}
	return http.StatusOK, out, nil
}

func fits(want, have string) bool { return want == "" || want == have }

func (s server) show(r *http.Request) (int, any, error) {
	run := Of(s.Underway(), r.PathValue("id"))
	if run == nil {
		return 0, nil, nothing(r)
	}
	return http.StatusOK, run, nil
}

// nothing: with what may be true of the delivery all the same.
func nothing(r *http.Request) error {
	return ask.Refuse(http.StatusNotFound, "nothing runs for delivery %q: it has not begun, has ended, or waits until its engine is back", r.PathValue("id"))
}

func (s server) answer(r *http.Request) (int, any, error) {
	answer, err := body(r)
	if err != nil {
		return 0, nil, err
	}
	return s.change(r, "run answered", func(ctx context.Context, seq int64) error { return s.Answer(ctx, seq, answer) })
}

func (s server) cancel(r *http.Request) (int, any, error) {
	return s.change(r, "run cancelled", s.Cancel)
}

// change does one thing to a run and answers with it as it was right after; it
// may have ended since.
func (s server) change(r *http.Request, done string, do func(context.Context, int64) error) (int, any, error) {
	id := r.PathValue("id")
	seq, ok := store.ParseID(id)
	before := Of(s.Underway(), id)
	if !ok || before == nil {
		return 0, nil, nothing(r)
	}
	if err := do(r.Context(), seq); err != nil {
		return 0, nil, refusal(r, err)
	}
	s.log(r, done, zap.String("delivery", id), zap.String("route", before.Route))
	if now := Of(s.Underway(), id); now != nil {
		return http.StatusAccepted, now, nil
	}
	return http.StatusAccepted, before, nil
}

// refusal says why not; what it does not know it leaves alone.
func refusal(r *http.Request, err error) error {
	switch id := r.PathValue("id"); {
	case errors.Is(err, store.ErrNotFound):
		return nothing(r)
	case errors.Is(err, store.ErrState):
		return ask.Refuse(http.StatusConflict, "the run of delivery %s waits for no answer", id)
	case errors.Is(err, ErrUnfit):
		return ask.Refuse(http.StatusUnprocessableEntity, "%s", err)
	case errors.Is(err, ErrAway):
		p := ask.Refuse(http.StatusServiceUnavailable, "the engine takes nothing at this moment; the run still waits")
		p.RetryAfter = 1
		return p
	}
	return err
}

// body is one JSON value.
func body(r *http.Request) (json.RawMessage, error) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return nil, ask.Refuse(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, ask.Unread(err)
	}
	if text = bytes.TrimSpace(text); !json.Valid(text) {
		return nil, ask.Refuse(http.StatusBadRequest, "the body: the answer as one JSON value")
	}
	return text, nil
}
