package main

import (
	"errors"
	"fmt"

	"go.temporal.io/api/history/v1"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// outcome is how an execution ended.
type outcome struct {
	// next is the run that goes on in its place: it continues as new, or
	// Temporal tries the workflow again.
	next   string
	output any
	err    error // nil when it completed
	again  bool  // a new start might end differently
}

// outcomeOf reads an event; nil when it does not end the execution.
func outcomeOf(event *history.HistoryEvent) *outcome {
	if a := event.GetWorkflowExecutionCompletedEventAttributes(); a != nil {
		return &outcome{next: a.GetNewExecutionRunId(), output: output(a.GetResult())}
	}
	if a := event.GetWorkflowExecutionFailedEventAttributes(); a != nil {
		err := fmt.Errorf("failed: %s", explain(a.GetFailure()))
		return &outcome{next: a.GetNewExecutionRunId(), err: err, again: !forGood(a.GetFailure())}
	}
	if a := event.GetWorkflowExecutionTimedOutEventAttributes(); a != nil {
		return &outcome{next: a.GetNewExecutionRunId(), err: errors.New("timed out in Temporal"), again: true}
	}
	if a := event.GetWorkflowExecutionContinuedAsNewEventAttributes(); a != nil {
		return &outcome{next: a.GetNewExecutionRunId()}
	}
	if a := event.GetWorkflowExecutionTerminatedEventAttributes(); a != nil {
		return &outcome{err: because("was terminated", a.GetReason())}
	}
	if event.GetWorkflowExecutionCanceledEventAttributes() != nil {
		// Perhaps by us, when the time of the attempt before this was up.
		return &outcome{err: errors.New("was cancelled"), again: true}
	}
	return nil
}

func because(what, reason string) error {
	if reason != "" {
		what += ": " + reason
	}
	return errors.New(what)
}

// result is the outcome of the delivery. A failure is for good unless the next
// attempt may start the workflow anew: with reuse: never it would only find
// the one that has failed.
func (o *outcome) result(w *workflow, x execution) (sdk.Result, error) {
	if o.err == nil {
		return sdk.Result{Output: o.output}, nil
	}
	err := fmt.Errorf("workflow %q %w", x.id, o.err)
	if o.again && w.mode == modeStart && w.reuse == reuseFailed {
		return sdk.Result{}, err
	}
	return sdk.Result{}, sdk.Permanent(err)
}
