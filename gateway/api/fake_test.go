package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/declare"
	"github.com/event-gateway/gateway/gateway/api/engines"
	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/api/revisions"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/store"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// seqAt is an id given some seconds before noon.
func seqAt(secondsBefore int) int64 {
	return store.SeqAt(noon.Add(-time.Duration(secondsBefore) * time.Second))
}

// fake is a backend of a few rows that remembers what it was asked.
type fake struct {
	events     []store.StoredEvent
	deliveries []*store.Delivery
	attempts   map[int64][]store.Attempt

	eventFilter    store.EventFilter
	deliveryFilter store.DeliveryFilter
	did            []string
	submitted      *event.Event
	entry          *store.Entry
	triggers       func(*store.Entry) (store.Receipt, error)
	receipt        store.Receipt
	result         ReloadResult
	err            error
	report         StatusReport
	tokens         []access.Token
}

func (f *fake) Events(_ context.Context, filter store.EventFilter) ([]store.StoredEvent, error) {
	f.eventFilter = filter
	var out []store.StoredEvent
	for _, e := range f.events {
		if (filter.Before == 0 || e.Seq < filter.Before) && len(out) < filter.Limit {
			out = append(out, e)
		}
	}
	return out, f.err
}

func (f *fake) EventByID(_ context.Context, id string) (*store.StoredEvent, []*store.Delivery, error) {
	for _, e := range f.events {
		if e.Event.ID != id {
			continue
		}
		var ds []*store.Delivery
		for _, d := range f.deliveries {
			if d.EventID == id {
				ds = append(ds, d)
			}
		}
		return &e, ds, f.err
	}
	return nil, nil, store.ErrNotFound
}

func (f *fake) Deliveries(_ context.Context, filter store.DeliveryFilter) ([]*store.Delivery, error) {
	f.deliveryFilter = filter
	var out []*store.Delivery
	for _, d := range f.deliveries {
		if (filter.Before == 0 || d.Seq < filter.Before) && len(out) < filter.Limit {
			out = append(out, d)
		}
	}
	return out, f.err
}

func (f *fake) Delivery(_ context.Context, seq int64) (*store.Delivery, []store.Attempt, error) {
	for _, d := range f.deliveries {
		if d.Seq == seq {
			return d, f.attempts[seq], nil
		}
	}
	return nil, nil, store.ErrNotFound
}

func (f *fake) Retry(_ context.Context, seq int64) error   { return f.change("retry", seq) }
func (f *fake) Discard(_ context.Context, seq int64) error { return f.change("discard", seq) }

func (f *fake) change(what string, seq int64) error {
	f.did = append(f.did, what+" "+store.FormatID(seq))
	return f.err
}

func (f *fake) Reload(context.Context) (ReloadResult, error) {
	f.did = append(f.did, "reload")
	return f.result, f.err
}

func (f *fake) Submit(_ context.Context, e *store.Entry) (store.Receipt, error) {
	f.did, f.submitted, f.entry = append(f.did, "submit"), e.Event, e
	if f.triggers != nil {
		return f.triggers(e)
	}
	return f.receipt, f.err
}

