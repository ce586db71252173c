// Command testengine is an engine for the tests of package e2e: it writes
// down what it runs, and it misbehaves when an event asks for it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() {
	// GATEWAY_TEST_PIDS is where every process leaves its number, also one
	// that never gets as far as being configured.
	pid := strconv.Itoa(os.Getpid())
	if err := os.WriteFile(filepath.Join(os.Getenv("GATEWAY_TEST_PIDS"), pid), nil, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv("GATEWAY_TEST_DURABLE") != "" {
		sdk.Serve(&durable{})
	}
	sdk.Serve(&engine{})
}

// engine has three workflows: note, long and fault.
type engine struct {
	config  config
	journal *os.File
}

type config struct {
	// Journal is the file that every run appends to.
	Journal string `json:"journal"`
	// Delay is the longest that a note takes, in milliseconds.
	Delay int `json:"delay"`
	// Refuse, when set, is why the engine takes no configuration.
	Refuse string `json:"refuse"`
}

func (e *engine) Configure(_ context.Context, c *sdk.Config) (err error) {
	if err := c.Decode(&e.config); err != nil {
		return err
	}
	if e.config.Refuse != "" {
		return sdk.Problem{Path: []string{"refuse"}, Message: e.config.Refuse}
	}
	e.journal, err = os.OpenFile(e.config.Journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

func (e *engine) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{Name: "testengine", Workflows: []sdk.Workflow{{Name: "note"}, {Name: "long"}, {Name: "fault"}}}, nil
}

// input is the `with:` of the routes.
type input struct {
	Route string `json:"route"`
	// Fault is what goes wrong, once.
	Fault string `json:"fault"`
	// For is how long a long run takes.
	For string `json:"for"`
}

func (e *engine) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return sdk.Result{}, sdk.Permanent(err)
	}
	e.note("begin", in.Route, r)
	err := e.do(ctx, r, in)
	if err == nil {
		e.note("end", in.Route, r)
	}
	return sdk.Result{Output: os.Getpid()}, err
}

func (e *engine) do(ctx context.Context, r *sdk.Request, in input) error {
	switch r.Workflow {
	case "note":
		return pause(ctx, rand.N(time.Duration(e.config.Delay)*time.Millisecond+1))
	case "long":
		d, err := time.ParseDuration(in.For)
		return errors.Join(err, pause(ctx, d))
	case "fault":
		if !e.first(in.Fault) {
			return nil
		}
		return misbehave(ctx, in.Fault, e.config.Journal)
	}
	return sdk.Permanent(fmt.Errorf("no workflow %q", r.Workflow))
}

// first tells whether a fault is due: it is, the first time that it is asked.
func (e *engine) first(fault string) bool {
	f, err := os.OpenFile(e.config.Journal+"."+fault, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// data is what the tests' senders send, and what a debounce makes of that.
type data struct {
	Sender string `json:"sender"`
	N      int    `json:"n"`
	Events []struct {
		ID   string `json:"id"`
		Data data   `json:"data"`
	} `json:"events"`
}

// note appends a line with one write, or one for each event of a group: those of
// several processes don't mix.
func (e *engine) note(what, route string, r *sdk.Request) {
	var d data
	_ = r.Event.Decode(&d) // what isn't there is noted as nothing
	lines := e.line(nil, what, route, r, r.Event.ID, d)
	if len(d.Events) > 0 {
		lines = nil
	}
	for _, member := range d.Events {
		lines = e.line(lines, what, route, r, member.ID, member.Data)
	}
	if _, err := e.journal.Write(lines); err != nil {
		panic(err)
	}
}

func (e *engine) line(lines []byte, what, route string, r *sdk.Request, event string, d data) []byte {
	line, err := json.Marshal(map[string]any{
		"what": what, "route": route, "key": r.Key, "event": event, "attempt": r.Attempt,
		"sender": d.Sender, "n": d.N, "pid": os.Getpid(), "at": time.Now().UnixNano(),
	})
	if err != nil {
		panic(err)
	}
	return append(append(lines, line...), '\n')
}
