package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/history"
	"github.com/event-gateway/gateway/gateway/store"
)

// ask sends a request to the admin address.
func (b *box) ask(method, path, body string) (code int, answer map[string]any) {
	b.t.Helper()
	_, admin := b.g.Addresses()
	r, err := http.NewRequest(method, "http://"+admin.String()+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil {
		b.t.Fatalf("%s %s: %d %q: %v", method, path, resp.StatusCode, text, err)
	}
	return resp.StatusCode, answer
}

func (b *box) mustAsk(want int, method, path, body string) map[string]any {
	b.t.Helper()
	code, answer := b.ask(method, path, body)
	if code != want {
		b.t.Fatalf("%s %s: %d, want %d: %v", method, path, code, want, answer)
	}
	return answer
}

// again ends the gateway and starts it on the same store.
func (b *box) again() {
	b.t.Helper()
	b.stop()
	ready := make(chan struct{})
	g, err := New(Options{ConfigPath: b.path, Log: zap.NewNop(), Version: "test", Ready: func() { close(ready) }})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		b.t.Fatal(err)
	}
	b.g, b.stop = g, func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	}
}

func (b *box) config(routes string) string {
	return fmt.Sprintf(base, execPlugin, routes) + "defaults: {engine: exec}\n"
}

// startOverlay starts a gateway with a default engine.
func startOverlay(t *testing.T) *box {
	b := start(t, "")
	b.write(b.config(""))
	b.reload("")
	return b
}

// reload puts the file in force, with a warning.
func (b *box) reload(warning string) {
	b.t.Helper()
	result, err := b.g.Reload(context.Background(), "test")
	if err != nil || result.Refused() || !strings.Contains(fmt.Sprint(result.Problems), warning) {
		b.t.Fatalf("reload: %v %+v", err, result)
	}
}

// Flaw 1: what is subscribed counts at once, for every source.
func TestFlaw1OneRegistry(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	b.mustAsk(200, "POST", "/api/events/subscribe/orders", `{"workflow_id":"fail"}`)
	if status, answer := b.post(`{"n":1}`); status != 202 || answer["workflows_triggered"] != 2.0 {
		t.Errorf("webhook: %d %v", status, answer)
	}
	if answer := b.mustAsk(202, "POST", "/api/events/trigger/orders", `{"n":2}`); answer["workflows_executed"] != 2.0 {
		t.Errorf("trigger: %v", answer)
	}
	b.mustAsk(200, "DELETE", "/api/events/unsubscribe/orders?workflow_id=fail", "")
	if answer := b.mustAsk(202, "POST", "/api/events/trigger/orders", `{"n":3}`); answer["workflows_executed"] != 1.0 {
		t.Errorf("after unsubscribing: %v", answer)
	}
}

