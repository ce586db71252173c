package main

import (
	"encoding/json"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/history/v1"
)

func TestOutput(t *testing.T) {
	of := func(encoding, data string) *common.Payloads {
		return &common.Payloads{Payloads: []*common.Payload{{Metadata: map[string][]byte{"encoding": []byte(encoding)}, Data: []byte(data)}}}
	}
	for _, tt := range []struct {
		name string
		in   *common.Payloads
		want string
	}{
		{"nothing", nil, "null"},
		{"null", of("binary/null", ""), "null"},
		{"JSON", of("json/plain", `{"a":12345678901234567890}`), `{"a":12345678901234567890}`},
		{"protobuf as JSON", of("json/protobuf", `{"a":1}`), `{"a":1}`},
		{"bytes", of("binary/plain", "abc"), `{"data":"YWJj","encoding":"binary/plain"}`},
		{"encrypted", of("binary/encrypted", "abc"), `{"data":"YWJj","encoding":"binary/encrypted"}`},
		{"JSON that is none", of("json/plain", `{`), `{"data":"ew==","encoding":"json/plain"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := json.Marshal(output(tt.in)); err != nil || string(got) != tt.want {
				t.Errorf("%s %v, want %s", got, err, tt.want)
			}
		})
	}
}

// Temporal itself may try a workflow again, or by the clock: the run that
// comes next is the one to follow, whatever became of this one.
func TestNextRun(t *testing.T) {
	for name, event := range map[string]*history.HistoryEvent{
		"completed": {Attributes: &history.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &history.WorkflowExecutionCompletedEventAttributes{NewExecutionRunId: "next"}}},
		"failed": {Attributes: &history.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &history.WorkflowExecutionFailedEventAttributes{NewExecutionRunId: "next"}}},
		"timed out": {Attributes: &history.HistoryEvent_WorkflowExecutionTimedOutEventAttributes{
			WorkflowExecutionTimedOutEventAttributes: &history.WorkflowExecutionTimedOutEventAttributes{NewExecutionRunId: "next"}}},
	} {
		if o := outcomeOf(event); o == nil || o.next != "next" {
			t.Errorf("%s: %+v", name, o)
		}
	}
	started := &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionStartedEventAttributes{}}
	if o := outcomeOf(started); o != nil {
		t.Errorf("a start ends nothing: %+v", o)
	}
}

func TestExecution(t *testing.T) {
	for text, want := range map[string]execution{"a/b/0190": {"a/b", "0190"}, "a/r": {"a", "r"}} {
		if x, ok := parseExecution(text); !ok || x != want || x.String() != text {
			t.Errorf("%q: %+v %v", text, x, ok)
		}
	}
	for _, text := range []string{"", "/", "a/", "/r", "a"} {
		if x, ok := parseExecution(text); ok {
			t.Errorf("%q: %+v", text, x)
		}
	}
}
