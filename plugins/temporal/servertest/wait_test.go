package servertest

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
)

func TestWait(t *testing.T) {
	serve(t)
	e := configured(t, "", `{
		"echo":{"type":"Echo","wait":true}, "nothing":{"type":"Nothing","wait":true}, "again":{"type":"Again","wait":true},
		"fail":{"type":"Fail","wait":true}, "fail-again":{"type":"Fail","wait":true,"reuse":"failed"},
		"late":{"type":"Hang","wait":true,"timeouts":{"run":"1s"}}, "late-again":{"type":"Hang","wait":true,"reuse":"failed","timeouts":{"run":"1s"}},
		"collect":{"mode":"signal-with-start","signal":"item","type":"Collect","id":"wait-{input.n}","wait":true}}`)
	for _, tt := range []struct{ workflow, input, kind, want string }{
		{"echo", `{"n":[1.5,"ü"]}`, "succeeded", `{"n":[1.5,"ü"]}`},
		{"nothing", ``, "succeeded", ""},
		{"again", `{"Left":3}`, "succeeded", `"arrived"`},
		{"fail", `{}`, "permanent", `workflow "gateway-wait-fail" failed: activity error: the bank is closed`},
		{"fail-again", `{}`, "retryable", `the bank is closed`},
		{"fail-again", `{"final":true}`, "permanent", `card declined (CardDeclined)`},
		{"late", `{}`, "permanent", "timed out in Temporal"},
		{"late-again", `{}`, "retryable", "timed out in Temporal"},
		{"collect", `{"n":1,"item":"end"}`, "succeeded", `["end"]`},
	} {
		t.Run(tt.workflow, func(t *testing.T) {
			e.t = t
			key := "wait-" + tt.workflow + strings.Trim(tt.input, `{}"final:`)
			e.start(call{key: key, workflow: tt.workflow, input: tt.input})
			e.ends(tt.kind, tt.want)
		})
	}
	e.t = t
}

// The next attempt of a workflow that failed finds it, and must not take it
// for a success; with reuse: failed it starts anew.
func TestNextAttempt(t *testing.T) {
	serve(t)
	e := configured(t, "", `{"never":{"type":"Fail","wait":true},"failed":{"type":"Fail","wait":true,"reuse":"failed"}}`)
	for workflow, want := range map[string]struct {
		kind string
		runs int
	}{"never": {"permanent", 1}, "failed": {"retryable", 3}} {
		for attempt := range int32(3) {
			e.start(call{key: "next-" + workflow, workflow: workflow, input: "{}", attempt: attempt + 1})
			e.ends(want.kind, "the bank is closed")
		}
		runs(t, "gateway-next-"+workflow, want.runs)
	}
}

// What somebody ends in Temporal has ended for good. Only a cancellation may
// be our own, of an attempt that had no more time.
func TestEndedInTemporal(t *testing.T) {
	serve(t)
	e := configured(t, "", `{"hang":{"type":"Hang","wait":true},"anew":{"type":"Hang","wait":true,"reuse":"failed"},"stubborn":{"type":"Stubborn","wait":true,"reuse":"failed"}}`)
	e.start(call{key: "terminated", workflow: "anew"})
	e.accepted()
	if err := temporalClient().TerminateWorkflow(t.Context(), "gateway-terminated", "", "a mistake"); err != nil {
		t.Fatal(err)
	}
	e.ends("permanent", `workflow "gateway-terminated" was terminated: a mistake`)
	e.start(call{key: "canceled", workflow: "hang"})
	e.accepted()
	if err := temporalClient().CancelWorkflow(t.Context(), "gateway-canceled", ""); err != nil {
		t.Fatal(err)
	}
	e.ends("permanent", `workflow "gateway-canceled" was cancelled`)
	e.start(call{key: "out-of-time", workflow: "stubborn", deadline: time.Second})
	e.ends("retryable", "the run's time is up")
	e.start(call{key: "out-of-time", workflow: "stubborn", attempt: 2})
	e.accepted() // the one that is about to end
	let(t, "gateway-out-of-time", nil)
	e.ends("retryable", `workflow "gateway-out-of-time" was cancelled`)
	e.start(call{key: "out-of-time", workflow: "stubborn", attempt: 3})
	e.accepted()
	runs(t, "gateway-out-of-time", 2)
}

// A run that the gateway gives up is given up in Temporal too, if it is ours
// and nobody wants otherwise.
func TestCancel(t *testing.T) {
	serve(t)
	e := configured(t, "", `{"hang":{"type":"Hang","wait":true},"leave":{"type":"Hang","wait":true,"cancel":false},"other":{"type":"Hang","wait":true,"id":"not-ours"}}`)
	begin(t, "not-ours", "Hang")
	for _, tt := range []struct {
		name, workflow, id string
		deadline           time.Duration
		why                string
		want               enums.WorkflowExecutionStatus
	}{
		{"cancelled", "hang", "gateway-cancelled", 0, "cancelled by the gateway: discarded", enums.WORKFLOW_EXECUTION_STATUS_CANCELED},
		{"deadline", "hang", "gateway-deadline", time.Second, "the run's time is up", enums.WORKFLOW_EXECUTION_STATUS_CANCELED},
		{"left", "leave", "gateway-left", 0, "cancelled by the gateway: discarded", enums.WORKFLOW_EXECUTION_STATUS_RUNNING},
		{"other", "other", "not-ours", 0, "cancelled by the gateway: discarded", enums.WORKFLOW_EXECUTION_STATUS_RUNNING},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e.t = t
			e.start(call{key: tt.name, workflow: tt.workflow, deadline: tt.deadline})
			e.accepted()
			if tt.deadline == 0 {
				e.cancel(tt.name)
			}
			e.ends("retryable", `workflow "`+tt.id+`": `+tt.why)
			status(t, tt.id, tt.want)
			if asked := reason(t, tt.id); (asked != "") != (tt.want == enums.WORKFLOW_EXECUTION_STATUS_CANCELED) || !strings.Contains(tt.why+asked, asked) {
				t.Errorf("cancel requested: %q", asked)
			}
		})
	}
	e.t = t
	let(t, "not-ours", nil)
	let(t, "gateway-left", nil)
}

// reason is why a workflow was asked to cancel; empty when it was not.
func reason(t *testing.T, id string) string {
	t.Helper()
	for _, event := range events(t, id, "") {
		if a := event.GetWorkflowExecutionCancelRequestedEventAttributes(); a != nil {
			return a.Cause
		}
	}
	return ""
}
