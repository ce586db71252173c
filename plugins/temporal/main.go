// Command temporal is the engine that hands deliveries over to Temporal: it
// stands at the end of the flow, where a delivery starts a Temporal workflow,
// signals one, or both, and may wait for its end.
//
// It is a module of its own, so that what it needs of Temporal's stays out of
// the gateway. See docs/engine-temporal.md.
package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() { sdk.Serve(&engine{}) }

// engine is set once, by Configure, before any run.
type engine struct {
	workflows map[string]*workflow
	address   string
	namespace string
	temporal  workflowservice.WorkflowServiceClient
}

// Describe lists the entries of `workflows:`.
func (e *engine) Describe(context.Context) (sdk.Description, error) {
	d := sdk.Description{Name: "temporal"}
	for _, name := range slices.Sorted(maps.Keys(e.workflows)) {
		w := e.workflows[name]
		d.Workflows = append(d.Workflows, sdk.Workflow{Name: name, Description: w.about(), InputSchema: w.id.schema()})
	}
	return d, nil
}

// Check finds what an id needs and `with:` does not make.
func (e *engine) Check(_ context.Context, r sdk.Route) error {
	w, known := e.workflows[r.Workflow]
	if !known {
		return nil // the SDK knows what is meant
	}
	return w.id.check(r)
}

// Run hands a delivery over. Everything it does can be done again with the
// same key: Temporal knows the workflow by its id, and the signal by the key.
func (e *engine) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	w, known := e.workflows[r.Workflow]
	if !known {
		return sdk.Result{}, sdk.Permanent(fmt.Errorf("unknown workflow %q", r.Workflow))
	}
	d, err := w.deliver(r)
	if err != nil {
		return sdk.Result{}, sdk.Permanent(err)
	}
	x, there, err := e.hand(ctx, d)
	if err != nil {
		return sdk.Result{}, err
	}
	if w.wait {
		return e.follow(ctx, r, w, x)
	}
	return sdk.Result{Output: handed{x.id, x.run, there}}, nil
}

// handed is the output of a delivery that does not wait.
type handed struct {
	WorkflowID     string `json:"workflow_id"`
	RunID          string `json:"run_id,omitempty"`
	AlreadyStarted bool   `json:"already_started"`
}
