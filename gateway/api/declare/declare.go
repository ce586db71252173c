// Package declare is the endpoints by which people declare routes and schedules
// while the gateway runs: subscriptions, intervals, and all that was made so.
// It is a part of api, which lets nobody in who may not.
package declare

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/ask"
)

// Overlay is what people make of the configuration while the gateway runs. What
// returns without an error is in force and on disk; a *ask.Problem says why
// something cannot be.
type Overlay interface {
	Subscribe(ctx context.Context, in ask.Subscribing) (Subscription, error)
	Unsubscribe(ctx context.Context, eventType, workflow string) error
	Subscriptions() map[string][]Subscription
	// Schedule returns when the event will be made for the first time.
	Schedule(ctx context.Context, in ask.Scheduling) (time.Time, error)
	Unschedule(ctx context.Context, eventType string) error
	Schedules() map[string]Scheduled
	Entries() (Report, error)
	// Drop forgets an entry by its name, whatever it is.
	Drop(ctx context.Context, name string) error
}

// Where a route or schedule was declared.
const (
	OriginFile = "file"
	OriginAPI  = "api"
)

// Subscription is a route as those see it who subscribe.
type Subscription struct {
	WorkflowID string `json:"workflow_id"`
	// Config is as it was given, but for secrets; references stand as written.
	Config any `json:"config"`
	// CreatedAt is null for what the file declares.
	CreatedAt *time.Time `json:"created_at"`
	Origin    string     `json:"origin"`
	Route     string     `json:"route"`
}

// Scheduled is a schedule as those see it who ask for its events. Null are what
// it has not: an interval or a cron expression, a last run.
type Scheduled struct {
	IntervalSeconds *float64 `json:"interval_seconds"`
	Cron            *string  `json:"cron"`
	// StartedAt is when it was made; null for what the file declares.
	StartedAt *time.Time `json:"started_at"`
	LastRun   *time.Time `json:"last_run"`
	NextRun   *time.Time `json:"next_run"`
	Payload   any        `json:"payload"`
	Origin    string     `json:"origin"`
	Paused    bool       `json:"paused"`
	Schedule  string     `json:"schedule"`
}

// Report is all that was made while the gateway ran. YAML is what of it
// is in force, as it would stand in the file.
type Report struct {
	Entries []ask.OverlayEntry `json:"entries"`
	YAML    string             `json:"yaml"`
}

type server struct {
	Overlay
	log ask.Log
}

// Endpoints are all of them by method and path.
func Endpoints(o Overlay, log ask.Log) map[string]ask.Endpoint {
	s := server{o, log}
	return map[string]ask.Endpoint{
		"POST /api/events/subscribe/{event_type}":     s.subscribe,
		"DELETE /api/events/unsubscribe/{event_type}": s.unsubscribe,
		"GET /api/events":                   s.subscriptions,
		"GET /api/events/{event_type}":      s.subscriptionsOf,
		"POST /api/schedule/{event_type}":   s.schedule,
		"DELETE /api/schedule/{event_type}": s.unschedule,
		"GET /api/schedule":                 s.scheduled,
		"GET /api/v1/overlay":               s.overlay,
		"DELETE /api/v1/overlay/{name}":     s.dropOverlay,
	}
}

func (s server) subscribe(r *http.Request) (int, any, error) {
	in, err := ask.ReadSubscribing(r)
	if err != nil {
		return 0, nil, err
	}
	made, err := s.Overlay.Subscribe(r.Context(), in)
	if err != nil {
		return 0, nil, err
	}
	s.log(r, "workflow subscribed", zap.String("type", in.EventType), zap.String("workflow", in.Workflow), zap.String("route", made.Route))
	return http.StatusOK, map[string]any{
		"message": "Workflow " + in.Workflow + " subscribed to event " + in.EventType, "subscription": made,
	}, nil
}

func (s server) unsubscribe(r *http.Request) (int, any, error) {
	event := r.PathValue("event_type")
	workflow, err := ask.Parameter(r, "workflow_id")
	if err != nil {
		return 0, nil, err
	}
	if workflow == "" {
		return 0, nil, ask.Refuse(http.StatusUnprocessableEntity, "say which workflow: ?workflow_id=")
	}
	if err := s.Overlay.Unsubscribe(r.Context(), event, workflow); err != nil {
		return 0, nil, err
	}
	s.log(r, "workflow unsubscribed", zap.String("type", event), zap.String("workflow", workflow))
	return http.StatusOK, map[string]string{"message": "Workflow " + workflow + " unsubscribed from event " + event}, nil
}

func (s server) subscriptions(*http.Request) (int, any, error) {
	return http.StatusOK, s.Overlay.Subscriptions(), nil
}

func (s server) subscriptionsOf(r *http.Request) (int, any, error) {
	event := r.PathValue("event_type")
	found := s.Overlay.Subscriptions()[event]
	if len(found) == 0 {
		return 0, nil, ask.Refuse(http.StatusNotFound, "No subscriptions found for event %s", event)
	}
	return http.StatusOK, map[string][]Subscription{event: found}, nil
}

func (s server) schedule(r *http.Request) (int, any, error) {
	interval, err := ask.Parameter(r, "interval_seconds")
	if err != nil {
		return 0, nil, err
	}
	in, err := ask.ReadScheduling(r, interval)
	if err != nil {
		return 0, nil, err
	}
	next, err := s.Overlay.Schedule(r.Context(), in)
	if err != nil {
		return 0, nil, err
	}
	s.log(r, "event scheduled", zap.String("type", in.EventType), zap.Duration("interval", in.Interval))
	seconds := json.Number(ask.Seconds(in.Interval))
	return http.StatusCreated, map[string]any{
		"message":    "Event " + in.EventType + " scheduled to run every " + seconds.String() + " seconds",
		"event_type": in.EventType, "interval_seconds": seconds, "next_run": next.UTC(),
	}, nil
}

func (s server) unschedule(r *http.Request) (int, any, error) {
	event := r.PathValue("event_type")
	if err := s.Overlay.Unschedule(r.Context(), event); err != nil {
		return 0, nil, err
	}
	s.log(r, "event no longer scheduled", zap.String("type", event))
	return http.StatusOK, map[string]string{"message": "Scheduled event " + event + " cancelled", "event_type": event}, nil
}

func (s server) scheduled(*http.Request) (int, any, error) {
	return http.StatusOK, s.Overlay.Schedules(), nil
}

func (s server) overlay(*http.Request) (int, any, error) {
	report, err := s.Entries()
	if report.Entries == nil {
		report.Entries = []ask.OverlayEntry{} // [], never null
	}
	return http.StatusOK, report, err
}

func (s server) dropOverlay(r *http.Request) (int, any, error) {
	name := r.PathValue("name")
	if err := s.Overlay.Drop(r.Context(), name); err != nil {
		return 0, nil, err
	}
	s.log(r, "overlay entry dropped", zap.String("entry", name))
	return http.StatusOK, map[string]string{"message": "Entry " + name + " dropped"}, nil
}
