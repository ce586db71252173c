// Command http is the engine that calls other services: it stands at the end
// of the flow, turning a delivery into one signed HTTP request and the answer's
// status into the delivery's outcome.
//
// See docs/engine-http.md for its configuration and for what a service gets.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() { sdk.Serve(&engine{}) }

// engine is set once, by Configure, before any run.
type engine struct {
	requests map[string]*request
	via      http.RoundTripper
}

// Describe lists the requests. What a URL holds may be a secret, so only its
// host is shown.
func (e *engine) Describe(context.Context) (sdk.Description, error) {
	d := sdk.Description{Name: "http"}
	for _, name := range sorted(e.requests) {
		q := e.requests[name]
		about := q.description
		if about == "" {
			about = q.method + " " + q.url.origin
		}
		d.Workflows = append(d.Workflows, sdk.Workflow{Name: name, Description: about, InputSchema: q.schema()})
	}
	return d, nil
}

// Check compares the keys of `with:` with those that the request uses.
func (e *engine) Check(_ context.Context, r sdk.Route) error {
	if len(e.requests) == 0 {
		return fmt.Errorf("unknown workflow %q: no requests are configured", r.Workflow)
	}
	q, known := e.requests[r.Workflow]
	if !known {
		return nil // the SDK knows what is meant
	}
	return q.check(r)
}

// Run makes the request and reads the answer.
func (e *engine) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	q, known := e.requests[r.Workflow]
	if !known {
		return sdk.Result{}, sdk.Permanent(fmt.Errorf("unknown workflow %q", r.Workflow))
	}
	return q.run(ctx, e.via, r)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// object is a JSON object of texts and lists, which always encodes.
func object(m map[string]any) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}
