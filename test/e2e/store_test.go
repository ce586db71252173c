package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What comes twice is stored once.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	s := newSite(t, everyEvent)
	l := s.start()
	const one, other = `{"sender":"a","n":1}`, `{"sender":"a","n":2}`
	steps := []struct {
		name, id, body string
		code           int
		duplicate      bool
		event          string
	}{
		{"first", "id-1", one, 202, false, "id-1"},
		{"the same again", "id-1", one, 202, true, "id-1"},
		{"the same id, another body", "id-1", other, 409, false, ""},
		{"the same body, a fresh id", "id-2", one, 202, true, "id-1"},
		{"something else", "id-3", other, 202, false, "id-3"},
		{"the first a third time", "id-1", one, 202, true, "id-1"},
	}
	try := func(when string) {
		for _, step := range steps {
			a := l.mustSend(t, "in", step.id, step.body)
			if a.Code != step.code || a.Duplicate != step.duplicate || a.EventID != step.event {
				t.Errorf("%s: %s: %d, duplicate %v, event %q", when, step.name, a.Code, a.Duplicate, a.EventID)
			}
		}
	}
	try("at first")
	l.kill(t)
	l = s.start()
	steps[0].duplicate, steps[4].duplicate = true, true
	try("after SIGKILL and a restart")
	l.settle(t, 10*time.Second)
	for _, event := range []string{"id-1", "id-3"} {
		a := auditRoute(s.journal("journal"), "any", map[string]time.Time{event: {}})
		if a.check(t, "any"); a.Runs != 2+a.SameKey {
			t.Errorf("%d runs of two events", a.Runs)
		}
	}
	l.stop(t)
}

// One event that many send at the same time is stored and run once, and all of
// them are told so.
func TestDuplicatesAtOnce(t *testing.T) {
	t.Parallel()
	const events, senders = 100, 8
	s := newSite(t, everyEvent)
	l := s.start()
	acked := map[string]time.Time{}
	for n := range events {
		id := fmt.Sprintf("event-%d", n)
		var fresh atomic.Int64
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				body := fmt.Appendf(nil, `{"sender":"a","n":%d}`, n)
				a, err := send(t.Context(), http.DefaultClient, l.public+"/webhooks/in", id, body)
				if err != nil || a.Code != http.StatusAccepted || a.EventID != id {
					t.Errorf("answered %+v, %v", a, err)
				}
				if !a.Duplicate {
					fresh.Add(1)
				}
			})
		}
		all.Wait()
		acked[id] = time.Now()
		if fresh.Load() != 1 {
			t.Errorf("%s is new to %d of its senders", id, fresh.Load())
		}
	}
	l.settle(t, 10*time.Second)
	a := auditRoute(s.journal("journal"), "any", acked)
	if a.check(t, "any"); a.Runs != events {
		t.Errorf("%d runs of %d events", a.Runs, events)
	}
	l.stop(t)
}

// A store whose disk is nearly full takes nothing, and says when to try again;
// what it has is worked off.
func TestNearlyFull(t *testing.T) {
	t.Parallel()
	s := newSite(t, strings.Replace(everyEvent, "store: {path: ./data}", "store: {path: ./data, min_free: 1000000TiB}", 1))
	l := s.start()
	for n := range 3 {
		a := l.mustSend(t, "in", fmt.Sprint(n), fmt.Sprintf(`{"n":%d}`, n))
		if a.Code != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("answered %d, Retry-After %q", a.Code, a.Header.Get("Retry-After"))
		}
	}
	var ready struct {
		Status  string
		Reasons []string
	}
	if code := l.get(t, "/readyz", &ready); code != http.StatusServiceUnavailable || !strings.Contains(fmt.Sprint(ready.Reasons), "min_free") {
		t.Errorf("/readyz: %d %+v", code, ready)
	}
	if code := l.get(t, "/healthz", nil); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	l.stop(t)

	s.write(everyEvent)
	l = s.start()
	if a := l.mustSend(t, "in", "0", `{"n":0}`); a.Code != http.StatusAccepted || a.Duplicate {
		t.Errorf("with room again: %+v", a)
	}
	if code := l.get(t, "/readyz", nil); code != http.StatusOK {
		t.Errorf("/readyz with room again: %d", code)
	}
	l.settle(t, 10*time.Second)
	l.stop(t)
}

// Two gateways never share a store's folder.
func TestStoreInUse(t *testing.T) {
	t.Parallel()
	s := newSite(t, everyEvent)
	l := s.start()
	second := s.launch()
	if code := second.wait(t, 20*time.Second); code != 1 {
		t.Errorf("the second gateway: exit code %d", code)
	}
	if text := second.output.text(); !strings.Contains(text, "in use by another gateway") || !strings.Contains(text, s.path("data")) {
		t.Errorf("the second gateway said %q", text)
	}
	if a := l.mustSend(t, "in", "1", `{"n":1}`); a.Code != http.StatusAccepted {
		t.Errorf("the first one answered %+v", a)
	}
	l.settle(t, 10*time.Second)
	l.stop(t)
	s.nothingLeft(time.Second)
}
