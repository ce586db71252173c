package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// called has three workflows for one event: one works, one fails, one hangs.
const called = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  exec:
    plugin: EXEC
    env: {PATH: "/usr/bin:/bin"}
    config:
      commands:
        works: {command: ["true"]}
        fails: {command: [sh, -c, 'exit 65']}
        hangs: {command: [sleep, "60"]}
routes:
  a-works: {events: [payment_received], run: exec/works}
  b-fails: {events: [payment_received], run: exec/fails, retry: {attempts: 1}}
  hangs: {events: [slow], run: exec/hangs, timeout: 3s, retry: {attempts: 1}}
`

// trigger calls the gateway as a client would.
func (l *life) trigger(t *testing.T, target, body string, header http.Header) (a api.Triggered, code int) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, l.admin+"/api/events/trigger/"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if r.Header = header; header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a, resp.StatusCode
}

// A workflow that fails does not affect another; outcomes can be waited for; a
// key makes a repeated call the same one, across a restart too.
func TestTrigger(t *testing.T) {
	t.Parallel()
	s := newSite(t, called)
	l := s.start()
	const order = `{"order_id":"12345","amount":99.99,"currency":"USD","payment_method":"credit_card"}`
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	a, code := l.trigger(t, "payment_received?wait=30s", order, http.Header{"Traceparent": {trace}})
	var kept api.Event
	if l.get(t, "/api/v1/events/"+a.EventID, &kept); kept.Extensions["traceparent"] != trace || string(kept.Data) != order {
		t.Errorf("the event is %+v", kept)
	}
	if code != 200 || a.WorkflowsExecuted != 2 || a.Message != "Event payment_received triggered" {
		t.Fatalf("got %d %+v", code, a)
	}
	if w, f := a.Results[0], a.Results[1]; w.Status != "SUCCEEDED" || w.WorkflowID != "works" || f.Status != "DEAD" || f.WorkflowID != "fails" {
		t.Errorf("results %+v", a.Results)
	}
	began := time.Now()
	if a, code = l.trigger(t, "slow?wait=1s", "", nil); code != 200 || a.Results[0].Status != "RUNNING" || time.Since(began) < time.Second {
		t.Errorf("got %d %+v after %s", code, a, time.Since(began))
	}
	if a, code = l.trigger(t, "nobody.wants?wait=30s", "[1]", nil); code != 200 || a.WorkflowsExecuted != 0 {
		t.Errorf("got %d %+v", code, a)
	}
	keyed := http.Header{"Idempotency-Key": {`"order 12345"`}}
	first, code := l.trigger(t, "payment_received", order, keyed)
	if code != 202 || len(first.Results) != 2 || first.Results[0].Status != "PENDING" {
		t.Fatalf("got %d %+v", code, first)
	}
	l.stop(t)
	l = s.start()
	again, code := l.trigger(t, "payment_received", order, keyed)
	if code != 202 || again.EventID != first.EventID || !slices.Equal(ids(first), ids(again)) {
		t.Errorf("got %d %+v, first %+v", code, again, first)
	}
	if _, code = l.trigger(t, "payment_received", `{"order_id":"other"}`, keyed); code != 422 {
		t.Errorf("the same key with another body: %d", code)
	}
	if again, code = l.trigger(t, "payment_received?wait=30s", order, keyed); code != 200 || again.Results[0].Status != "SUCCEEDED" || again.Results[1].Status != "DEAD" {
		t.Errorf("got %d %+v", code, again)
	}
	l.stop(t)
}

func ids(a api.Triggered) (list []string) {
	for _, r := range a.Results {
		list = append(list, r.DeliveryID+r.Route+r.Status)
	}
	return list
}

// The stream tells of what happens, and neither it nor who waits keeps the
// gateway from stopping.
func TestStream(t *testing.T) {
	t.Parallel()
	s := newSite(t, called)
	l := s.start()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.admin+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	told := make(chan string, 1000)
	go func() {
		defer close(told)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if kind, ok := bytes.CutPrefix(lines.Bytes(), []byte("event: ")); ok && lines.Scan() {
				told <- string(kind) + " " + lines.Text()
			}
		}
	}()
	waits := func(parts ...string) {
		t.Helper()
		for {
			select {
			case text, ok := <-told:
				if !ok {
					t.Fatalf("the stream ended before %q", parts)
				}
				if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) }) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("nothing has %q", parts)
			}
		}
	}
	a, _ := l.trigger(t, "payment_received", "1", nil)
	waits("event ", `"type":"payment_received"`, a.EventID, `"routed":2`)
	waits("delivery ", a.Results[1].DeliveryID, `"state":"dead"`)
	waits("event ", `"type":"gateway.delivery.dead"`)
	s.write(called + "x-note: 1\n")
	waits("reload ", `"ok":true`)
	s.write("version: 1\nroutes: {a: 1}\n")
	waits("reload ", `"ok":false`)
	slow, _ := l.trigger(t, "slow", "", nil)
	waits("delivery ", slow.Results[0].DeliveryID, `"state":"running"`)
	l.signal(t, 15)
	for range told {
	}
	<-l.exited
	if l.code() != 0 {
		t.Errorf("ended with %d:\n%s", l.code(), l.output.text())
	}
}
