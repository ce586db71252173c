package servertest

import (
	"encoding/json"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

const hangs = `{"hang":{"type":"Hang","wait":true},"fail":{"type":"Fail","wait":true,"reuse":"failed"}}`

// An engine that is killed in a run leaves the workflow alone, and its
// successor takes it up: to its end, or to hear that it is cancelled.
func TestRestart(t *testing.T) {
	serve(t)
	first := configured(t, "", hangs)
	ids := map[string]string{}
	for _, key := range []string{"taken-up", "given-up", "ended-meanwhile"} {
		first.start(call{key: key, workflow: "hang"})
		ids[key] = first.accepted()
	}
	if !strings.HasPrefix(ids["taken-up"], "gateway-taken-up/") {
		t.Errorf("run id %q", ids["taken-up"])
	}
	first.kill()
	let(t, "gateway-ended-meanwhile", "while nobody looked")
	status(t, "gateway-ended-meanwhile", enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)

	second := configured(t, "", hangs)
	if kind, text := second.state("ended-meanwhile", ids["ended-meanwhile"]); kind != "succeeded" || text != `"while nobody looked"` {
		t.Errorf("ended meanwhile: %s %s", kind, text)
	}
	for _, key := range []string{"taken-up", "given-up"} {
		if kind, id := second.state(key, ids[key]); kind != "running" || id != ids[key] {
			t.Fatalf("%s: %s %s", key, kind, id)
		}
		second.accepted()
	}
	let(t, "gateway-taken-up", "hello")
	second.ends("succeeded", `"hello"`)
	second.cancel("given-up")
	second.ends("retryable", "cancelled by the gateway: discarded")
	status(t, "gateway-given-up", enums.WORKFLOW_EXECUTION_STATUS_CANCELED)
	runs(t, "gateway-taken-up", 1)
}

// What Get says about runs that nobody follows.
func TestGet(t *testing.T) {
	serve(t)
	first := configured(t, "", hangs)
	first.start(call{key: "get-fail", workflow: "fail", input: `{}`})
	failed := first.accepted()
	first.ends("retryable", "the bank is closed")
	first.start(call{key: "get-final", workflow: "fail", input: `{"final":true}`})
	final := first.accepted()
	first.ends("permanent", "card declined")
	first.kill()

	e := configured(t, "", hangs)
	for _, tt := range []struct{ name, runID, kind, want string }{
		{"never accepted", "", "unknown", ""},
		{"no run id of ours", "something", "unknown", ""},
		{"failed", failed, "retryable", "the bank is closed"},
		{"failed for good", final, "permanent", "card declined"},
		{"forgotten", "gateway-forgotten/0190b3a5-1c1c-7b4e-8a55-3f6d3b1f9d10", "permanent", "is gone from Temporal"},
	} {
		if kind, text := e.state("k", tt.runID); kind != tt.kind || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %s %s", tt.name, kind, text)
		}
	}
}

// An engine that is stopped leaves its workflows alone.
func TestShutdown(t *testing.T) {
	serve(t)
	e := configured(t, "", hangs)
	e.start(call{key: "stopped", workflow: "hang"})
	e.accepted()
	e.client.Kill()
	if asked := reason(t, "gateway-stopped"); asked != "" {
		t.Errorf("cancelled: %s", asked)
	}
	status(t, "gateway-stopped", enums.WORKFLOW_EXECUTION_STATUS_RUNNING)
	let(t, "gateway-stopped", nil)
}

// Temporal may be down when the engine starts, and go away in mid-run.
func TestTemporalGoesAndComes(t *testing.T) {
	serve(t)
	d := shutDoor(t)
	e := configured(t, d.address, `{"hang":{"type":"Hang","wait":true}}`)
	e.start(call{key: "down", workflow: "hang"})
	e.ends("retryable", "temporal "+d.address+": start: ")
	until(t, "a line that it cannot be reached", func() bool { return strings.Contains(e.log.String(), "cannot be reached") })
	d.open()
	until(t, "a line that it is there", func() bool { return strings.Contains(e.log.String(), "temporal is there") })
	e.start(call{key: "down", workflow: "hang", attempt: 2})
	e.accepted()
	d.shut()
	let(t, "gateway-down", "back")
	status(t, "gateway-down", enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	d.open()
	e.ends("succeeded", `"back"`)
	runs(t, "gateway-down", 1)
}

func TestConformance(t *testing.T) {
	serve(t)
	config, err := json.Marshal(map[string]any{
		"address": the.server.GetFrontendHostPort(), "namespace": the.server.GetDefaultNamespace(), "task_queue": queue,
		"workflows": map[string]any{"echo": map[string]any{"type": "Echo", "wait": true}, "hang": map[string]any{"type": "Hang", "wait": true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sdktest.Run(t, sdktest.Options{
		Command: []string{the.engine}, Env: noRaceSleep(), Config: config, BadConfig: json.RawMessage(`{"address":"nowhere","workflows":{}}`),
		Workflow: "echo", Slow: "hang", Input: json.RawMessage(`{"n": 1}`),
	})
}
