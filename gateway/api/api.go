// Package api is the admin side of the gateway over HTTP: it shows what the
// flow has stored and what is running, lets a person act on it, and takes
// events by hand. It stands beside the flow and only calls into it.
package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/declare"
	"github.com/event-gateway/gateway/gateway/api/engines"
	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/api/live"
	"github.com/event-gateway/gateway/gateway/api/revisions"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/store"
)

// Reader is what api reads from the store. Lists are newest first.
type Reader interface {
	Events(ctx context.Context, f store.EventFilter) ([]store.StoredEvent, error)
	// EventByID fails with store.ErrNotFound.
	EventByID(ctx context.Context, id string) (*store.StoredEvent, []*store.Delivery, error)
	Deliveries(ctx context.Context, f store.DeliveryFilter) ([]*store.Delivery, error)
	// Delivery fails with store.ErrNotFound.
	Delivery(ctx context.Context, seq int64) (*store.Delivery, []store.Attempt, error)
}

// Operator is what a person may do. Its errors are those of package store
// where one fits; anything else is answered as an internal error and logged.
type Operator interface {
	Retry(ctx context.Context, seq int64) error
	Discard(ctx context.Context, seq int64) error
	// Reload waits for the answer. A refused configuration is a result with
	// Problems, not an error.
	Reload(ctx context.Context) (ReloadResult, error)
	// Submit commits an event, of which the entry has all but the revision and
	// the deliveries: of a new one it has them afterwards.
	Submit(ctx context.Context, e *store.Entry) (store.Receipt, error)
}

// Status tells how the gateway is at this moment. It is called for every
// request that shows it and for every scrape, and must be quick.
type Status func() StatusReport

// Options are what New needs.
type Options struct {
	Reader   Reader
	Operator Operator
	Overlay  declare.Overlay
	// Schedules are steered through this, runs answered and cancelled; the others
	// are looked at.
	Schedules steer.Schedules
	Runs      runs.Runs
	Explain   explain.Explainer
	Engines   engines.Engines
	Revisions revisions.Revisions
	Status    Status
	// Metrics is the page that Prometheus scrapes; nil: there is none.
	Metrics http.Handler
	Log     *zap.Logger
	// Admin is the listener's host:port. Requests name that host, or a loopback one.
	Admin string
	// Live tells what happens; nil: nothing does.
	Live *live.Hub
	// Tokens that count; without any, who reaches the listener may do everything.
	Tokens func() []access.Token
	// MaxBody bounds a request's body, in bytes; 1 MiB when zero.
	MaxBody int64
}

const defaultMaxBody = 1 << 20

// New is the handler of everything on the admin listener. It starts nothing.
func New(o Options) http.Handler {
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	s := newServer(o)
	return s.guard(s.routes())
}

func newServer(o Options) *server {
	if o.Live == nil {
		o.Live = live.New()
	}
	if o.Tokens == nil {
		o.Tokens = func() []access.Token { return nil }
	}
	return &server{Options: o, now: time.Now, gate: &access.Gate{Tokens: o.Tokens, Admin: o.Admin, Refuse: refuseEntry}}
}

type server struct {
	Options
	now  func() time.Time
	gate *access.Gate
	// patterns are those of all endpoints, for the tests of their description.
	patterns []string
}

// rightFor is what a request needs. Whoever may look may get all there is to
// look at; anything else changes something, and is for who operates, unless it
// only hands in an event.
func rightFor(pattern string) access.Right {
	switch pattern {
	case "GET /healthz", "GET /readyz":
		return access.Anybody
	case "POST /api/v1/events", "POST /api/events/trigger/{event_type}":
		return access.Send
	}
	if strings.HasPrefix(pattern, "GET ") {
		return access.Read
	}
	return access.Operate
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h http.Handler) {
		s.patterns = append(s.patterns, pattern)
		mux.Handle(pattern, s.gate.Need(rightFor(pattern), h))
	}
	for pattern, h := range map[string]handler{
		"GET /api/v1/status":                   s.status,
		"GET /api/v1/config":                   s.config,
		"GET /api/v1/engines":                  s.engines,
		"GET /api/v1/webhooks":                 s.webhooks,
		"GET /api/v1/routes":                   s.routeList,
		"GET /api/v1/events":                   s.events,
		"GET /api/v1/events/{id}":              s.event,
		"POST /api/v1/events":                  s.submit,
		"GET /api/v1/deliveries":               s.deliveries,
		"GET /api/v1/deliveries/{id}":          s.delivery,
		"POST /api/v1/deliveries/{id}/retry":   s.retry,
		"POST /api/v1/deliveries/{id}/discard": s.discard,
		"GET /healthz":                         s.healthz,
		"GET /readyz":                          s.readyz,
	} {
		handle(pattern, s.answer(h))
	}
	handle("POST /-/reload", s.slow(reloadTime, s.reload))
	handle("POST /api/events/trigger/{event_type}", s.slow(maxWait+time.Minute, s.trigger))
	handle("GET /api/v1/stream", http.HandlerFunc(s.stream))
	for _, endpoints := range []map[string]ask.Endpoint{
		declare.Endpoints(s.Overlay, s.logChange),
		steer.Endpoints(s.Schedules, s.logChange, func() time.Time { return s.now() }),
		runs.Endpoints(s.Runs, s.logChange),
		engines.Endpoints(s.Engines),
		explain.Endpoints(s.Explain),
		revisions.Endpoints(s.Revisions),
	} {
		for pattern, h := range endpoints {
			handle(pattern, s.answer(part(h)))
		}
	}
	handle("GET /openapi.json", http.HandlerFunc(describe))
	if s.Metrics != nil {
		handle("GET /metrics", s.Metrics)
	}
	return s.explainMisses(mux)
}

// handler is an endpoint: it returns what is written as JSON, or why not.
type handler func(*http.Request) (reply, error)

// part is an endpoint of a part of api.
func part(h ask.Endpoint) handler {
	return func(r *http.Request) (reply, error) {
		code, body, err := h(r)
		return reply{code, body}, err
	}
}

// reply is a JSON answer; a zero code is 200.
type reply struct {
	code int
	body any
}
