package overlay

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/config"
)

const file = `version: 1
engines: {exec: {plugin: /exec}}
defaults: {engine: exec}
routes:
  paid-settle: {events: [else], run: exec/settle}
`

func document(t *testing.T, entries ...config.Entry) *config.Document {
	t.Helper()
	doc, problems := config.Parse("gateway.yaml", []byte(file), config.Options{Overlay: entries})
	if problems.Failed() {
		t.Fatal(problems)
	}
	return doc
}

// Names are made of what they stand for, and are nobody else's.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ event, workflow, want string }{
		{"order_placed", "ship", "routes.order_placed-ship"},
		{"github.push", "exec/deploy", "routes.github-push-deploy"},
		{"paid", "settle", "routes.paid-settle-2"}, // the file has it
		{"a.*", "w", "routes.a-w"},
		{"_", "-", "routes.event"},
		{"é", "漢字", "routes.event"},
		{strings.Repeat("x", 200), "w", "routes." + strings.Repeat("x", 55)},
	} {
		e, err := Subscribe(document(t), ask.Subscribing{EventType: c.event, Workflow: c.workflow}, time.Now())
		if err != nil || e.Name != c.want {
			t.Errorf("%s, %s: %q, %v", c.event, c.workflow, e.Name, err)
			continue
		}
		if doc := document(t, e); !doc.Made(e.Name) {
			t.Errorf("%s: %v", e.Name, doc.Aside[0].Problems)
		}
	}
}

// What would collide gets a number, also beside what was set aside.
func TestNamesCollide(t *testing.T) {
	t.Parallel()
	broken := config.Entry{Name: "routes.a-b", Text: []byte("[")}
	first, err := Subscribe(document(t, broken), ask.Subscribing{EventType: "a.b", Workflow: "c"}, time.Now())
	if err != nil || first.Name != "routes.a-b-c" {
		t.Fatalf("%q %v", first.Name, err)
	}
	second, err := Subscribe(document(t, broken, first), ask.Subscribing{EventType: "a", Workflow: "b-c"}, time.Now())
	if err != nil || second.Name != "routes.a-b-c-2" {
		t.Errorf("%q %v", second.Name, err)
	}
	third, err := Subscribe(document(t, broken, first, second), ask.Subscribing{EventType: "a", Workflow: "b"}, time.Now())
	if err != nil || third.Name != "routes.a-b-2" {
		t.Errorf("%q %v", third.Name, err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	refused := func(what string, err error) {
		t.Helper()
		var p *ask.Problem
		if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %v", what, err)
		}
	}
	doc := document(t)
	doc.Overlay = make([]config.Entry, maxEntries)
	_, err := Subscribe(doc, ask.Subscribing{EventType: "a", Workflow: "w"}, time.Now())
	refused("one entry more", err)
	doc.Overlay = []config.Entry{{Text: make([]byte, maxBytes-100)}}
	_, err = Schedule(doc, ask.Scheduling{EventType: "a", Interval: time.Minute, Payload: strings.Repeat("x", 100)}, time.Now())
	refused("some bytes more", err)
}

// Of two schedules with one type the next one is told.
func TestSchedulesOfOneType(t *testing.T) {
	t.Parallel()
	doc, problems := config.Parse("gateway.yaml", []byte("version: 1\nschedules: {a: {every: 1h, type: t}, b: {cron: '* * * * *', type: t}}\n"), config.Options{})
	if problems.Failed() {
		t.Fatal(problems)
	}
	now := time.Now()
	standing := func(a, b time.Time) string {
		return Schedules(doc, status(a, b))["t"].Schedule
	}
	if got := standing(now, now.Add(-time.Second)); got != "b" {
		t.Errorf("b is next, told is %s", got)
	}
	if got := standing(now, time.Time{}); got != "a" {
		t.Errorf("b is never, told is %s", got)
	}
}

func status(a, b time.Time) []api.ScheduleStatus {
	return []api.ScheduleStatus{{Name: "a", Next: a}, {Name: "b", Next: b}}
}
