package api

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/declare"
)

func (f *fake) Subscribe(_ context.Context, in ask.Subscribing) (declare.Subscription, error) {
	f.did = append(f.did, fmt.Sprintf("subscribe %s %s %v", in.EventType, in.Workflow, in.Config))
	return declare.Subscription{WorkflowID: in.Workflow, Config: in.Config, CreatedAt: &noon, Origin: declare.OriginAPI, Route: "made"}, f.err
}

func (f *fake) Unsubscribe(_ context.Context, eventType, workflow string) error {
	f.did = append(f.did, "unsubscribe "+eventType+" "+workflow)
	return f.err
}

func (f *fake) Subscriptions() map[string][]declare.Subscription {
	return map[string][]declare.Subscription{
		"github.push":      {{WorkflowID: "deploy", Config: map[string]any{"token": "[redacted]"}, Origin: declare.OriginFile, Route: "deploy-main"}},
		"payment_received": {{WorkflowID: "order_processing", Config: map[string]any{}, CreatedAt: &noon, Origin: declare.OriginAPI, Route: "p"}},
	}
}

func (f *fake) Schedule(_ context.Context, in ask.Scheduling) (time.Time, error) {
	f.did = append(f.did, fmt.Sprintf("schedule %s %s %v", in.EventType, in.Interval, in.Payload))
	return noon.Add(in.Interval), f.err
}

func (f *fake) Unschedule(_ context.Context, eventType string) error {
	f.did = append(f.did, "unschedule "+eventType)
	return f.err
}

func (f *fake) Schedules() map[string]declare.Scheduled {
	every, cron := 86400.0, "30 2 * * *"
	return map[string]declare.Scheduled{
		"generate_daily_report": {IntervalSeconds: &every, StartedAt: &noon, NextRun: &noon, Payload: map[string]any{"a": 1}, Origin: declare.OriginAPI, Schedule: "daily"},
		"schedule.nightly":      {Cron: &cron, LastRun: &noon, NextRun: &noon, Origin: declare.OriginFile, Paused: true, Schedule: "nightly"},
	}
}

func (f *fake) Entries() (declare.Report, error) {
	return declare.Report{Entries: []ask.OverlayEntry{{Name: "routes.p", CreatedAt: noon, InForce: true}, broken()}, YAML: "routes:\n  p: {}\n"}, f.err
}

func (f *fake) Drop(_ context.Context, name string) error {
	f.did = append(f.did, "drop "+name)
	return f.err
}

func broken() ask.OverlayEntry {
	return ask.OverlayEntry{Name: "routes.broken", CreatedAt: noon, Problems: []ConfigProblem{
		{File: "overlay/routes.broken", Line: 1, Col: 1, Message: "is not UTF-8 text", Severity: "error"}}}
}

// What reaches the backend is what was meant, in every form that the contract
// has; flaws 22 and 32 of the inventory among them.
func TestOverlayAsks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ method, target, body, want string }{
		"escaped type":           {"POST", "/api/events/subscribe/a%2Fb", `{"workflow_id":"exec/w"}`, "subscribe a/b exec/w map[]"},
		"config as it is":        {"POST", "/api/events/subscribe/a", `{"workflow_id":"w","config":{"n":1.50,"t":"${env:X}"}}`, "subscribe a w map[n:1.50 t:${env:X}]"},
		"unsubscribe":            {"DELETE", "/api/events/unsubscribe/a?workflow_id=exec%2Fw", "", "unsubscribe a exec/w"},
		"flaw 32, as printed":    {"POST", "/api/schedule/r", `{"interval_seconds":86400,"payload":{"a":1}}`, "schedule r 24h0m0s map[a:1]"},
		"flaw 32, with query":    {"POST", "/api/schedule/r?interval_seconds=5", `{"payload":{"a":1}}`, "schedule r 5s map[a:1]"},
		"flaw 32, body alone":    {"POST", "/api/schedule/r?interval_seconds=5", `{"a":1,"payload":2}`, "schedule r 5s map[a:1 payload:2]"},
		"body is a list":         {"POST", "/api/schedule/r?interval_seconds=5", `[1,2.0]`, "schedule r 5s [1 2.0]"},
		"body is empty":          {"POST", "/api/schedule/r?interval_seconds=5", `{}`, "schedule r 5s map[]"},
		"nothing":                {"POST", "/api/schedule/r?interval_seconds=5", ``, "schedule r 5s <nil>"},
		"both agree":             {"POST", "/api/schedule/r?interval_seconds=7", `{"interval_seconds":7}`, "schedule r 7s <nil>"},
		"flaw 22, five are fine": {"POST", "/api/schedule/r", `{"interval_seconds":5}`, "schedule r 5s <nil>"},
		"unschedule":             {"DELETE", "/api/schedule/r", "", "unschedule r"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			s, logs := serve(f, admin)
			w := do(s, request(c.method, c.target, c.body))
			if !slices.Equal(f.did, []string{c.want}) {
				t.Errorf("%d %s: did %q, want %q", w.Code, w.Body, f.did, c.want)
			}
			if lines := logs.All(); len(lines) != 1 || lines[0].ContextMap()["by"] == "" {
				t.Error("who did it is not in the log")
			}
		})
	}
}
