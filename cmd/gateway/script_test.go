package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/declare"
	"github.com/event-gateway/gateway/gateway/api/engines"
	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/history"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/routing"
	"github.com/event-gateway/gateway/gateway/store"
)

var update = flag.Bool("update", false, "rewrite the expected outputs")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gateway": main})
}

// hookSecret is what the scripts' webhook is signed with.
const hookSecret = "a-secret-of-the-scripts"

// readToken may look at the gateway that asks for tokens.
const readToken = "a-token-of-the-scripts"

// hexSecret is another, written in hex behind a prefix.
const hexSecret = "000102030405060708090a0b0c0d0e0f1011"

// TestScripts runs the binary against the real admin handler over a backend
// of a few rows, and against a receiver that checks signatures on its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			b := newBackend()
			done, dead := b.deliveries[0].ID(), b.deliveries[1].ID()
			admin := httptest.NewServer(api.New(api.Options{Reader: b, Operator: b, Overlay: made{}, Schedules: plan{}, Runs: going{done, dead}, Engines: printing{}, Explain: explaining(b), Revisions: past(), Status: b.status, Log: zap.NewNop(), Admin: "127.0.0.1:0"}))
			locked := httptest.NewServer(api.New(api.Options{
				Reader: b, Operator: b, Status: b.status, Log: zap.NewNop(), Admin: "127.0.0.1:0",
				Tokens: func() []access.Token {
					return []access.Token{{Name: "dashboard", Role: access.Read, Digest: access.DigestOf([]byte(readToken))}}
				},
			}))
			hooks := httptest.NewServer(http.HandlerFunc(receive))
			other := httptest.NewServer(http.NotFoundHandler())
			env.Defer(admin.Close)
			env.Defer(locked.Close)
			env.Defer(hooks.Close)
			env.Defer(other.Close)
			for name, value := range map[string]string{
				"GATEWAY_ADMIN": admin.URL, "ADMIN": strings.TrimPrefix(admin.URL, "http://"),
				"LOCKED": locked.URL, "READ_TOKEN": readToken,
				"HOOKS": strings.TrimPrefix(hooks.URL, "http://"), "OTHER": other.URL, "HOOK_SECRET": hookSecret, "HEX_SECRET": "key_" + hexSecret,
				"DONE": done, "DEAD": dead, "NO_COLOR": "1",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
	})
}

