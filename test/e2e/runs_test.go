package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/runs"
)

// durableRuns has an engine whose runs outlive it.
const durableRuns = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids, GATEWAY_TEST_DURABLE: "yes"}
    config: {journal: DIR/out/journal}
    limits: {in_flight: 1}
webhooks:
  in: {scheme: github, secrets: ["${env:E2E_SECRET}"], type: "event.data.do"}
routes:
  ask: {events: [ask], run: main/ask, timeout: 2s}
  remote: {events: [remote], run: main/remote, with: {for: "${{ event.data.for }}"}}
  note: {events: [note], run: main/note, with: {route: note}}
`

// A run that waits for a person does so through the end of its engine and of
// the gateway, holds nobody up, and goes on with the answer, once.
func TestAnsweredRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, durableRuns)
	l := s.start()
	l.mustSend(t, "in", "a", `{"do":"ask"}`)
	run := l.waits(t)
	if run.Question.Prompt != "deploy?" || string(run.Question.Schema) != `{"type":"boolean"}` || run.RunID != "run-"+run.Delivery ||
		run.Progress == nil || run.Progress.Step != "half" || *run.Progress.Fraction != 0.5 {
		t.Errorf("the run: %+v", run)
	}
	l.mustSend(t, "in", "b", `{"do":"note"}`) // though the engine has one place
	l.ends(t, "note", "succeeded")

	for range 2 {
		if err := syscall.Kill(l.enginePID(t, "main"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, 20*time.Second, "the engine's end is noticed", func() bool { return !l.status(t).Engines[0].Up || l.status(t).Engines[0].Restarts > 0 })
		l.waits(t)
		l.signal(t, syscall.SIGKILL)
		l.wait(t, 10*time.Second)
		l = s.start()
		run = l.waits(t)
	}
	path := "/api/v1/deliveries/" + run.Delivery + "/answer"
	if code := l.post(t, path, `"yes"`, nil); code != http.StatusUnprocessableEntity {
		t.Errorf("an answer that does not fit: %d", code)
	}
	if code := l.post(t, path, `true`, &run); code != http.StatusAccepted {
		t.Errorf("the answer: %d", code)
	}
	d := l.ends(t, "ask", "succeeded")
	if string(d.Last.Output) != "true" || d.Attempt != 1 {
		t.Errorf("the delivery: %+v", d)
	}
	if code := l.post(t, path, `true`, nil); code != http.StatusNotFound {
		t.Errorf("a second answer: %d", code)
	}
	if begun, answered := s.noted("begin", "ask"), s.noted("answer", "ask"); begun != 1 || answered != 1 {
		t.Errorf("begun %d times, answered %d times", begun, answered)
	}
	l.stop(t)
	s.nothingLeft(time.Second)
}

// A run that goes on elsewhere is not begun twice because the gateway was
// killed: the engine is asked what became of it.
func TestReattachedRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, durableRuns)
	l := s.start()
	l.mustSend(t, "in", "a", `{"do":"remote","for":"6s"}`)
	until(t, 10*time.Second, "the run is recorded", func() bool {
		list := l.deliveries(t, "remote")
		return len(list) == 1 && list[0].RunID != ""
	})
	l.signal(t, syscall.SIGKILL)
	l.wait(t, 10*time.Second)
	l = s.start()
	until(t, 10*time.Second, "the run is taken up", func() bool { return len(l.runs(t, "running")) == 1 })
	if d := l.ends(t, "remote", "succeeded"); string(d.Last.Output) != `"remote"` || d.Attempt != 1 {
		t.Errorf("the delivery: %+v", d)
	}
	if begun := s.noted("begin", "remote"); begun != 1 {
		t.Errorf("begun %d times", begun)
	}
	l.stop(t)
}

// A person cancels what runs and what waits; it is not tried again.
func TestCancelledRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, durableRuns)
	l := s.start()
	for _, event := range []struct{ route, body string }{{"ask", `{"do":"ask"}`}, {"remote", `{"do":"remote","for":"1h"}`}} {
		l.mustSend(t, "in", event.route, event.body)
		var run runs.Run
		until(t, 10*time.Second, event.route+" is under way", func() bool {
			for _, run = range l.runs(t, "") {
				if run.Route == event.route {
					return run.Progress != nil
				}
			}
			return false
		})
		if code := l.post(t, "/api/v1/deliveries/"+run.Delivery+"/cancel", "", nil); code != http.StatusAccepted {
			t.Errorf("%s: cancel: %d", event.route, code)
		}
		if d := l.ends(t, event.route, "dead"); d.Last.Outcome != "cancelled" || d.Attempt != 1 {
			t.Errorf("%s: %+v", event.route, d.Last)
		}
	}
	l.stop(t)
}

// runs are those under way, in a state if one is given.
func (l *life) runs(t *testing.T, state string) []runs.Run {
	t.Helper()
	var list runs.RunList
	path := "/api/v1/runs"
	if state != "" {
		path += "?state=" + state
	}
	l.get(t, path, &list)
	return list.Runs
}

// waits waits until one run waits for an answer.
func (l *life) waits(t *testing.T) (run runs.Run) {
	t.Helper()
	until(t, 20*time.Second, "a run waits", func() bool {
		list := l.runs(t, "waiting")
		if len(list) == 1 {
			run = list[0]
		}
		return len(list) == 1
	})
	return run
}

// ends waits until a route's one delivery has ended in a state.
func (l *life) ends(t *testing.T, route, state string) (d api.Delivery) {
	t.Helper()
	until(t, 20*time.Second, route+" is "+state, func() bool {
		list := l.deliveries(t, route)
		if len(list) == 1 {
			d = list[0]
		}
		return d.State == state
	})
	return d
}

// post sends JSON, or nothing, to the admin address.
func (l *life) post(t *testing.T, path, body string, into any) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, l.admin+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Error(fmt.Errorf("POST %s: %w", path, err))
		}
	}
	return resp.StatusCode
}

// noted is how often the engine noted something of a route.
func (s *site) noted(what, route string) (n int) {
	for _, note := range s.journal("journal") {
		if note.What == what && note.Route == route {
			n++
		}
	}
	return n
}
