package servertest

import (
	"encoding/json"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// However often a delivery is started, it is one workflow: while it runs, when
// it has ended, in the same attempt and in another.
func TestStart(t *testing.T) {
	serve(t)
	e := configured(t, "", `{"hang":{"type":"Hang"}}`)
	e.start(call{key: "start-1", workflow: "hang"})
	first := e.handed()
	if first.WorkflowID != "gateway-start-1" || first.RunID == "" || first.AlreadyStarted {
		t.Fatalf("%+v", first)
	}
	same := func(when string, attempt int32, there bool) {
		t.Helper()
		e.start(call{key: "start-1", workflow: "hang", attempt: attempt})
		if h := e.handed(); h.RunID != first.RunID || h.AlreadyStarted != there {
			t.Errorf("%s: %+v, first %+v", when, h, first)
		}
	}
	same("repeated", 1, false)
	same("in the next attempt", 2, true)
	let(t, first.WorkflowID, "done")
	status(t, first.WorkflowID, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	same("when it has ended", 3, true)
	runs(t, first.WorkflowID, 1)
}

// What a workflow finds in Temporal.
func TestWhatAWorkflowGets(t *testing.T) {
	serve(t)
	e := configured(t, "", `{
		"plain":{"type":"Hang","id":"{workflow}-{event.subject}-{input.n.of}","timeouts":{"execution":"3h","run":"2h","task":"20s"}},
		"whole":{"type":"Hang","envelope":true}}`)
	tests := []struct {
		name, workflow, input, id, want string
		change                          func(*enginev1.Start)
	}{
		{name: "with", workflow: "plain", input: `{"n":{"of":12345678901234567890},"s":"<&>"}`, id: "plain-17-12345678901234567890",
			want: `{"n":{"of":12345678901234567890},"s":"<&>"}`},
		{name: "whole", workflow: "whole", input: `{"n":1}`, id: "gateway-whole", want: `"event":{"id":"event-whole","source":"/webhooks/shop","type":"order.placed"`},
		{name: "no-with", workflow: "whole", id: "gateway-no-with", want: `"data":{"order":17}`},
		{name: "form", workflow: "whole", id: "gateway-form", want: `"data":{"a":["1"]}`, change: func(m *enginev1.Start) {
			m.Event.Body, m.Event.Data = []byte("a=1"), []byte(`{"a":["1"]}`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e.start(call{key: tt.name, workflow: tt.workflow, input: tt.input, change: tt.change})
			if h := e.handed(); h.WorkflowID != tt.id {
				t.Fatalf("id %q, want %q", h.WorkflowID, tt.id)
			}
			a := events(t, tt.id, "")[0].GetWorkflowExecutionStartedEventAttributes()
			if got := string(a.Input.Payloads[0].Data); !strings.Contains(got, tt.want) {
				t.Errorf("input %s", got)
			}
			var memo struct{ Key, Workflow string }
			if err := json.Unmarshal(a.Memo.Fields["gateway"].Data, &memo); err != nil || memo.Key != tt.name || memo.Workflow != tt.workflow {
				t.Errorf("memo %+v %v", memo, err)
			}
			if trace := string(a.Header.Fields["_tracer-data"].Data); !strings.Contains(trace, "0af7651916cd43dd8448eb211c80319c") {
				t.Errorf("trace %s", trace)
			}
		})
	}
	a := events(t, "plain-17-12345678901234567890", "")[0].GetWorkflowExecutionStartedEventAttributes()
	if x, r, task := a.WorkflowExecutionTimeout.AsDuration(), a.WorkflowRunTimeout.AsDuration(), a.WorkflowTaskTimeout.AsDuration(); x.Hours() != 3 || r.Hours() != 2 || task.Seconds() != 20 {
		t.Errorf("time-outs %s %s %s", x, r, task)
	}
}

// One workflow for each order, whichever delivery comes first.
func TestOneForAllDeliveries(t *testing.T) {
	serve(t)
	e := configured(t, "", `{"never":{"type":"Echo","id":"never-{input.order}"},"closed":{"type":"Echo","id":"closed-{input.order}","reuse":"closed"}}`)
	for workflow, want := range map[string]int{"never": 1, "closed": 2} {
		for _, key := range []string{workflow + "-a", workflow + "-b", workflow + "-b"} {
			e.start(call{key: key, workflow: workflow, input: `{"order":5}`})
			e.handed()
			status(t, workflow+"-5", enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
		}
		runs(t, workflow+"-5", want)
	}
}

// Mistakes of an event fail it for good; what is not its fault does not.
func TestRefused(t *testing.T) {
	serve(t)
	e := configured(t, "", `{"echo":{"type":"Echo"},"order":{"type":"Echo","id":"order-{input.order}"},"signal":{"mode":"signal","signal":"go","id":"{input.to}"}}`)
	for _, tt := range []struct{ name, workflow, input, kind, want string }{
		{"an id that is too long", "order", `{"order":"` + strings.Repeat("x", 2000) + `"}`, "permanent", "start: "},
		{"nothing for the id", "order", `{"ordr":1}`, "permanent", "id: {input.order}: is not there"},
		{"an empty text for the id", "order", `{"order":""}`, "permanent", "id: {input.order}: is empty"},
		{"null for the id", "order", `{"order":null}`, "permanent", "is neither a text"},
		{"too much", "echo", `"` + strings.Repeat("x", 5<<20) + `"`, "permanent", "are more than the"},
		{"more than a workflow may get", "echo", `"` + strings.Repeat("x", 3<<20) + `"`, "permanent", "start: "},
		{"an unknown workflow", "ehco", `{}`, "permanent", `unknown workflow "ehco"`},
		{"no workflow to signal", "signal", `{"to":"nobody"}`, "retryable", `no workflow "nobody" is there`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e.t = t
			e.start(call{key: strings.ReplaceAll(tt.name, " ", "-"), workflow: tt.workflow, input: tt.input})
			e.ends(tt.kind, tt.want)
		})
	}
	e.t = t
	elsewhere := started(t, `{"address":"`+the.server.GetFrontendHostPort()+`","namespace":"nowhere","workflows":{"echo":{"type":"Echo","task_queue":"q"}}}`)
	elsewhere.start(call{key: "nowhere", workflow: "echo"})
	elsewhere.ends("permanent", "nowhere")
	until(t, "a line about the namespace", func() bool {
		return strings.Contains(elsewhere.log.String(), "does not serve the namespace")
	})
}
