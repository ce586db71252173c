// Package underway is what people see of runs and of the processes that they
// run in, and what they do with them: it stands between api, which shows it,
// and dispatch and engine, which have it.
package underway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/engines"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/dispatch/attempt"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/webhook/schema"
)

// Runs is what people may do with runs.
type Runs struct {
	Dispatch *dispatch.Dispatcher
	Log      *zap.Logger
}

// Underway are the attempts that have not ended, newest delivery first.
func (u Runs) Underway() []runs.Run {
	all := u.Dispatch.Runs()
	list := make([]runs.Run, len(all))
	for i := range all {
		list[i] = viewRun(&all[i])
	}
	return list
}

// Answer hands an answer to a run that waits for one. It is held against the
// schema that the run asked with.
func (u Runs) Answer(_ context.Context, seq int64, answer json.RawMessage) error {
	run, ok := u.Dispatch.RunOf(seq)
	if !ok {
		return store.ErrNotFound
	}
	if err := u.fits(&run, answer); err != nil {
		return err
	}
	err := u.Dispatch.Answer(seq, answer)
	var large *engine.TooLargeError
	switch {
	case errors.Is(err, engine.ErrDown), errors.Is(err, engine.ErrBusy):
		return runs.ErrAway
	case errors.As(err, &large):
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", runs.ErrUnfit, large.Size, large.Max)
	}
	return err
}

// fits holds an answer against the schema that the engine asked with. A schema
// that is none is the engine's mistake, not the answer's.
func (u Runs) fits(run *attempt.Run, answer json.RawMessage) error {
	if !run.Waiting || len(run.Question.Schema) == 0 {
		return nil
	}
	compiled, err := schema.Compile(run.Question.Schema)
	if err != nil {
		u.Log.Warn("an engine asked with a schema that is none", zap.String("engine", run.Engine), zap.String("workflow", run.Workflow), zap.Error(err))
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("%w: %w", runs.ErrUnfit, err)
	}
	if err := compiled.Check(value); err != nil {
		return fmt.Errorf("%w: %w", runs.ErrUnfit, err)
	}
	return nil
}

// Cancel asks a run to end.
func (u Runs) Cancel(_ context.Context, seq int64) error { return u.Dispatch.Cancel(seq) }

func viewRun(r *attempt.Run) runs.Run {
	v := runs.Run{
		Delivery: store.FormatID(r.Seq), EventID: r.EventID, RunID: r.ID, Route: r.Route, Engine: r.Engine, Workflow: r.Workflow,
		State: "running", Attempt: r.Attempt, Process: r.Process, Started: r.Started.UTC(), Deadline: r.Deadline.UTC(),
	}
	switch {
	case r.Cancelled:
		v.State = "cancelling"
	case r.Waiting:
		v.State = "waiting"
	}
	if r.Waiting {
		v.Question = &runs.Question{Prompt: r.Question.Prompt, Since: r.Question.At.UTC()}
		if json.Valid(r.Question.Schema) {
			v.Question.Schema = r.Question.Schema
		}
	}
	if p := r.Progress; !p.At.IsZero() {
		v.Progress = &runs.Progress{Step: p.Step, Message: p.Message, At: p.At.UTC()}
		if p.Fraction >= 0 {
			fraction := min(p.Fraction, 1)
			v.Progress.Fraction = &fraction
		}
	}
	return v
}

// Engines is what people may see of engines.
type Engines struct {
	Pool *engine.Pool
	// Declared tells whether the configuration in force has an engine.
	Declared func(name string) bool
}

// Log is the last lines that an engine printed, oldest first.
func (e Engines) Log(name string) (lines []engines.LogLine, declared bool) {
	if !e.Declared(name) {
		return nil, false
	}
	for _, line := range e.Pool.Log(name) {
		lines = append(lines, engines.LogLine{N: line.N, At: line.At.UTC(), Level: line.Level, Text: line.Text})
	}
	return lines, true
}
