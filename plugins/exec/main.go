//go:build unix

// Command exec is the engine that runs programs: it stands at the end of the
// flow, turning a delivery into one process that reads the event from its
// standard input and leaves the output on its standard output.
//
// See docs/engine-exec.md for its configuration and for what a program gets.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == reapArg {
		reap(os.Stdin)
		return
	}
	sdk.Serve(newEngine())
}

func newEngine() *engine { return &engine{reaper: &reaper{live: map[int]bool{}}} }

// engine is set once, by Configure, before any run.
type engine struct {
	reaper   *reaper
	baseDir  string
	dir      string // of the scripts; empty without one
	commands map[string]command
}

// Describe lists the workflows that there are now.
func (e *engine) Describe(context.Context) (sdk.Description, error) {
	d := sdk.Description{Name: "exec"}
	commands, err := e.workflows()
	if err != nil {
		return d, err
	}
	for _, name := range sorted(commands) {
		d.Workflows = append(d.Workflows, sdk.Workflow{Name: name, Description: commands[name].String()})
	}
	return d, nil
}

// Check knows two things that the list of workflows doesn't tell: why a
// script is not on it, and that an empty list has nothing to run.
func (e *engine) Check(_ context.Context, r sdk.Route) error {
	commands, err := e.workflows()
	if err != nil {
		return err
	}
	_, known := commands[r.Workflow]
	if hint := e.hint(r.Workflow); !known && (hint != "" || len(commands) == 0) {
		return fmt.Errorf("unknown workflow %q%s", r.Workflow, hint)
	}
	return nil
}

// Run runs the workflow's program.
func (e *engine) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	c, err := e.find(r.Workflow)
	if err != nil {
		return sdk.Result{}, err
	}
	stdin, err := input(r)
	if err != nil {
		return sdk.Result{}, sdk.Permanent(err)
	}
	return c.run(ctx, e.reaper, r, stdin)
}