func newFake() *fake {
	deployed, failed := seqAt(10), seqAt(70)
	return &fake{
		events: []store.StoredEvent{
			{Seq: seqAt(10), Revision: "r2", Deliveries: 1, Event: &event.Event{
				ID: "72d3162e/1", Source: "/webhooks/github_push", Type: "github.push", Time: noon.Add(-10 * time.Second),
				ContentType: "application/json", Headers: map[string]string{"x-github-event": "push"},
				Query: map[string]string{"team": "a"}, Body: []byte(`{"ref":"refs/heads/main","n":12345678901234567890}`)}},
			{Seq: seqAt(70), Revision: "r1", Deliveries: 1, Event: &event.Event{
				ID: "pay-1", Source: "/api", Type: "payment.failed", Subject: "order 7", Time: noon.Add(-70 * time.Second),
				ContentType: "text/plain", Body: []byte("no JSON")}},
			{Seq: seqAt(90), Revision: "r1", Conflict: true, Event: &event.Event{
				ID: "odd", Source: "/api", Type: "odd", Time: noon.Add(-90 * time.Second), Body: []byte(`{"cut`)}},
		},
		deliveries: []*store.Delivery{
			{Seq: deployed, EventSeq: seqAt(10), EventID: "72d3162e/1", Route: "deploy-main", Engine: "exec", Workflow: "deploy",
				Input: []byte(`{"repo":"acme/shop"}`), Key: "acme/shop", State: store.Succeeded, Attempt: 1,
				Due: noon, FirstAttemptAt: noon.Add(-9 * time.Second), RunID: "run-1",
				Last: store.Attempt{Number: 1, Started: noon.Add(-9 * time.Second), Ended: noon.Add(-8 * time.Second),
					Outcome: "succeeded", Output: []byte(`{"ok":true}`), Process: "exec/1"}},
			{Seq: failed, EventSeq: seqAt(70), EventID: "pay-1", Route: "page", Engine: "exec", Workflow: "notify",
				State: store.Pending, Attempt: 1, Due: noon.Add(30 * time.Second), FirstAttemptAt: noon.Add(-69 * time.Second),
				Last: store.Attempt{Number: 1, Started: noon.Add(-69 * time.Second), Ended: noon.Add(-68 * time.Second),
					Outcome: "retryable", Message: "exit status 1", Output: []byte(`not json`)}},
		},
		attempts: map[int64][]store.Attempt{
			deployed: {{Number: 1, Started: noon.Add(-9 * time.Second), Ended: noon.Add(-8 * time.Second),
				Outcome: "succeeded", Output: []byte(`{"ok":true}`), Process: "exec/1"}},
			failed: {{Number: 1, Started: noon.Add(-69 * time.Second), Ended: noon.Add(-68 * time.Second),
				Outcome: "retryable", Message: "exit status 1", Output: []byte(`not json`)}},
		},
		receipt: store.Receipt{EventID: "evt-1", EventType: "payment_received", Deliveries: 2},
		result:  ReloadResult{Revision: "r3", Changed: true, Differences: []string{"routes: +page"}},
		report:  fullReport(),
	}
}

func fullReport() StatusReport {
	return StatusReport{
		Version: "1.2.3", StartedAt: noon.Add(-time.Hour), Ready: true,
		Config: ConfigStatus{File: "gateway.yaml", Revision: "r2", LoadedAt: noon.Add(-time.Hour), Accepted: 2, Refused: 1,
			Made: 2, SetAside: []ask.OverlayEntry{broken()},
			LastReload: &ReloadStatus{At: noon.Add(-time.Minute), ReloadResult: ReloadResult{Revision: "r2",
				Problems: []ConfigProblem{{File: "gateway.yaml", Line: 3, Col: 5, Path: "routes.page.when", Message: "broken", Severity: "error"}}}}},
		Listeners: []ListenerStatus{{Name: "public", Address: "127.0.0.1:8080"},
			{Name: "admin", Address: "127.0.0.1:9090", TLS: true, ClientCertificates: true, CertificateExpires: noon.Add(time.Hour)}},
		Store: StoreStatus{Path: "./data", Durability: "fsync at every commit", SizeBytes: 4096, FreeBytes: 1 << 30,
			Pending: 1, Commits: 10, Entries: 30, Changes: 20, CommitSeconds: 0.5},
		Intake: IntakeStatus{Accepted: 30, Duplicates: 2, Conflicts: 1, Unrouted: 4, Refused: 3},
		Engines: []EngineStatus{
			{Name: "exec", Up: true, State: "ready", PID: 42, Version: "1.0", SHA256: "ab12", InFlight: 1, Limit: 32, StartedAt: noon.Add(-time.Hour)},
			{Name: "http", State: "crash_loop", Restarts: 5, Limit: 32, LastError: "exit status 2"}},
		Webhooks: []WebhookStatus{{Name: "github_push", Path: "/webhooks/github_push", Scheme: "github", Accepted: 28, Duplicates: 2,
			Rejected: map[string]uint64{"signature": 3}, LastAt: noon.Add(-10 * time.Second), LastSecret: "0", ClockSkew: new(1.5),
			Secrets: []SecretStatus{{LastAt: noon.Add(-10 * time.Second)}, {Position: 1, Until: noon.Add(time.Hour)}}}},
		Schedules: []ScheduleStatus{{Name: "nightly", Origin: declare.OriginFile, Spec: "30 2 * * *", Next: noon.Add(14 * time.Hour), Last: noon.Add(-10 * time.Hour)}},
		Routes: []RouteStatus{{Name: "deploy-main", Origin: declare.OriginAPI, Events: []string{"github.push"}, Engine: "exec", Workflow: "deploy", Matched: 9,
			FilterErrors: 1, Pending: 1, Oldest: noon.Add(-time.Minute), Reason: "engine down"}},
	}
}

