// Package routing joins routes to what is around them: to how they are declared,
// and to the events and revisions in the store, for people who ask why. It is a
// part of gateway, which composes.
package routing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/store"
)

// Spec translates a declared route.
func Spec(name string, r config.Route) route.Spec {
	match := make(map[string][]any, len(r.Match))
	for path, values := range r.Match {
		match[path] = values
	}
	return route.Spec{
		Name: name, Events: r.Events, Match: match, When: string(r.When), Key: string(r.Key), With: r.With,
		Engine: r.Run.Engine, Workflow: r.Run.Workflow,
	}
}

// Rule is how a declared route is dispatched.
func Rule(r config.Route) dispatch.Rule {
	return dispatch.Rule{
		Engine: r.Run.Engine, Workflow: r.Run.Workflow,
		Retry: dispatch.Retry{
			Attempts: r.Retry.Attempts, Min: time.Duration(r.Retry.Backoff.Min), Max: time.Duration(r.Retry.Backoff.Max),
			Jitter: float64(r.Retry.Jitter) / 100, GiveUpAfter: time.Duration(r.Retry.GiveUpAfter),
		},
		Timeout: time.Duration(r.Timeout), Concurrency: r.Concurrency, Strict: r.Order == "strict",
	}
}

// Events finds events in the store.
type Events interface {
	EventByID(ctx context.Context, id string) (*store.StoredEvent, []*store.Delivery, error)
}

// History finds configurations that were in force.
type History interface {
	// Document of the revision that begins so. It fails with explain.ErrRevision.
	// Its problems are those that it would have where it is read.
	Document(ctx context.Context, prefix string) (revision string, doc *config.Document, problems config.Problems, err error)
}

// Explainer tells what routes make of stored events.
type Explainer struct {
	Env     *expr.Env
	Events  Events
	History History
	// Live are the routes in force.
	Live func() *intake.Rules
}

// Explain asks all routes, of a revision or in force, about a stored event.
func (e Explainer) Explain(ctx context.Context, id, revision string) (explain.Explanation, error) {
	stored, _, err := e.Events.EventByID(ctx, id)
	if err != nil {
		return explain.Explanation{}, err
	}
	out := explain.Explanation{Event: explain.Explained{
		ID: stored.Event.ID, Source: stored.Event.Source, Type: stored.Event.Type, Revision: stored.Revision,
	}}
	rules := e.Live()
	table := rules.Table
	if out.Revision = rules.Revision; revision != "" && revision != rules.Revision {
		if out.Revision, table, err = e.past(ctx, revision); err != nil {
			return out, err
		}
	}
	out.Routes = rehearse.Explain(table, stored.Event)
	return out, nil
}

// past compiles the routes of a revision. What else is wrong with it by now,
// such as secrets that are not kept, matters to no route.
func (e Explainer) past(ctx context.Context, prefix string) (string, *route.Table, error) {
	revision, doc, problems, err := e.History.Document(ctx, prefix)
	if err != nil {
		return "", nil, err
	}
	for _, p := range problems {
		if p.Severity == config.Error && (p.Path == "" || strings.HasPrefix(p.Path, "routes") || strings.HasPrefix(p.Path, "defaults")) {
			return "", nil, fmt.Errorf("%w: %s", explain.ErrUnreadable, p.String())
		}
	}
	var specs []route.Spec
	for name, r := range doc.Config.Routes {
		if r.Enabled {
			specs = append(specs, Spec(name, r))
		}
	}
	table, mistakes := route.Compile(specs, e.Env, &route.Counters{})
	if len(mistakes) > 0 {
		return "", nil, fmt.Errorf("%w: %w", explain.ErrUnreadable, mistakes[0])
	}
	return revision, table, nil
}