// Flaw 2: the same workflow twice for one type of events is a conflict, however
// it is written; what the engine does not know is refused; times are UTC.
func TestFlaw2Subscribe(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	made := b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"echo","config":{"a":1}}`)["subscription"].(map[string]any)
	at, err := time.Parse(time.RFC3339, made["created_at"].(string))
	if err != nil || at.Location() != time.UTC || time.Since(at) > time.Minute {
		t.Errorf("created at %v: %v", made["created_at"], err)
	}
	delete(made, "created_at")
	if want := map[string]any{"workflow_id": "echo", "config": map[string]any{"a": 1.0}, "origin": "api", "route": "paid-echo"}; !reflect.DeepEqual(made, want) {
		t.Errorf("made %v", made)
	}
	revision := b.g.current.Load().revision
	for path, body := range map[string]string{
		"paid": `{"workflow_id":"echo","config":{"a":2}}`, "paid ": `{"workflow_id":"exec/echo"}`, "orders": `{"workflow_id":"exec/echo"}`,
	} {
		code, answer := b.ask("POST", "/api/events/subscribe/"+strings.TrimSpace(path), body)
		if code != http.StatusConflict || !strings.Contains(fmt.Sprint(answer["detail"]), "already subscribed") {
			t.Errorf("%s %s: %d %v", path, body, code, answer)
		}
	}
	for body, want := range map[string]string{
		`{"workflow_id":"nothing"}`:                      "nothing",
		`{"workflow_id":"gone/echo"}`:                    `no engine named "gone"`,
		`{"workflow_id":"a b"}`:                          "want engine/workflow",
		`{"workflow_id":"/echo"}`:                        "want engine/workflow",
		`{"workflow_id":"echo","config":{"${{ a }}":1}}`: "a key cannot be computed",
	} {
		code, answer := b.ask("POST", "/api/events/subscribe/other", body)
		if errs, _ := answer["errors"].([]any); code != http.StatusUnprocessableEntity || len(errs) == 0 || !strings.Contains(fmt.Sprint(answer), want) {
			t.Errorf("%s: %d %v, want %s", body, code, answer, want)
		}
	}
	for _, event := range []string{"a*", "a..b", "x."} {
		if code, answer := b.ask("POST", "/api/events/subscribe/"+event, `{"workflow_id":"echo"}`); code != http.StatusUnprocessableEntity {
			t.Errorf("event type %q: %d %v", event, code, answer)
		}
	}
	if b.g.current.Load().revision != revision {
		t.Error("what was refused has changed something")
	}
	if kept, err := b.g.store.Overlay(context.Background()); err != nil || len(kept) != 1 {
		t.Errorf("kept %v, %v", kept, err)
	}
}

// Flaw 3 and 11: unsubscribing removes the one that was meant, for good; what
// the file declares is not removed here.
func TestFlaw3Unsubscribe(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"echo"}`)
	b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"fail"}`)
	b.mustAsk(200, "DELETE", "/api/events/unsubscribe/paid?workflow_id=exec/echo", "")
	for range 2 {
		list := b.mustAsk(200, "GET", "/api/events/paid", "")["paid"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["workflow_id"] != "fail" {
			t.Errorf("left: %v", list)
		}
		b.mustAsk(404, "DELETE", "/api/events/unsubscribe/paid?workflow_id=echo", "")
		b.again()
	}
	b.mustAsk(409, "DELETE", "/api/events/unsubscribe/orders?workflow_id=echo", "")
	b.mustAsk(422, "DELETE", "/api/events/unsubscribe/paid", "")
	b.mustAsk(200, "DELETE", "/api/events/unsubscribe/paid?workflow_id=fail", "")
	b.mustAsk(404, "GET", "/api/events/paid", "")
	if all := b.mustAsk(200, "GET", "/api/events", ""); len(all) != 1 || all["orders"] == nil {
		t.Errorf("all: %v", all)
	}
}

// Flaw 4 and 12: lists are copies without secrets, and say where a thing was
// declared.
func TestFlaw4Lists(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	t.Setenv("TEST_WORD", "a word that is not shown")
	b.write(b.config("  own: {events: [paid, a.*], run: exec/echo, with: {note: '${env:TEST_WORD}', api_token: literal-literal, n: 1.50}}\n"))
	b.reload("")
	b.mustAsk(200, "POST", "/api/events/subscribe/a.*", `{"workflow_id":"fail","config":{"password":"hunter2-hunter2","text":"${env:TEST_WORD} ${{ x }}"}}`)
	want := map[string]any{
		"paid": []any{map[string]any{"workflow_id": "echo", "origin": "file", "route": "own", "created_at": nil,
			"config": map[string]any{"note": "${env:TEST_WORD}", "api_token": "[redacted]", "n": 1.5}}},
	}
	if got := b.mustAsk(200, "GET", "/api/events/paid", ""); !reflect.DeepEqual(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	both := b.mustAsk(200, "GET", "/api/events/a.*", "")["a.*"].([]any)
	if len(both) != 2 || !reflect.DeepEqual(both[0].(map[string]any)["config"], map[string]any{"password": "[redacted]", "text": "${env:TEST_WORD} ${{ x }}"}) {
		t.Errorf("both: %v", both)
	}
	kept, err := history.History{Store: b.g.store}.Show(context.Background(), "")
	if text := fmt.Sprint(kept); err != nil || strings.Contains(text, "hunter2") || !strings.Contains(text, "a-fail") {
		t.Errorf("history: %v %s", err, text)
	}
}

// Flaw 6: what is broken in the store is set aside and told, never dropped and
// never in the way of the rest.
func TestFlaw6Corruption(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"echo"}`)
	for name, text := range map[string]string{"routes.torn": "routes: {torn: {ev", "routes.bytes": "\xff\x00", "nothing": "[]", "schedules.s": `schedules: {s: {every: soon}}`} {
		if err := b.g.store.PutOverlay(context.Background(), store.OverlayEntry{Name: name, Text: []byte(text), At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	b.again()
	b.mustAsk(200, "GET", "/api/events/paid", "")
	status := b.g.status()
	if len(status.Config.SetAside) != 4 || status.Config.Made != 5 || !status.Ready {
		t.Errorf("set aside: %+v", status.Config.SetAside)
	}
	b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"fail"}`)
	kept, err := b.g.store.Overlay(context.Background())
	if err != nil || len(kept) != 6 {
		t.Errorf("kept %v, %v", kept, err)
	}
	for _, e := range status.Config.SetAside {
		if len(e.Problems) == 0 {
			t.Errorf("%s: no reason", e.Name)
		}
		b.mustAsk(200, "DELETE", "/api/v1/overlay/"+e.Name, "")
		b.mustAsk(404, "DELETE", "/api/v1/overlay/"+e.Name, "")
	}
	if left := b.g.status().Config; len(left.SetAside) != 0 || left.Made != 2 {
		t.Errorf("left: %+v", left)
	}
}

// What the file declares counts, and a file that takes an engine away sets
// aside what needs it; nothing is lost by that.
func TestOverlayUnderAnotherFile(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"echo"}`)
	b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"exec/fail"}`)
	in := func() (names []string) {
		for _, r := range b.g.status().Routes {
			if r.Origin == "api" {
				names = append(names, r.Name)
			}
		}
		return names
	}
	if got := in(); !slices.Equal(got, []string{"paid-echo", "paid-fail"}) {
		t.Fatalf("routes %v", got)
	}
	b.write(b.config("  paid-echo: {events: [else], run: exec/fail}\n"))
	b.reload("")
	if got := in(); !slices.Equal(got, []string{"paid-fail"}) || b.g.status().Config.SetAside[0].Name != "routes.paid-echo" {
		t.Errorf("a file with one of the names: %v, aside %+v", got, b.g.status().Config.SetAside)
	}
	b.mustAsk(409, "POST", "/api/events/subscribe/paid", `{"workflow_id":"echo"}`)
	b.write(strings.NewReplacer("engines:\n  exec:", "engines:\n  main:", "run: exec/", "run: main/", "engine: exec", "engine: main").Replace(b.config("")))
	b.reload("")
	if got := in(); !slices.Equal(got, []string{"paid-echo"}) {
		t.Errorf("a file with another engine: %v: the default engine's goes on, and one of an engine that is gone does not", got)
	}
	b.again()
	if got := in(); !slices.Equal(got, []string{"paid-echo"}) {
		t.Errorf("after a restart: %v", got)
	}
	b.write(b.config(""))
	b.reload("")
	if got := in(); !slices.Equal(got, []string{"paid-echo", "paid-fail"}) || len(b.g.status().Config.SetAside) != 0 {
		t.Errorf("back again: %v", got)
	}
	b.write(strings.Replace(b.config(""), "    fail: {", "    fall: {", 1))
	b.reload("set aside: ") // the engine no longer knows its workflow
	if got := in(); !slices.Equal(got, []string{"paid-echo"}) {
		t.Errorf("a file without its workflow: %v", got)
	}
	b.again()
	if got := in(); !slices.Equal(got, []string{"paid-echo"}) {
		t.Errorf("after a restart without its workflow: %v", got)
	}
	b.write(b.config(""))
	b.reload("")
	b.write("version: 1\nroutes: {")
	if result, err := b.g.Reload(context.Background(), "test"); err != nil || !result.Refused() {
		t.Fatalf("a broken file: %+v %v", result, err)
	}
	b.mustAsk(200, "POST", "/api/events/subscribe/more", `{"workflow_id":"echo"}`)
	if got := in(); len(got) != 3 {
		t.Errorf("beside a broken file: %v", got)
	}
}

// An exported overlay, put into the file, is the same without it.
func TestOverlayExport(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	b.mustAsk(200, "POST", "/api/events/subscribe/paid", `{"workflow_id":"echo","config":{"t":"${{ x }} ${env:NOPE}","n":[1,2.50,{"a":null}]}}`)
	b.mustAsk(200, "POST", "/api/events/subscribe/gone", `{"workflow_id":"fail"}`)
	b.mustAsk(201, "POST", "/api/schedule/tick?interval_seconds=86400", `{"t":"${env:NOPE}"}`)
	before := *b.g.current.Load().doc.Config
	text := b.mustAsk(200, "GET", "/api/v1/overlay", "")["yaml"].(string)
	whole := b.config(strings.TrimPrefix(text[:strings.Index(text, "schedules:")], "routes:\n")) + text[strings.Index(text, "schedules:"):]
	b.write(whole)
	result, err := b.g.Reload(context.Background(), "test")
	if err != nil || result.Refused() || len(b.g.status().Config.SetAside) != 3 {
		t.Fatalf("reload: %v %+v\n%s", err, result, whole)
	}
	after := b.g.current.Load().doc.Config
	if !reflect.DeepEqual(before.Routes, after.Routes) || !reflect.DeepEqual(before.Schedules, after.Schedules) {
		t.Errorf("in the file it is another:\n%s", text)
	}
	// What is in the file now can be deleted from the overlay, and only there.
	b.mustAsk(200, "DELETE", "/api/events/unsubscribe/paid?workflow_id=echo", "")
	b.mustAsk(409, "DELETE", "/api/events/unsubscribe/paid?workflow_id=echo", "")
	b.mustAsk(200, "DELETE", "/api/schedule/tick", "")
	b.mustAsk(409, "DELETE", "/api/schedule/tick", "")
	b.mustAsk(409, "POST", "/api/schedule/tick?interval_seconds=5", "")
}

// Flaws 21 to 27: a schedule is checked before it is looked up, a second one is
// a conflict, deleting one is for good and another one starts afresh.
func TestFlaw21Schedule(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	b.mustAsk(400, "POST", "/api/schedule/tick?interval_seconds=4", "")
	made := b.mustAsk(201, "POST", "/api/schedule/tick?interval_seconds=3600", `[1]`)
	next, err := time.Parse(time.RFC3339, made["next_run"].(string))
	if err != nil || time.Until(next) <= 0 || time.Until(next) > time.Hour || next.Unix()%3600 != 0 {
		t.Errorf("next run %v: %v", made["next_run"], err)
	}
	b.mustAsk(400, "POST", "/api/schedule/tick?interval_seconds=4", "")
	b.mustAsk(409, "POST", "/api/schedule/tick?interval_seconds=60", "")
	before := b.mustAsk(200, "GET", "/api/schedule", "")
	b.again()
	if after := b.mustAsk(200, "GET", "/api/schedule", ""); !reflect.DeepEqual(before, after) {
		t.Errorf("flaw 27: %v, was %v", after, before)
	}
	tick := before["tick"].(map[string]any)
	if tick["interval_seconds"] != 3600.0 || tick["cron"] != nil || tick["last_run"] != nil || tick["origin"] != "api" || !reflect.DeepEqual(tick["payload"], []any{1.0}) {
		t.Errorf("tick: %v", tick)
	}
	b.mustAsk(200, "DELETE", "/api/schedule/tick", "")
	b.mustAsk(404, "DELETE", "/api/schedule/tick", "")
	b.again()
	if left := b.mustAsk(200, "GET", "/api/schedule", ""); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Changes at once, reloads among them, are one after the other: all are there
// afterwards, in force and kept.
func TestOverlayConcurrent(t *testing.T) {
	b := startOverlay(t)
	defer func() { b.stop() }()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 3 {
				b.mustAsk(200, "POST", fmt.Sprintf("/api/events/subscribe/e%d.%d", i, n), `{"workflow_id":"echo"}`)
			}
			b.mustAsk(200, "DELETE", fmt.Sprintf("/api/events/unsubscribe/e%d.1?workflow_id=echo", i), "")
		})
	}
	wg.Go(func() {
		for range 5 {
			b.reload("")
		}
	})
	wg.Wait()
	count := func() int { return len(b.mustAsk(200, "GET", "/api/events", "")) }
	if got := count(); got != 1+16 {
		t.Errorf("%d types", got)
	}
	b.again()
	if got := count(); got != 1+16 {
		t.Errorf("%d types after a restart", got)
	}
}
