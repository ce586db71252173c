package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// durable is the engine with two more workflows, whose runs outlive it: ask
// waits for a person, and remote goes on in a system of its own, which is a
// file that says when it has ended.
type durable struct{ engine }

// Describe lists the workflows.
func (d *durable) Describe(ctx context.Context) (sdk.Description, error) {
	all, err := d.engine.Describe(ctx)
	all.Workflows = append(all.Workflows, sdk.Workflow{Name: "ask"}, sdk.Workflow{Name: "remote"})
	return all, err
}

// record is what is kept of a run.
type record struct {
	Workflow string
	Ends     time.Time
	Answer   json.RawMessage `json:",omitempty"`
}

func (d *durable) file(key string) string { return d.config.Journal + "." + key }

func (d *durable) load(key string) (r record, known bool, err error) {
	text, err := os.ReadFile(d.file(key))
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, errors.Join(err, json.Unmarshal(text, &r))
}

func (d *durable) save(key string, r record) error {
	text, err := json.Marshal(r)
	return errors.Join(err, os.WriteFile(d.file(key)+".new", text, 0o600), os.Rename(d.file(key)+".new", d.file(key)))
}

var question = sdk.Prompt{Text: "deploy?", Schema: []byte(`{"type":"boolean"}`)}

// Run begins a run, unless it has begun before.
func (d *durable) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	if r.Workflow != "ask" && r.Workflow != "remote" {
		return d.engine.Run(ctx, r)
	}
	var in input
	if err := r.Decode(&in); err != nil {
		return sdk.Result{}, sdk.Permanent(err)
	}
	d.note("begin", r.Workflow, r)
	took, _ := time.ParseDuration(in.For)
	if err := d.save(r.Key, record{Workflow: r.Workflow, Ends: time.Now().Add(took)}); err != nil {
		return sdk.Result{}, err
	}
	r.Accept("run-" + r.Key)
	r.Progress("half", "of the work is done", 0.5)
	if r.Workflow == "remote" {
		return sdk.Result{Output: "remote"}, pause(ctx, took)
	}
	answer, err := r.Wait(ctx, question)
	if err != nil {
		return sdk.Result{}, err
	}
	r.Input = answer
	return d.Answer(ctx, r)
}

// Answer ends a run that asked.
func (d *durable) Answer(_ context.Context, r *sdk.Request) (sdk.Result, error) {
	d.note("answer", "ask", r)
	return sdk.Result{Output: r.Input}, d.save(r.Key, record{Workflow: "ask", Answer: r.Input})
}

// Get tells of a run of this process or of one before it.
func (d *durable) Get(_ context.Context, key, _ string) (sdk.State, error) {
	r, known, err := d.load(key)
	switch {
	case err != nil || !known:
		return sdk.State{}, err
	case r.Workflow == "ask" && r.Answer == nil:
		return sdk.State{Status: sdk.Waiting, Prompt: question}, nil
	case r.Workflow == "ask":
		return sdk.State{Status: sdk.Succeeded, Result: sdk.Result{Output: r.Answer}}, nil
	case time.Now().Before(r.Ends):
		return sdk.State{Status: sdk.Running, RunID: fmt.Sprint("run-", key)}, nil
	}
	return sdk.State{Status: sdk.Succeeded, Result: sdk.Result{Output: "remote"}}, nil
}
