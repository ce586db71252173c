package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// follow waits for the end of a workflow, however often it continues as new
// or is tried again, and through every absence of Temporal.
func (e *engine) follow(ctx context.Context, r *sdk.Request, w *workflow, x execution) (sdk.Result, error) {
	for {
		r.Accept(x.String())
		event, err := e.await(ctx, x)
		if ctx.Err() != nil {
			return sdk.Result{}, e.leave(ctx, r.Key, w, x)
		}
		if isMissing(err) {
			return sdk.Result{}, forgotten(x)
		}
		if err != nil {
			return sdk.Result{}, e.failure(ctx, "follow", err)
		}
		end := outcomeOf(event)
		if end.next == "" {
			return end.result(w, x)
		}
		x.run = end.next
	}
}

// forgotten is a workflow of which Temporal can't tell how it ended. Starting
// it again is for people to decide.
func forgotten(x execution) error {
	return sdk.Permanent(fmt.Errorf("workflow %q is gone from Temporal, its end unknown: retention is over, or it was deleted", x.id))
}

// Pauses between attempts to ask a Temporal that does not answer.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 15 * time.Second
)

// await asks for the event that ends an execution until there is one. The
// server holds each question for some seconds.
func (e *engine) await(ctx context.Context, x execution) (*history.HistoryEvent, error) {
	var token []byte
	for pause := firstPause; ; {
		event, next, err := e.ask(ctx, x, token, true)
		switch {
		case event != nil:
			return event, nil
		case err != nil && (ctx.Err() != nil || lasts(err)):
			return nil, err
		case err == nil && len(next) > 0:
			token, pause = next, firstPause
			continue
		}
		token = nil
		select {
		case <-time.After(pause):
			pause = min(pause*2, lastPause)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// askTime is longer than a server holds a question.
const askTime = 70 * time.Second

// ask asks for the event that ends an execution; nil while it goes on.
func (e *engine) ask(ctx context.Context, x execution, token []byte, hold bool) (*history.HistoryEvent, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, err := e.temporal.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: e.namespace, Execution: x.proto(), NextPageToken: token, WaitNewEvent: hold, SkipArchival: true,
		HistoryEventFilterType: enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
	})
	if err != nil {
		return nil, nil, err
	}
	for _, event := range m.GetHistory().GetEvents() {
		if outcomeOf(event) != nil {
			return event, nil, nil
		}
	}
	return nil, m.NextPageToken, nil
}

// leave ends a run whose workflow goes on. One that the gateway gave up, by
// cancelling it or by its time-out, is cancelled in Temporal, if this delivery
// has started it; one that ends because the engine stops is found again.
func (e *engine) leave(ctx context.Context, key string, w *workflow, x execution) error {
	cause := context.Cause(ctx)
	err := fmt.Errorf("workflow %q: %w", x.id, cause)
	if errors.Is(cause, sdk.ErrShutdown) || !w.cancel {
		return err
	}
	ctx, done := context.WithTimeoutCause(context.WithoutCancel(ctx), cancelTime, errSilent)
	defer done()
	if no := e.cancel(ctx, key, x, cause.Error()); no != nil {
		sdk.Logger().Error("the workflow is not cancelled and goes on", "key", key, "workflow_id", x.id, "error", no.Error())
		return fmt.Errorf("%w; it is not cancelled and goes on: %w", err, said(no))
	}
	return err
}

// cancelTime is less than the gateway waits for the end of what it cancelled.
const cancelTime = 5 * time.Second

func (e *engine) cancel(ctx context.Context, key string, x execution, why string) error {
	info, err := e.describe(ctx, x)
	if isMissing(err) || err == nil && originOf(info.GetWorkflowExecutionInfo().GetMemo()).Key != key {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = e.temporal.RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: e.namespace, Identity: identity, WorkflowExecution: x.proto(), RequestId: key, Reason: why,
	})
	if isMissing(err) {
		return nil // it has ended meanwhile
	}
	return err
}

func (e *engine) describe(ctx context.Context, x execution) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return e.temporal.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: e.namespace, Execution: x.proto(),
	})
}

// statusOf is the word of Temporal's own pages: completed, timed out.
func statusOf(m *workflowservice.DescribeWorkflowExecutionResponse) string {
	word := m.GetWorkflowExecutionInfo().GetStatus().String()
	if word == enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT.String() {
		return "timed out"
	}
	return strings.ToLower(word)
}

// Get tells what became of a workflow that was waited for. A run that was not
// accepted yet is unknown: started again with its key it is the same workflow.
func (e *engine) Get(ctx context.Context, _, runID string) (sdk.State, error) {
	x, ok := parseExecution(runID)
	if !ok {
		return sdk.State{Status: sdk.Unknown}, nil
	}
	info, err := e.describe(ctx, x)
	switch {
	case isMissing(err):
		return sdk.State{Status: sdk.Failed, Err: forgotten(x)}, nil
	case err != nil:
		return sdk.State{}, e.failure(ctx, "describe", err)
	case info.GetWorkflowExecutionInfo().GetCloseTime() == nil:
		return sdk.State{Status: sdk.Running, RunID: runID}, nil
	}
	event, _, err := e.ask(ctx, x, nil, false)
	if err != nil {
		return sdk.State{}, e.failure(ctx, "follow", err)
	}
	end := outcomeOf(event)
	if end == nil {
		return sdk.State{}, fmt.Errorf("workflow %q has ended, and its history does not tell how", x.id)
	}
	if end.next != "" {
		return sdk.State{Status: sdk.Running, RunID: execution{x.id, end.next}.String()}, nil
	}
	result, err := end.result(e.entry(info), x)
	if err != nil {
		return sdk.State{Status: sdk.Failed, Err: err}, nil
	}
	return sdk.State{Status: sdk.Succeeded, Result: result}, nil
}

// Follow takes up a workflow that Get has found running.
func (e *engine) Follow(ctx context.Context, r *sdk.Request, runID string) (sdk.Result, error) {
	x, _ := parseExecution(runID) // Get has read it
	info, err := e.describe(ctx, x)
	if err != nil {
		return sdk.Result{}, e.failure(ctx, "describe", err)
	}
	return e.follow(ctx, r, e.entry(info), x)
}

// entry is what the configuration says of a workflow that is there. One that
// it does not name any more is treated as one that says nothing.
func (e *engine) entry(m *workflowservice.DescribeWorkflowExecutionResponse) *workflow {
	w := e.workflows[originOf(m.GetWorkflowExecutionInfo().GetMemo()).Workflow]
	if w == nil {
		w = &workflow{cancel: true}
	}
	return w
}