// serve is a server over a fake, with what it logs.
func serve(f *fake, admin string) (*server, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	status := func() StatusReport { return f.report }
	s := newServer(Options{
		Reader: f, Operator: f, Overlay: f, Schedules: fakeSchedules{f}, Runs: fakeRuns{f}, Engines: fakeEngines{}, Explain: fakeExplainer{}, Revisions: fakeRevisions{f}, Status: status, Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Log: zap.New(core), Admin: admin, MaxBody: 512,
		Tokens: func() []access.Token { return f.tokens },
	})
	s.now = func() time.Time { return noon }
	return s, logs
}

// slow reloads when released, unless the request ends before.
type slow struct {
	*fake
	release chan struct{}
}

func (s slow) Reload(ctx context.Context) (ReloadResult, error) {
	select {
	case <-s.release:
		return s.result, nil
	case <-ctx.Done():
		return ReloadResult{}, ctx.Err()
	}
}

// fakeSchedules knows the schedule nightly.
type fakeSchedules struct{ *fake }

func (f fakeSchedules) Upcoming(n int) []steer.Schedule {
	all := slices.Clone(f.report.Schedules)
	for i := range all {
		for day := range n {
			at := all[i].Next.AddDate(0, 0, day).In(time.FixedZone("", 3600))
			all[i].Firings = append(all[i].Firings, steer.Firing{Slot: at, At: at.Add(time.Second)})
		}
	}
	return all
}

func (f fakeSchedules) do(what, name string) error {
	f.did = append(f.did, what+" "+name)
	if name != "nightly" {
		return store.ErrNotFound
	}
	return f.err
}

func (f fakeSchedules) Pause(_ context.Context, name string) error  { return f.do("pause", name) }
func (f fakeSchedules) Resume(_ context.Context, name string) error { return f.do("resume", name) }

func (f fakeSchedules) Trigger(_ context.Context, name string) (store.Receipt, error) {
	return f.receipt, f.do("trigger", name)
}

func (f fakeSchedules) Backfill(_ context.Context, name string, from, to time.Time) (steer.Backfill, error) {
	return steer.Backfill{Slots: 3, Fired: 2, Before: 1}, f.do("backfill "+from.Format(time.DateOnly)+" "+to.Format(time.DateOnly), name)
}

// fakeRuns has a run for each delivery: the first waits, the second goes on.
type fakeRuns struct{ *fake }

func (f fakeRuns) Underway() []runs.Run {
	return []runs.Run{
		{Delivery: store.FormatID(seqAt(10)), EventID: "72d3162e/1", RunID: "run-1", Route: "deploy-main", Engine: "exec", Workflow: "deploy",
			State: "waiting", Attempt: 1, Process: "exec/1", Started: noon.Add(-9 * time.Second),
			Question: &runs.Question{Prompt: "Deploy?", Schema: []byte(`{"type":"boolean"}`), Since: noon.Add(-5 * time.Second)}},
		{Delivery: store.FormatID(seqAt(70)), EventID: "pay-1", Route: "page", Engine: "http", Workflow: "notify",
			State: "running", Attempt: 2, Started: noon.Add(-time.Second), Deadline: noon.Add(time.Minute),
			Progress: &runs.Progress{Step: "send", Message: "half of them", Fraction: new(0.5), At: noon}},
	}
}

