package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/verify"
)

// execPlugin is the exec engine, built once.
var execPlugin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gateway-test")
	if err == nil {
		execPlugin = filepath.Join(dir, "exec")
		err = exec.Command("go", "build", "-o", execPlugin, "../plugins/exec").Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the exec engine:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const secret = "a secret of the test's own"

// base is a configuration with one webhook, %s being more routes.
const base = `version: 1
server: {listen: 127.0.0.1:0, admin: 127.0.0.1:0}
store: {path: ./data, min_free: 1MiB}
engines:
  exec: {plugin: %s, config: {commands: {
    echo: {command: [sh, -c, 'cat >/dev/null; echo "{\"type\":\"$GATEWAY_EVENT_TYPE\"}"']},
    fail: {command: [sh, -c, 'echo no >&2; exit 65']}}}}
webhooks:
  orders:
    scheme: hmac
    secrets: ["${env:TEST_SECRET}"]
    signature: {header: X-Signature}
routes:
  echo: {events: [orders], run: exec/echo}
%s`

// box is a gateway under test.
type box struct {
	t    *testing.T
	path string
	g    *Gateway
	stop func()
}

func start(t *testing.T, routes string) *box {
	t.Helper()
	t.Setenv("TEST_SECRET", secret)
	b := &box{t: t, path: filepath.Join(t.TempDir(), "gateway.yaml")}
	b.write(fmt.Sprintf(base, execPlugin, routes))
	ready := make(chan struct{})
	g, err := New(Options{ConfigPath: b.path, Log: zap.NewNop(), Version: "test", Ready: func() { close(ready) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	b.g, b.stop = g, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return b
}

func (b *box) write(text string) {
	b.t.Helper()
	if err := os.WriteFile(b.path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// post sends a signed order.
func (b *box) post(body string) (status int, answer map[string]any) {
	b.t.Helper()
	scheme, _ := verify.Preset("hmac")
	scheme.Proofs[0].Header = "X-Signature"
	signed := verify.Request{Body: []byte(body)}
	if err := verify.Sign(scheme, []byte(secret), &signed, time.Now(), ""); err != nil {
		b.t.Fatal(err)
	}
	public, _ := b.g.Addresses()
	r, _ := http.NewRequest("POST", "http://"+public.String()+"/webhooks/orders", strings.NewReader(body))
	r.Header = signed.Header
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	_ = json.Unmarshal(text, &answer)
	return resp.StatusCode, answer
}

// ended waits until every delivery of an event has ended.
func (b *box) ended(id string) []*store.Delivery {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		_, list, err := b.g.store.EventByID(context.Background(), id)
		if err != nil {
			b.t.Fatal(err)
		}
		open := 0
		for _, d := range list {
			if d.State.Open() {
				open++
			}
		}
		if open == 0 {
			return list
		}
	}
	b.t.Fatalf("event %s: deliveries do not end", id)
	return nil
}

// The story: a signed webhook becomes an event, runs, fails, and its death is
// an event that another route takes.
func TestStory(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
	b := start(t, `  fail: {events: [orders], match: {data.bad: true}, run: exec/fail}
  dead: {events: [gateway.delivery.dead], match: {subject: fail}, run: exec/echo}
`)
	defer b.stop()
	status, answer := b.post(`{"bad":true}`)
	if status != 202 || answer["workflows_triggered"] != 2.0 || answer["event_type"] != "orders" {
		t.Fatalf("%d %v", status, answer)
	}
	list := b.ended(answer["event_id"].(string))
	if list[0].State != store.Succeeded || string(list[0].Last.Output) != `{"type":"orders"}` {
		t.Errorf("echo: %v %s", list[0].State, list[0].Last.Output)
	}
	if list[1].State != store.Dead || list[1].Attempt != 1 || !strings.Contains(list[1].Last.Message, "no") {
		t.Errorf("fail: %v after %d attempts: %q", list[1].State, list[1].Attempt, list[1].Last.Message)
	}
	dead := b.ended(list[1].ID() + ".1")
	if len(dead) != 1 || dead[0].State != store.Succeeded || string(dead[0].Last.Output) != `{"type":"gateway.delivery.dead"}` {
		t.Errorf("dead letter: %+v", dead)
	}
	if status, again := b.post(`{"bad":true}`); status != 202 || again["duplicate"] != true || again["event_id"] != answer["event_id"] {
		t.Errorf("the same again: %d %v", status, again)
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	b := start(t, "")
	defer b.stop()
	good := fmt.Sprintf(base, execPlugin, "  more: {events: [orders], run: exec/echo}\n")
	for name, c := range map[string]struct{ text, path, message string }{
		"unknown workflow": {strings.Replace(good, "more: {events: [orders], run: exec/echo}", "more: {events: [orders], run: exec/ecko}", 1), "routes.more.run", "ecko"},
		"bad expression":   {strings.Replace(good, "run: exec/echo}\n", "run: exec/echo, when: event.dat.x}\n", 1), "routes.echo.when", "event.dat"},
		"bad engine":       {strings.Replace(good, execPlugin, "/bin/true", 1), "engines.exec.plugin", ""},
		"engine's config":  {strings.Replace(good, "commands:", "comands:", 1), "engines.exec.config.comands", "did you mean"},
		"needs a restart":  {strings.Replace(good, "./data", "./other", 1), "store.path", "needs a restart"},
		"empty":            {"", "", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			before := b.g.current.Load()
			b.write(c.text)
			result, err := b.g.Reload(context.Background(), "test")
			if err != nil || !result.Refused() || b.g.current.Load() != before {
				t.Fatalf("%+v %v", result, err)
			}
			p := result.Problems[0]
			if !strings.HasPrefix(p.Path, c.path) || !strings.Contains(p.Message, c.message) {
				t.Errorf("%s: %s; want %s: …%s…", p.Path, p.Message, c.path, c.message)
			}
			if last := b.g.status().Config.LastReload; last == nil || last.OK {
				t.Errorf("the status does not tell: %+v", last)
			}
		})
	}
	pid := b.g.status().Engines[0].PID
	b.write(good)
	result, err := b.g.Reload(context.Background(), "test")
	if err != nil || result.Refused() || !result.Changed || fmt.Sprint(result.Differences) != "[routes: +more]" {
		t.Errorf("good: %+v %v", result, err)
	}
	if got := b.g.status().Engines[0].PID; got != pid {
		t.Errorf("the engine was restarted: %d, was %d", got, pid)
	}
	if status, answer := b.post(`{"n":1}`); status != 202 || answer["workflows_triggered"] != 2.0 {
		t.Errorf("after the reload: %d %v", status, answer)
	}
}

// What waits for a route that is taken out waits until it is back.
func TestRouteRemovedAndRestored(t *testing.T) {
	b := start(t, "  slow: {events: [orders], run: exec/fail, retry: {attempts: 9, backoff: 1ms..1ms}}\n")
	defer b.stop()
	reload := func(routes string) {
		t.Helper()
		b.write(fmt.Sprintf(base, execPlugin, routes))
		if r, err := b.g.Reload(context.Background(), "test"); err != nil || r.Refused() {
			t.Fatalf("%+v %v", r, err)
		}
	}
	reload("")
	ctx := context.Background()
	// Routed by the old configuration, committed under the new one.
	entry := b.g.intake.Route(newEvent("late"))
	entry.Deliveries = []*store.Delivery{{Route: "slow", Engine: "exec", Workflow: "echo"}}
	if _, err := b.g.store.Append(ctx, entry); err != nil {
		t.Fatal(err)
	}
	if err := b.g.backlog.Read(ctx); err != nil {
		t.Fatal(err)
	}
	var reason string
	for _, r := range b.g.status().Routes {
		if r.Name == "slow" {
			reason = r.Reason
		}
	}
	if reason != "route removed" {
		t.Errorf("status says %q of a removed route with a delivery", reason)
	}
	reload("  slow: {events: [orders], run: exec/echo}\n")
	if list := b.ended("late"); list[0].State != store.Succeeded {
		t.Errorf("after the route came back: %v", list[0].State)
	}
}

func TestNewReportsProblems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nrotes: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{ConfigPath: path, Log: zap.NewNop()})
	var problems config.Problems
	if !errors.As(err, &problems) || !strings.Contains(problems.Text(), "did you mean") {
		t.Errorf("%v", err)
	}
}

// A gateway whose engine can't start says so at the key, and leaves nothing.
func TestEngineThatCannotStart(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Setenv("TEST_SECRET", secret)
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, base, "/bin/true", ""), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := New(Options{ConfigPath: path, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	var problems config.Problems
	if err := g.Run(context.Background()); !errors.As(err, &problems) || !strings.Contains(problems.Text(), "engines.exec.plugin") {
		t.Errorf("%v", err)
	}
}

func newEvent(id string) *event.Event {
	return &event.Event{ID: id, Source: "/test", Type: "nobody.asks", Time: time.Now()}
}