// receive is a webhook endpoint that tells what it got.
func receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	if !signedRight(r, body) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"title":"Unauthorized","status":401,"detail":"the signature is not right"}`)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	if r.URL.Path == "/plain" {
		fmt.Fprint(w, "thank\x1b you")
		return
	}
	fmt.Fprintf(w, `{"status":"accepted","event_id":%q,"event_type":"github.%s","workflows_triggered":1,"duplicate":%t}`,
		cmp.Or(r.Header.Get("X-GitHub-Delivery"), r.Header.Get("X-Id")), r.Header.Get("X-GitHub-Event"), r.Header.Get("X-Again") != "")
}

// signedRight checks the two schemes of the scripts, without package verify.
func signedRight(r *http.Request, body []byte) bool {
	key, signed, header, prefix := []byte(hookSecret), string(body), "X-Hub-Signature-256", "sha256="
	if r.URL.Path == "/partner" {
		key, _ = hex.DecodeString(hexSecret)
		signed = r.Header.Get("X-Id") + "." + r.Header.Get("X-Time") + "." + signed
		header, prefix = "X-Partner", "v1="
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return r.Header.Get(header) == prefix+hex.EncodeToString(mac.Sum(nil))
}

// backend is a store and an operator of a few rows.
type backend struct {
	mu         sync.Mutex
	events     []store.StoredEvent
	deliveries []*store.Delivery
	reloads    int
}

func newBackend() *backend {
	now := time.Now().UTC()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	newer, older := ago(90*time.Minute), ago(3*time.Hour+30*time.Minute)
	failed := store.Attempt{Number: 3, Started: ago(3 * time.Hour), Ended: ago(3*time.Hour - 2*time.Second), Outcome: "permanent",
		Message: "exit status 65\nline two \x1b[2J", Process: "exec/7"}
	succeeded := store.Attempt{Number: 1, Started: newer, Ended: newer.Add(250 * time.Millisecond), Outcome: "succeeded", Output: []byte(`{"ok":true}`)}
	return &backend{
		events: []store.StoredEvent{
			{Seq: store.SeqAt(newer), Revision: "r1", Deliveries: 1, Event: &event.Event{ID: "push/1", Source: "/webhooks/github_push",
				Type: "github.push", Time: newer, ContentType: "application/json", Headers: map[string]string{"x-github-event": "push"},
				Body: []byte(`{"ref":"refs/heads/main","title":"\u001b[31mred"}`)}},
			{Seq: store.SeqAt(older), Revision: "r1", Deliveries: 1, Event: &event.Event{ID: "note-1", Source: "/api",
				Type: "note\x1b[2J", Time: older, ContentType: "text/plain", Body: []byte("plain \x1b[2J text")}},
		},
		deliveries: []*store.Delivery{
			{Seq: store.SeqAt(newer), EventID: "push/1", Route: "deploy-main", Engine: "exec", Workflow: "deploy",
				State: store.Succeeded, Attempt: 1, Last: succeeded, RunID: "run-9", Input: []byte(`{"repo":"acme/shop"}`)},
			{Seq: store.SeqAt(older), EventID: "note-1", Route: "page", Engine: "exec", Workflow: "notify",
				State: store.Dead, Attempt: 3, Last: failed},
		},
	}
}

func (b *backend) Events(_ context.Context, f store.EventFilter) (out []store.StoredEvent, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if (f.Before == 0 || e.Seq < f.Before) && (f.Type == "" || f.Type == e.Event.Type) && len(out) < f.Limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (b *backend) EventByID(_ context.Context, id string) (*store.StoredEvent, []*store.Delivery, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range b.events {
		if e.Event.ID == id && i < len(b.deliveries) {
			return &e, b.deliveries[i : i+1], nil
		}
	}
	return nil, nil, store.ErrNotFound
}

func (b *backend) Deliveries(_ context.Context, f store.DeliveryFilter) (out []*store.Delivery, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.deliveries {
		if (f.Before == 0 || d.Seq < f.Before) && (len(f.States) == 0 || f.States[0] == d.State) && len(out) < f.Limit {
			shown := *d
			out = append(out, &shown)
		}
	}
	return out, nil
}

func (b *backend) Delivery(_ context.Context, seq int64) (*store.Delivery, []store.Attempt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.deliveries {
		if d.Seq == seq {
			shown := *d
			return &shown, []store.Attempt{d.Last}, nil
		}
	}
	return nil, nil, store.ErrNotFound
}

func (b *backend) Retry(_ context.Context, seq int64) error   { return b.change(seq, store.Pending) }
func (b *backend) Discard(_ context.Context, seq int64) error { return b.change(seq, store.Discarded) }

func (b *backend) change(seq int64, to store.State) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.deliveries {
		if d.Seq != seq {
			continue
		}
		if d.State == store.Succeeded {
			return store.ErrState
		}
		d.State = to
		return nil
	}
	return store.ErrNotFound
}

// Reload answers something else each time: changed, unchanged, refused.
func (b *backend) Reload(context.Context) (api.ReloadResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reloads++
	r := api.ReloadResult{Revision: strings.Repeat("ab12", 16)}
	switch b.reloads {
	case 1:
		r.Changed, r.Differences = true, []string{"routes: +page"}
	case 3:
		r.Problems = []api.ConfigProblem{{File: "gateway.yaml", Line: 3, Col: 5, Path: "routes.page.wehn",
			Message: "unknown key", Hint: "did you mean when?", Severity: "error"}}
	}
	return r, nil
}

func (b *backend) Submit(_ context.Context, entry *store.Entry) (store.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := entry.Event
	for _, known := range b.events {
		if known.Event.ID == e.ID {
			return store.Receipt{EventID: e.ID, EventType: e.Type, Deliveries: 1, Duplicate: true}, nil
		}
	}
	b.events = append([]store.StoredEvent{{Seq: store.SeqAt(time.Now()), Event: e}}, b.events...)
	if state, ok := map[string]store.State{"payment_received": store.Succeeded, "payment_failed": store.Running}[e.Type]; ok {
		d := &store.Delivery{Seq: int64(len(b.events)), EventID: e.ID, Route: "deploy-main", Engine: "exec", Workflow: "deploy", State: state}
		b.deliveries, entry.Deliveries = append([]*store.Delivery{d}, b.deliveries...), []*store.Delivery{d}
	}
	return store.Receipt{EventID: e.ID, EventType: e.Type, Deliveries: 2}, nil
}

// made is what was made over the API: two entries, one of them broken.
type made struct{ declare.Overlay }

func (made) Entries() (declare.Report, error) {
	return declare.Report{YAML: "routes:\n  a-w:\n    events: [a]\n    run: w\n", Entries: []ask.OverlayEntry{
		{Name: "routes.a-w", InForce: true},
		{Name: "routes.b-w", Problems: []api.ConfigProblem{
			{File: "overlay/routes.b-w", Line: 4, Col: 10, Path: "routes.b-w.run", Message: "no engine named \"gone\"", Severity: "error"}}},
	}}, nil
}

// plan has the schedules nightly, across a change of the clock, and off.
type plan struct{ steer.Schedules }

func (plan) Upcoming(n int) []steer.Schedule {
	at := time.Date(2040, 10, 28, 0, 30, 0, 0, time.UTC)
	summer, winter := time.FixedZone("", 7200), time.FixedZone("", 3600)
	firings := []steer.Firing{{Slot: at.In(summer), At: at.In(summer)}, {Slot: at.Add(time.Hour).In(winter), At: at.Add(time.Hour + 90*time.Second).In(winter)}}
	return []steer.Schedule{
		{Name: "nightly", Spec: "30 2 * * * Europe/Berlin", Firings: firings[:min(n, 2)]},
		{Name: "off", Spec: "every 5m0s", Paused: true},
	}
}

func (plan) Pause(_ context.Context, name string) error {
	if name != "off" {
		return store.ErrNotFound
	}
	return nil
}

func (plan) Resume(context.Context, string) error { return store.ErrState }

func (plan) Trigger(_ context.Context, name string) (store.Receipt, error) {
	return store.Receipt{EventID: name + "!2026", Deliveries: 2}, nil
}

func (plan) Backfill(_ context.Context, _ string, from, to time.Time) (steer.Backfill, error) {
	return steer.Backfill{Slots: int(to.Sub(from).Hours()), Fired: 7, Before: 1}, nil
}

// going has a run that waits and one that goes on, of these deliveries.
type going struct{ waits, runs string }

func (g going) Underway() []runs.Run {
	now := time.Now()
	return []runs.Run{
		{Delivery: g.waits, EventID: "push/1", RunID: "run-9", Route: "deploy-main", Engine: "exec", Workflow: "deploy", State: "waiting", Attempt: 1,
			Started:  now.Add(-5*time.Minute - time.Second),
			Question: &runs.Question{Prompt: "Deploy to \x1b[2J production?", Schema: []byte(`{"type":"boolean"}`), Since: now.Add(-time.Minute)}},
		{Delivery: g.runs, EventID: "note-1", Route: "page", Engine: "exec", Workflow: "notify", State: "running", Attempt: 2,
			Started: now.Add(-3*time.Second - time.Millisecond), Progress: &runs.Progress{Step: "send", Message: "half of them", Fraction: new(0.5), At: now}},
	}
}

func (g going) Answer(_ context.Context, seq int64, answer json.RawMessage) error {
	switch {
	case store.FormatID(seq) != g.waits:
		return store.ErrState
	case string(answer) != "true" && string(answer) != `"approve"`:
		return fmt.Errorf("%w: want \"approve\" or true", runs.ErrUnfit)
	}
	return nil
}

func (g going) Cancel(context.Context, int64) error { return nil }

// explaining has the routes of now, and those of the revision 0123abcd4567.
func explaining(b *backend) routing.Explainer {
	env := expr.New()
	now, _ := route.Compile([]route.Spec{
		{Name: "deploy-main", Events: []string{"github.push"}, Match: map[string][]any{"data.ref": {"refs/heads/main"}}, With: map[string]any{"ref": "${{ event.data.ref }}"}, Key: "event.source", Engine: "exec", Workflow: "deploy"},
		{Name: "page", Events: []string{"github.*"}, When: `event.data.title == "x" && event.data.ref != ""`, Engine: "exec", Workflow: "notify"},
		{Name: "unsure", Events: []string{"*"}, When: "event.data.none.more == 1", Engine: "exec", Workflow: "notify"},
		{Name: "note", Events: []string{"note"}, Engine: "exec", Workflow: "note"},
	}, env, &route.Counters{})
	return routing.Explainer{Env: env, Events: b, History: bygone{}, Live: func() *intake.Rules { return &intake.Rules{Table: now, Revision: "cafe0123beef"} }}
}

// bygone is a revision of the past.
type bygone struct{}

func (bygone) Document(_ context.Context, prefix string) (string, *config.Document, config.Problems, error) {
	if !strings.HasPrefix("0123abcd4567", prefix) {
		return "", nil, nil, explain.ErrRevision
	}
	doc, problems := config.Parse("gateway.yaml", []byte("version: 1\nengines: {exec: {plugin: x}}\nroutes: {old: {events: [github.push], match: {data.ref: refs/heads/old}, run: exec/old}}\n"), config.Options{})
	return "0123abcd4567", doc, problems, nil
}

// past is the history of three configurations, of which the last is in force.
func past() history.History {
	kept := &memory{}
	h := history.History{Store: kept}
	const first = "version: 1\nengines: {exec: {plugin: ./exec, config: {dir: ./a}}}\nroutes:\n  deploy-main: {events: [push], run: exec/deploy, when: event.data.ok}\n"
	second := strings.NewReplacer("./a", "./b", "event.data.ok", "event.data.fine").Replace(first)
	var before *config.Document
	for i, step := range []struct{ text, reason, by, overlay string }{
		{first, "start", "", ""}, {second, "file", "", ""},
		{second, "api", "ops", "routes:\n  a-w:\n    events: [a]\n    run: exec/w\n    with: {password: hunter2}\n"},
	} {
		var made []config.Entry
		if step.overlay != "" {
			made = append(made, config.Entry{Name: "routes.a-w", Text: []byte(step.overlay)})
		}
		doc, _ := config.Parse("gateway.yaml", []byte(step.text), config.Options{Overlay: made})
		_ = h.Add(context.Background(), history.Step{Before: before, Now: doc, Revision: doc.Revision[:12], Reason: step.reason, By: step.by})
		kept.all[i].At = time.Date(2040, 1, 1, 10+i, 0, 0, 0, time.UTC)
		before = doc
	}
	return h
}

// memory is a store of revisions.
type memory struct{ all []store.Revision }

func (m *memory) AddRevision(_ context.Context, r store.Revision) error {
	r.N = int64(len(m.all) + 1)
	m.all = append(m.all, r)
	return nil
}

func (m *memory) Revisions(_ context.Context, p store.Page) (list []store.Revision, err error) {
	for _, r := range slices.Backward(m.all) {
		if (p.Before == 0 || r.N < p.Before) && len(list) < p.Limit {
			list = append(list, r)
		}
	}
	return list, nil
}

func (m *memory) Revision(_ context.Context, hash string) (store.Revision, error) {
	for _, r := range slices.Backward(m.all) {
		if strings.HasPrefix(r.Hash, hash) {
			return r, nil
		}
	}
	return store.Revision{}, store.ErrNotFound
}

// printing is an engine that printed two lines.
type printing struct{}

func (printing) Log(name string) ([]engines.LogLine, bool) {
	return []engines.LogLine{
		{N: 1, At: time.Now(), Level: "info", Text: "starting"}, {N: 2, At: time.Now(), Level: "error", Text: "no registry \x1b[2J"},
	}, name == "exec"
}

func (b *backend) status() api.StatusReport {
	b.mu.Lock()
	defer b.mu.Unlock()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	r := api.StatusReport{
		Version: "1.2.3", StartedAt: ago(3*time.Hour + time.Minute), Ready: b.reloads < 3,
		Config: api.ConfigStatus{File: "gateway.yaml", Revision: strings.Repeat("ab12", 16), LoadedAt: ago(50 * time.Hour)},
		Store: api.StoreStatus{Path: "./data", Durability: "fsync at every commit", SizeBytes: 5 << 20, FreeBytes: 3 << 30,
			Pending: 7, OldestPending: ago(10*time.Minute + 30*time.Second)},
		Intake:  api.IntakeStatus{Accepted: 30, Duplicates: 2, Unrouted: 4},
		Engines: []api.EngineStatus{{Name: "exec", State: "crash_loop", Restarts: 5, Limit: 32, LastError: "exit status 2"}},
		Webhooks: []api.WebhookStatus{
			{Name: "open", Path: "/webhooks/open", Scheme: "none", Insecure: true, Rejected: map[string]uint64{"too_large": 3, "stale": 1, "missing": 0}},
			{Name: "push", Path: "/webhooks/push", Scheme: "github", LastSecret: "0", Secrets: []api.SecretStatus{
				{LastAt: ago(5*time.Minute + time.Second)}, {Position: 2, Until: time.Now().Add(49 * time.Hour)},
			}},
		},
		Schedules: []api.ScheduleStatus{{Name: "nightly", Origin: declare.OriginFile, Spec: "30 2 * * *", Next: time.Now().Add(5*time.Hour + time.Minute)}},
		Routes: []api.RouteStatus{{Name: "deploy-main", Origin: declare.OriginAPI, Events: []string{"github.push", "github.*"}, Engine: "exec", Workflow: "deploy",
			Matched: 9, FilterErrors: 1, Pending: 7, Oldest: ago(10*time.Minute + 30*time.Second), Reason: "engine down"}},
	}
	if !r.Ready {
		r.Reasons = []string{"store: failed"}
		r.Config.LastReload = &api.ReloadStatus{At: ago(time.Minute), ReloadResult: api.ReloadResult{
			Problems: []api.ConfigProblem{{File: "gateway.yaml", Message: "the file is empty", Severity: "error"}}}}
	}
	return r
}

// exits runs a program that must end with that very code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = strconv.Itoa(exit.ExitCode())
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s (%v)", code, args[0], err)
	}
}
