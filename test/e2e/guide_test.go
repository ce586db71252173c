package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// guide is what its users have: workflows, and one webhook. Everything else
// they ask for over HTTP.
const guide = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  exec: {plugin: EXEC, config: {dir: DIR/workflows}}
defaults: {engine: exec}
webhooks:
  github_push: {scheme: github, secrets: ["${env:E2E_SECRET}"], type: '"github_push"'}
`

// keep is a workflow that writes down all it is given.
const keep = `#!/bin/sh
given=$(cat)
printf '%s\n' "$given" >> "OUT/ran"
`

// ran is what a workflow was given.
type ran struct {
	Key      string          `json:"key"`
	Workflow string          `json:"workflow"`
	Input    json.RawMessage `json:"input"`
	Event    struct {
		ID, Type, Source string
		Time             time.Time
		Data             json.RawMessage
	} `json:"event"`
}

func newGuideSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, guide)
	if err := os.Mkdir(s.path("workflows"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"order_processing", "auto_deploy", "daily_report"} {
		s.replace(s.path("workflows/"+name), []byte(s.fill(keep)), 0o700)
	}
	return s
}

// ran lists what the workflows were given so far. What ran when the gateway was
// killed may run again: it has the same key, and counts once.
func (s *site) ran() (list []ran) {
	s.t.Helper()
	text, err := os.ReadFile(s.path("out/ran"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range bytes.Lines(text) {
		var r ran
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // being written
		}
		if err := json.Unmarshal(line, &r); err != nil {
			s.t.Fatalf("%v: %q", err, line)
		}
		if !known[r.Key] {
			known[r.Key] = true
			list = append(list, r)
		}
	}
	return list
}

// ask sends a request to the admin address, with a JSON body unless that is
// empty, and returns the answer.
func (l *life) ask(t *testing.T, method, path, body string) (code int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, l.admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s %s: %d %.300q: %v", method, path, resp.StatusCode, text, err)
	}
	return resp.StatusCode, answer
}

// mustAsk is an ask with one good answer.
func (l *life) mustAsk(t *testing.T, want int, method, path, body string) map[string]any {
	t.Helper()
	code, answer := l.ask(t, method, path, body)
	if code != want {
		t.Fatalf("%s %s: %d, want %d: %v", method, path, code, want, answer)
	}
	return answer
}

// The requests of the guide, as its page prints them.
const (
	subscribePayment = `{
    "workflow_id": "order_processing",
    "config": {
        "priority": "high",
        "notify_on_completion": true
    }
}`
	payment       = `{"order_id": "12345", "amount": 99.99, "currency": "USD", "payment_method": "credit_card"}`
	subscribePush = `{
    "workflow_id": "auto_deploy",
    "config": {
        "branches": ["main", "production"],
        "deploy_target": "production"
    }
}`
	scheduleReport = `{
    "interval_seconds": 86400,
    "payload": {
        "report_type": "sales_summary",
        "recipients": ["team@company.com"]
    }
}`
)

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Errorf("%q, %q: %v", a, b, err)
	}
	return reflect.DeepEqual(x, y)
}

// The guide's requests lead to runs that see the event's type, payload, config
// and time; killing the gateway or changing its file in the middle changes
// nothing about it. Flaws 1, 3, 8, 23 to 27, 29 to 33 of the inventory.
func TestGuide(t *testing.T) {
	t.Parallel()
	s := newGuideSite(t)
	l := s.start()
	l.mustAsk(t, http.StatusOK, "POST", "/api/events/subscribe/payment_received", subscribePayment)
	l.mustAsk(t, http.StatusOK, "POST", "/api/events/subscribe/github_push", subscribePush)
	l.mustAsk(t, http.StatusOK, "POST", "/api/events/subscribe/generate_daily_report", `{"workflow_id":"daily_report"}`)
	report := l.mustAsk(t, http.StatusCreated, "POST", "/api/schedule/generate_daily_report", scheduleReport)
	if report["interval_seconds"] != 86400.0 || report["event_type"] != "generate_daily_report" {
		t.Errorf("scheduled: %v", report)
	}
	l.mustAsk(t, http.StatusOK, "POST", "/api/events/subscribe/tick", `{"workflow_id":"daily_report","config":{"t":"${{ event.data }} ${env:HOME}"}}`)
	l.mustAsk(t, http.StatusCreated, "POST", "/api/schedule/tick?interval_seconds=5", `{"n":12345678901234567890}`)
	subscriptions, schedules := l.mustAsk(t, 200, "GET", "/api/events", ""), l.mustAsk(t, 200, "GET", "/api/schedule", "")

	s.fires(t, l, 1)
	l.kill(t)
	l = s.start()
	l.stands(t, "after SIGKILL", subscriptions, schedules)
	s.fires(t, l, 2)
	s.write(strings.Replace(guide, "webhooks:", "routes: {own: {events: [own], run: order_processing}}\nwebhooks:", 1))
	if code, problems := l.reload(t); code != http.StatusOK {
		t.Fatalf("reload: %d %v", code, problems)
	}
	s.fires(t, l, 3)
	l.stop(t)
	l = s.start()
	l.mustAsk(t, http.StatusConflict, "DELETE", "/api/events/unsubscribe/own?workflow_id=order_processing", "")
	l.mustAsk(t, http.StatusOK, "GET", "/api/events/own", "")
	s.write(guide)
	l.reload(t)
	l.stands(t, "after reload and restart", subscriptions, schedules)
	s.ticks(t)
}

// fires has every source of the guide start its workflow once more.
func (s *site) fires(t *testing.T, l *life, round int) {
	t.Helper()
	before := len(s.ticked())
	if a := l.mustAsk(t, http.StatusAccepted, "POST", "/api/events/trigger/payment_received", payment); a["workflows_executed"] != 1.0 {
		t.Fatalf("trigger: %v", a)
	}
	if code := l.getPublic(t, "/webhooks/github_push/test"); code != http.StatusOK {
		t.Errorf("test of the webhook: %d", code)
	}
	push := fmt.Sprintf(`{"ref":"refs/heads/main","n":%d}`, round)
	if a := l.mustSend(t, "github_push", fmt.Sprint(round), push); a.Code != http.StatusAccepted || a.Triggered != 1 {
		t.Fatalf("push: %+v", a)
	}
	until(t, 20*time.Second, "all workflows run", func() bool {
		return s.count("order_processing") == round && s.count("auto_deploy") == round && len(s.ticked()) > before
	})
	for _, r := range s.ran() {
		switch r.Event.Type {
		case "payment_received":
			r.saw(t, payment, `{"priority":"high","notify_on_completion":true}`)
		case "github_push":
			r.saw(t, "", `{"branches":["main","production"],"deploy_target":"production"}`)
		case "tick":
			r.saw(t, "", `{"t":"${{ event.data }} ${env:HOME}"}`)
		default:
			t.Errorf("flaw 23: %s ran before its time: %+v", r.Workflow, r)
		}
	}
}

func (r ran) saw(t *testing.T, payload, config string) {
	t.Helper()
	if payload != "" && !sameJSON(t, string(r.Event.Data), payload) {
		t.Errorf("%s: payload %s", r.Workflow, r.Event.Data)
	}
	if !sameJSON(t, string(r.Input), config) {
		t.Errorf("%s: config %s, want %s", r.Workflow, r.Input, config)
	}
	if age := time.Since(r.Event.Time); age < 0 || age > time.Minute {
		t.Errorf("%s: time %s", r.Workflow, r.Event.Time)
	}
}

func (s *site) count(workflow string) (n int) {
	for _, r := range s.ran() {
		if r.Workflow == workflow {
			n++
		}
	}
	return n
}

// ticked lists the slots for which a tick ran.
func (s *site) ticked() (slots []time.Time) {
	for _, r := range s.ran() {
		if r.Event.Type == "tick" {
			slots = append(slots, r.Event.Time)
		}
	}
	return slots
}

// ticks: every slot ran once, at its time, none was lost, and its data is what
// was given, with the slot and the one before.
func (s *site) ticks(t *testing.T) {
	t.Helper()
	slots := s.ticked()
	slices.SortFunc(slots, time.Time.Compare)
	t.Logf("%d slots", len(slots))
	for i, slot := range slots {
		if slot.UnixNano()%int64(5*time.Second) != 0 {
			t.Errorf("flaw 23: slot %s drifts", slot)
		}
		if i > 0 && slot.Sub(slots[i-1]) != 5*time.Second {
			t.Errorf("flaw 27: from slot %s to %s", slots[i-1], slot)
		}
	}
	for _, r := range s.ran() {
		if r.Event.Type == "tick" && !strings.Contains(string(r.Event.Data), `"n":12345678901234567890,"scheduled_at":"`+r.Event.Time.Format(time.RFC3339)) {
			t.Errorf("flaw 24: %s", r.Event.Data)
		}
	}
}

// stands: what was made is what it was, down to the time that it was made.
func (l *life) stands(t *testing.T, when string, subscriptions, schedules map[string]any) {
	t.Helper()
	if now := l.mustAsk(t, 200, "GET", "/api/events", ""); !reflect.DeepEqual(now, subscriptions) {
		t.Errorf("%s: subscriptions\n%v, were\n%v", when, now, subscriptions)
	}
	var now map[string]any
	until(t, 5*time.Second, when+": flaw 24: the last run is remembered", func() bool {
		now = l.mustAsk(t, 200, "GET", "/api/schedule", "")
		tick, _ := now["tick"].(map[string]any)
		return tick["last_run"] != nil
	})
	for _, list := range []map[string]any{now, schedules} {
		for name, one := range list {
			entry, _ := one.(map[string]any)
			if name == "tick" {
				delete(entry, "last_run")
				delete(entry, "next_run")
			}
		}
	}
	if !reflect.DeepEqual(now, schedules) {
		t.Errorf("%s: schedules\n%v, were\n%v", when, now, schedules)
	}
}

func (l *life) getPublic(t *testing.T, path string) int {
	t.Helper()
	resp, err := http.Get(l.public + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