func (f fakeRuns) Answer(_ context.Context, seq int64, answer json.RawMessage) error {
	return f.change("answer "+string(answer), seq)
}

func (f fakeRuns) Cancel(_ context.Context, seq int64) error { return f.change("cancel", seq) }

// fakeRevisions are three; the oldest says how the gateway started.
type fakeRevisions struct{ *fake }

func (f fakeRevisions) all() []revisions.Revision {
	return []revisions.Revision{
		{Cursor: 7, Revision: "c3", At: noon, Reason: "api", By: "ops", Differences: []string{"routes: +page"},
			Changes: revisions.Changes{Changes: []revisions.Change{{Path: "routes.page", Kind: "added", To: `{"run":"w"}`}}}},
		{Cursor: 5, Revision: "b2", At: noon.Add(-time.Hour), Reason: "file", Changes: revisions.Changes{
			Changes: []revisions.Change{{Path: "engines.exec.config.dir", Kind: "changed", From: `"./a"`, To: `"./b"`}}, More: 3}},
		{Cursor: 1, Revision: "a1", At: noon.Add(-2 * time.Hour), Reason: "start", Changes: revisions.Changes{Changes: []revisions.Change{}}},
	}
}

func (f fakeRevisions) List(_ context.Context, before int64, limit int) (list []revisions.Revision, err error) {
	for _, r := range f.all() {
		if (before == 0 || r.Cursor < before) && len(list) < limit {
			list = append(list, r)
		}
	}
	return list, f.err
}

func (f fakeRevisions) Show(_ context.Context, name string) (revisions.RevisionText, error) {
	for _, r := range f.all() {
		if r.Revision == name {
			return revisions.RevisionText{Revision: r, Files: []revisions.ConfigText{{Name: "gateway.yaml", Text: "version: 1\n", Starred: true}},
				Overlay: []revisions.ConfigText{}, Values: map[string]any{"routes": map[string]any{}}}, f.err
		}
	}
	return revisions.RevisionText{}, store.ErrNotFound
}

func (f fakeRevisions) Diff(ctx context.Context, from, to string) (revisions.Difference, error) {
	a, err := f.Show(ctx, from)
	if err != nil {
		return revisions.Difference{}, err
	}
	return revisions.Difference{From: a.Revision.Revision, To: to, Changes: f.all()[1].Changes, Text: "--- gateway.yaml\n"}, nil
}

// fakeEngines has one that printed three lines.
type fakeEngines struct{}

func (fakeEngines) Log(name string) (lines []engines.LogLine, declared bool) {
	for n, text := range []string{"starting", "ready", "cannot reach the registry"} {
		lines = append(lines, engines.LogLine{N: int64(n + 1), At: noon.Add(time.Duration(n) * time.Second), Level: "info", Text: text})
	}
	return lines, name == "exec"
}

// fakeExplainer knows one event and two revisions, one of which is broken.
type fakeExplainer struct{}

func (fakeExplainer) Explain(_ context.Context, id, revision string) (explain.Explanation, error) {
	switch {
	case id != "pay-1":
		return explain.Explanation{}, store.ErrNotFound
	case revision == "broken":
		return explain.Explanation{}, fmt.Errorf("%w: gateway.yaml:3:1: routes.page.match: unknown", explain.ErrUnreadable)
	case revision != "" && revision != "r1":
		return explain.Explanation{}, explain.ErrRevision
	}
	return explain.Explanation{
		Event: explain.Explained{ID: "pay-1", Source: "/api", Type: "payment_received", Revision: "r1"}, Revision: cmp.Or(revision, "r2"),
		Routes: []rehearse.Verdict{
			{Route: "page", Engine: "http", Workflow: "notify", Matched: true, Key: "k", Input: []byte(`{"amount":12}`)},
			{Route: "review", Engine: "exec", Workflow: "review", Failed: &rehearse.Failure{Step: "when", Part: "event.data.amount > 100",
				Saw: []rehearse.Seen{{Place: "event.data.amount", Value: []byte("12")}}}},
		},
	}, nil
}
