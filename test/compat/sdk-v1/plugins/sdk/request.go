package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Request is one run to be done.
type Request struct {
	// Key is the idempotency key: stable over attempts, restarts and replays.
	Key string
	// Workflow is what to run.
	Workflow string
	// Attempt is 1 for the first.
	Attempt int
	// Deadline is when the gateway cancels the run; zero is never.
	Deadline time.Time
	// FirstAttemptAt is when attempt 1 began.
	FirstAttemptAt time.Time
	// Event is what happened.
	Event Event
	// Input is what the route's `with:` made; empty without `with:`.
	Input json.RawMessage

	// run is nil in an author's own unit tests.
	run *run
}

// Decode stores Input in v, as json.Unmarshal does; no input leaves v as it is.
func (r *Request) Decode(v any) error {
	if len(r.Input) == 0 {
		return nil
	}
	return json.Unmarshal(r.Input, v)
}

// Accept tells the gateway under which id the run exists in the engine, as
// soon as that is known: it is what people look for, and what Get is given.
func (r *Request) Accept(runID string) {
	if r.run != nil {
		r.run.accept(runID)
	}
}

// Progress tells people how far the run is: a step, a sentence, and a
// fraction from 0 to 1, negative when unknown.
func (r *Request) Progress(step, message string, fraction float64) {
	if r.run != nil {
		r.run.progress(step, message, fraction)
	}
}

// Wait asks for an answer and blocks until it is there or ctx ends. A waiting
// run holds no place among the runs in flight, and its deadline stands still.
// The wait is lost when the engine stops, unless the engine is a [Getter] and
// an [Answerer]; a lost run is started again.
func (r *Request) Wait(ctx context.Context, p Prompt) (json.RawMessage, error) {
	if r.run == nil {
		return nil, errors.New("wait: not served by a gateway")
	}
	return r.run.wait(ctx, p)
}
