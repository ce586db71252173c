package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// execution is one run of a workflow in Temporal.
type execution struct{ id, run string }

// String is what the gateway keeps as the run's id: all that it takes to find
// the run again, and how Temporal's own pages spell it.
func (x execution) String() string { return x.id + "/" + x.run }

func parseExecution(s string) (x execution, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i <= 0 || i == len(s)-1 {
		return x, false
	}
	return execution{s[:i], s[i+1:]}, true
}

func (x execution) proto() *common.WorkflowExecution {
	return &common.WorkflowExecution{WorkflowId: x.id, RunId: x.run}
}

// identity is who Temporal says it was.
const identity = "event-gateway"

// delivery is what is handed over.
type delivery struct {
	*workflow
	key     string
	attempt int
	to      string // the id of the workflow
	input   *common.Payloads
	header  *common.Header
	memo    *common.Memo
}

func (w *workflow) deliver(r *sdk.Request) (*delivery, error) {
	to, err := w.id.fill(r)
	if err != nil {
		return nil, err
	}
	d := &delivery{workflow: w, key: r.Key, attempt: r.Attempt, to: to, header: header(r)}
	if d.input, err = input(r, w.envelope); err != nil {
		return nil, err
	}
	d.memo, err = remember(r)
	return d, err
}

// hand does what the mode says. there is whether the workflow was there
// before; the run is empty when Temporal does not tell.
func (e *engine) hand(ctx context.Context, d *delivery) (x execution, there bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTime, errSilent)
	defer cancel()
	switch d.mode {
	case modeSignal:
		x.id = d.to
		return x, true, e.signal(ctx, d, x)
	case modeSignalWithStart:
		return e.signalOrStart(ctx, d)
	}
	return e.start(ctx, d)
}

// callTime bounds every call that should be answered at once.
const callTime = 10 * time.Second

var errSilent = fmt.Errorf("no answer within %s", callTime)

func (e *engine) start(ctx context.Context, d *delivery) (x execution, there bool, err error) {
	m, err := e.temporal.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace: e.namespace, Identity: identity, RequestId: d.startID(), WorkflowId: d.to,
		WorkflowType: &common.WorkflowType{Name: d.kind}, TaskQueue: &taskqueue.TaskQueue{Name: d.queue},
		Input: d.input, Header: d.header, Memo: d.memo,
		WorkflowExecutionTimeout: period(d.execution), WorkflowRunTimeout: period(d.run), WorkflowTaskTimeout: period(d.task),
		WorkflowIdReusePolicy:    policy(d.reuse),
		WorkflowIdConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	})
	if ended, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](said(err)); ok {
		return execution{d.to, ended.RunId}, true, nil
	}
	if err != nil {
		return x, false, e.failure(ctx, "start", err)
	}
	return execution{d.to, m.RunId}, !m.Started, nil
}

// startID is what Temporal knows a start by, for as long as it is the latest
// of its workflow: it tells one that is only repeated. Where the id of the
// workflow keeps starts apart, it has the attempt, because a new attempt may
// then start anew, or wants to hear that the workflow is there already.
func (d *delivery) startID() string {
	if d.reuse == reuseClosed {
		return d.key
	}
	return d.key + "/" + strconv.Itoa(d.attempt)
}

func policy(reuse string) enums.WorkflowIdReusePolicy {
	switch reuse {
	case reuseFailed:
		return enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	case reuseClosed:
		return enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	return enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
}

func period(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// signal tells a workflow once: Temporal keeps the keys of the signals that a
// run has had, also after its end.
func (e *engine) signal(ctx context.Context, d *delivery, x execution) error {
	_, err := e.temporal.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: e.namespace, Identity: identity, RequestId: d.key, WorkflowExecution: x.proto(),
		SignalName: d.signal, Input: d.input, Header: d.header,
	})
	if isMissing(err) {
		return e.missing(ctx, x)
	}
	return e.failure(ctx, "signal", err)
}

// missing tells a workflow that has ended from one that is not there: that one
// may be about to start.
func (e *engine) missing(ctx context.Context, x execution) error {
	info, err := e.describe(ctx, x)
	switch {
	case isMissing(err):
		return fmt.Errorf("no workflow %q is there to be signalled", x.id)
	case err != nil:
		return e.failure(ctx, "describe", err)
	case info.GetWorkflowExecutionInfo().GetCloseTime() != nil:
		return sdk.Permanent(fmt.Errorf("workflow %q %w: %s", x.id, errEnded, statusOf(info)))
	}
	return fmt.Errorf("workflow %q took no signal", x.id) // it has begun in this moment
}

// signalOrStart signals the workflow that runs, or starts one with the signal.
// Temporal forgets what it was told once a run has ended and another may be
// started, so an ended one is asked first whether it has had the signal.
func (e *engine) signalOrStart(ctx context.Context, d *delivery) (x execution, there bool, err error) {
	x, there, err = e.signalWithStart(ctx, d, reuseNever)
	ended, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](said(err))
	if !ok {
		return x, there, e.failure(ctx, "signal with start", err)
	}
	x = execution{d.to, ended.RunId}
	err = e.signal(ctx, d, x)
	if err == nil || !errors.Is(err, errEnded) || d.reuse == reuseNever {
		return x, true, err
	}
	x, there, err = e.signalWithStart(ctx, d, d.reuse)
	if _, completed := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](said(err)); completed {
		return x, true, sdk.Permanent(fmt.Errorf("workflow %q %w: completed, and reuse is %q", d.to, errEnded, d.reuse))
	}
	return x, there, e.failure(ctx, "signal with start", err)
}

func (e *engine) signalWithStart(ctx context.Context, d *delivery, reuse string) (x execution, there bool, err error) {
	m, err := e.temporal.SignalWithStartWorkflowExecution(ctx, &workflowservice.SignalWithStartWorkflowExecutionRequest{
		Namespace: e.namespace, Identity: identity, RequestId: d.key, WorkflowId: d.to,
		WorkflowType: &common.WorkflowType{Name: d.kind}, TaskQueue: &taskqueue.TaskQueue{Name: d.queue},
		SignalName: d.signal, SignalInput: d.input, Input: d.input, Header: d.header, Memo: d.memo,
		WorkflowExecutionTimeout: period(d.execution), WorkflowRunTimeout: period(d.run), WorkflowTaskTimeout: period(d.task),
		WorkflowIdReusePolicy:    policy(reuse),
		WorkflowIdConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	})
	if err != nil {
		return x, false, err
	}
	return execution{d.to, m.RunId}, !m.Started, nil
}
