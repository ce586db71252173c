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
	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/gather"
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
		Gather: r.Debounce != nil, Engine: r.Run.Engine, Workflow: r.Run.Workflow,
	}
}

// Rule is how a declared route is dispatched.
func Rule(r config.Route) dispatch.Rule {
	return dispatch.Rule{
		Engine: r.Run.Engine, Workflow: r.Run.Workflow,
		Retry: outcome.Retry{
			Attempts: r.Retry.Attempts, Min: time.Duration(r.Retry.Backoff.Min), Max: time.Duration(r.Retry.Backoff.Max),
			Jitter: float64(r.Retry.Jitter) / 100, GiveUpAfter: time.Duration(r.Retry.GiveUpAfter),
		},
		Timeout: time.Duration(r.Timeout), Concurrency: r.Concurrency, Strict: r.Order == "strict", Priority: r.Priority,
		Rate: pace.Rate{Count: r.Rate.Count, Window: time.Duration(r.Rate.Window)},
	}
}

// Debounces are the rules by which the deliveries of all routes gather.
func Debounces(c *config.Config) map[string]gather.Rule {
	rules := make(map[string]gather.Rule, len(c.Routes))
	for name, r := range c.Routes {
		if !r.Enabled {
			continue
		}
		if rules[name] = (gather.Rule{}); r.Debounce != nil {
			rules[name] = gather.Rule{Wait: time.Duration(r.Debounce.Wait), Max: time.Duration(r.Debounce.Max)}
		}
	}
	return rules
}

// Held tells why deliveries of a route wait by its own doing; empty when not.
func Held(d *dispatch.Dispatcher, g *gather.Gatherer, name string, r config.Route) string {
	if d.Held(name) {
		return "as many have been started as its rate allows, " + r.Rate.String()
	}
	if n, until := g.Waiting(name); n > 0 {
		return fmt.Sprintf("%d events gathered so far; the first run at %s UTC, or later if more come", n, until.UTC().Format(time.TimeOnly))
	}
	return ""
}

// Past is what remembers what former processes did, the store.
type Past interface {
	Starts(ctx context.Context) ([]store.Start, error)
	Gathering(ctx context.Context) ([]string, error)
}

// Recall has dispatch and gather go on where former processes ended.
func Recall(ctx context.Context, s Past, d *dispatch.Dispatcher, g *gather.Gatherer) error {
	starts, err := s.Starts(ctx)
	if err != nil {
		return err
	}
	routes, err := s.Gathering(ctx)
	if err == nil {
		d.Recall(starts)
		g.Recall(routes)
	}
	return err
}

// Specs translates all routes that are in force.
func Specs(c *config.Config) (list []route.Spec) {
	for name, r := range c.Routes {
		if r.Enabled {
			list = append(list, Spec(name, r))
		}
	}
	return list
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
	if store.IsGroup(id) {
		first, _ := stored.Event.Look([]string{"events", "0", "id"})
		return explain.Explanation{}, fmt.Errorf("event %s cannot be explained: %w; ask about one of them, such as %v", id, explain.ErrGroup, first)
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
	table, mistakes := route.Compile(Specs(doc.Config), e.Env, &route.Counters{})
	if len(mistakes) > 0 {
		return "", nil, fmt.Errorf("%w: %w", explain.ErrUnreadable, mistakes[0])
	}
	return revision, table, nil
}
