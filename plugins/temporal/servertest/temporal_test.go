package servertest

import (
	"context"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// What Temporal itself has to say: these look past the engine.

func temporalClient() client.Client { return the.server.GetDefaultClient() }

// events are a run's history; without a run, that of the latest.
func events(t *testing.T, id, run string) (out []*history.HistoryEvent) {
	t.Helper()
	for i := temporalClient().GetWorkflowHistory(t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); i.HasNext(); {
		event, err := i.Next()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, event)
	}
	return out
}

// count is how many events of a kind the latest run has.
func count(t *testing.T, id string, kind enums.EventType) (n int) {
	t.Helper()
	for _, event := range events(t, id, "") {
		if event.EventType == kind {
			n++
		}
	}
	return n
}

// signals is how many signals the latest run has had.
func signals(t *testing.T, id string) int {
	t.Helper()
	return count(t, id, enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
}

// runs are the runs with this id that Temporal has ever had.
func runs(t *testing.T, id string, want int) {
	t.Helper()
	n := 0
	until(t, "the runs of "+id, func() bool {
		m, err := temporalClient().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowId = '" + id + "'"})
		if err != nil {
			t.Fatal(err)
		}
		n = len(m.Executions)
		return n >= want
	})
	if n != want {
		t.Errorf("%d runs of %s, want %d", n, id, want)
	}
}

// status waits until the latest run of a workflow has one.
func status(t *testing.T, id string, want enums.WorkflowExecutionStatus) {
	t.Helper()
	until(t, id+" "+want.String(), func() bool { return statusNow(t, id) == want })
}

func statusNow(t *testing.T, id string) enums.WorkflowExecutionStatus {
	t.Helper()
	m, err := temporalClient().DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	return m.WorkflowExecutionInfo.Status
}

// begin starts a workflow that is none of the gateway's.
func begin(t *testing.T, id, kind string) {
	t.Helper()
	_, err := temporalClient().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, kind)
	if err != nil {
		t.Fatal(err)
	}
}

// let ends a workflow that hangs.
func let(t *testing.T, id string, in any) {
	t.Helper()
	if err := temporalClient().SignalWorkflow(context.Background(), id, "", "go", in); err != nil {
		t.Fatal(err)
	}
}
