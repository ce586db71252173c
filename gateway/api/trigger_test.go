package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/store"
)

// two gives an entry two deliveries, as two routes would.
func two(e *store.Entry) (store.Receipt, error) {
	for i, route := range []string{"deploy-main", "page"} {
		e.Deliveries = append(e.Deliveries, &store.Delivery{Seq: seqAt(5) + int64(i), EventID: e.Event.ID, Route: route, Engine: "exec", Workflow: "w-" + route})
	}
	return store.Receipt{EventID: e.Event.ID, EventType: e.Event.Type, Deliveries: 2}, nil
}

// fixed is two of an event whose id is always the same.
func fixed(e *store.Entry) (store.Receipt, error) {
	e.Event.ID = "event-1"
	return two(e)
}

func triggerAnswer(t *testing.T, w *httptest.ResponseRecorder, code int) (a Triggered) {
	t.Helper()
	if w.Code != code {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestTrigger has any JSON accepted, and nothing at all.
func TestTrigger(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", " \n", `{"order_id":"12345","amount":99.99}`, `[1,2]`, `7`, `"text"`, `null`, `true`, ` {"n": 12345678901234567890} `} {
		f := newFake()
		f.triggers = two
		s, logs := serve(f, admin)
		r := request("POST", "/api/events/trigger/payment_received", body)
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		a := triggerAnswer(t, do(s, r), http.StatusAccepted)
		want := Triggered{Message: "Event payment_received triggered", EventID: f.submitted.ID, WorkflowsExecuted: 2, Results: []TriggerResult{
			{WorkflowID: "w-deploy-main", Engine: "exec", Route: "deploy-main", DeliveryID: store.FormatID(seqAt(5)), Status: "PENDING"},
			{WorkflowID: "w-page", Engine: "exec", Route: "page", DeliveryID: store.FormatID(seqAt(5) + 1), Status: "PENDING"},
		}}
		if diff := cmp.Diff(want, a); diff != "" || a.EventID == "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
		e := f.submitted
		if got := strings.TrimSpace(body); string(e.Body) != got || (e.ContentType == "application/json") != (got != "") {
			t.Errorf("%q became %q, %s", body, e.Body, e.ContentType)
		}
		if e.Type != "payment_received" || e.Source != "/api" || e.Extensions["traceparent"] != r.Header.Get("Traceparent") || f.entry.Keys != nil {
			t.Errorf("event %+v, keys %v", e, f.entry.Keys)
		}
		if logs.FilterMessage("event triggered").Len() != 1 {
			t.Errorf("logged %v", logs.All())
		}
	}
}

func TestTriggerRefuses(t *testing.T) {
	t.Parallel()
	fails := func(err error) func(*fake) { return func(f *fake) { f.err = err } }
	for name, c := range map[string]struct {
		target, body, key, media string
		prepare                  func(*fake)
		want                     int
	}{
		"not JSON":       {target: "a", body: `{"a":`, want: 400},
		"two values":     {target: "a", body: `1 2`, want: 400},
		"too deep":       {target: "a", body: strings.Repeat("[", 240) + strings.Repeat("]", 240), want: 202},
		"deeper":         {target: "a", body: strings.Repeat("[", 300)[:251] + strings.Repeat("]", 251), want: 202},
		"no JSON media":  {target: "a", body: `{}`, media: "text/plain", want: 415},
		"too large":      {target: "a", body: `"` + strings.Repeat("x", 600) + `"`, want: 413},
		"space in type":  {target: "a%20b", want: 422},
		"control":        {target: "a%1b", want: 422},
		"long type":      {target: strings.Repeat("a", 256), want: 422},
		"wait no time":   {target: "a?wait=soon", want: 400},
		"wait negative":  {target: "a?wait=-1s", want: 400},
		"wait too long":  {target: "a?wait=301s", want: 400},
		"unknown":        {target: "a?wiat=1s", want: 400},
		"empty key":      {target: "a", key: `""`, want: 400},
		"key not closed": {target: "a", key: `"a`, want: 400},
		"key with quote": {target: "a", key: `"a"b"`, want: 400},
		"long key":       {target: "a", key: strings.Repeat("k", 256), want: 400},
		"key not ASCII":  {target: "a", key: "ä", want: 400},
		"other body":     {target: "a", key: "k", prepare: fails(store.ErrConflict), want: 422},
		"full":           {target: "a", prepare: fails(store.ErrFull), want: 503},
		"backlog, wait":  {target: "a?wait=1s", prepare: fails(store.ErrBacklog), want: 503},
		"broken":         {target: "a", prepare: fails(errors.New("disk")), want: 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			if c.prepare != nil {
				c.prepare(f)
			}
			s, _ := serve(f, admin)
			r := request("POST", "/api/events/trigger/"+c.target, c.body)
			if c.media != "" {
				r.Header.Set("Content-Type", c.media)
			}
			if c.key != "" {
				r.Header.Set("Idempotency-Key", c.key)
			}
			w := do(s, r)
			if w.Code != c.want || c.want > 400 && c.want < 500 && f.err == nil && f.did != nil {
				t.Errorf("got %d %s, did %v, want %d", w.Code, w.Body, f.did, c.want)
			}
			if !s.Live.Quiet() {
				t.Error("somebody still watches")
			}
		})
	}
}

// TestIdempotencyKey: one that came before is answered as it was then; quoted
// and bare it is the same, for another type it is another.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.triggers = two
	s, _ := serve(f, admin)
	send := func(typ, key string) (Triggered, []store.Key) {
		r := request("POST", "/api/events/trigger/"+typ, `{"a":1}`)
		r.Header.Set("Idempotency-Key", key)
		return triggerAnswer(t, do(s, r), http.StatusAccepted), f.entry.Keys
	}
	first, bare := send("a", "8e03978e-40d5")
	_, quoted := send("a", `"8e03978e-40d5"`)
	_, elsewhere := send("b", "8e03978e-40d5")
	if len(bare) != 1 || !slices.Equal(bare, quoted) || slices.Equal(bare, elsewhere) {
		t.Errorf("keys %v, %v, %v", bare, quoted, elsewhere)
	}
	var stored []*store.Delivery
	for i, r := range first.Results {
		stored = append(stored, &store.Delivery{Seq: seqAt(5) + int64(i), EventID: first.EventID, Route: r.Route, Engine: r.Engine, Workflow: r.WorkflowID, State: store.Succeeded})
	}
	f.deliveries = stored
	f.events[0].Event.ID = first.EventID
	f.triggers = func(*store.Entry) (store.Receipt, error) {
		return store.Receipt{EventID: first.EventID, EventType: "a", Deliveries: 2, Duplicate: true}, nil
	}
	again, _ := send("a", "8e03978e-40d5")
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the answer differs (-first +again):\n%s", diff)
	}
	a := triggerAnswer(t, do(s, request("POST", "/api/events/trigger/a?wait=1s", `{"a":1}`)), http.StatusOK)
	if a.Results[0].Status != "SUCCEEDED" || a.Results[1].Status != "SUCCEEDED" {
		t.Errorf("with wait: %+v", a)
	}
}

// TestWait: each run is told as it ended, whatever became of the other; what
// goes on when time is up is RUNNING; meanwhile the store is left alone.
func TestWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait    string
		happens func(*server, []*store.Delivery)
		took    time.Duration
		want    []string
	}{
		"both end": {wait: "30s", happens: func(s *server, ds []*store.Delivery) {
			time.Sleep(time.Second)
			s.Live.Tell(DeliveryMessage(ended(ds[1], store.Dead)))
			time.Sleep(time.Second)
			s.Live.Tell(DeliveryMessage(ended(ds[0], store.Succeeded)))
		}, took: 2 * time.Second, want: []string{"SUCCEEDED run-1", "DEAD run-1"}},
		"at once": {wait: "30s", happens: func(s *server, ds []*store.Delivery) {
			s.Live.Tell(DeliveryMessage(ended(ds[0], store.Succeeded)))
			s.Live.Tell(DeliveryMessage(ended(ds[1], store.Discarded)))
		}, want: []string{"SUCCEEDED run-1", "DISCARDED run-1"}},
		"one goes on": {wait: "3s", happens: func(s *server, ds []*store.Delivery) {
			s.Live.Tell(DeliveryMessage(ended(ds[0], store.Succeeded)))
		}, took: 3 * time.Second, want: []string{"SUCCEEDED run-1", "RUNNING"}},
		"the gateway stops": {wait: "5m", happens: func(s *server, _ []*store.Delivery) {
			time.Sleep(time.Second)
			s.Live.Close()
		}, took: time.Second, want: []string{"RUNNING", "RUNNING"}},
		"one that was not told of": {wait: "30s", happens: func(s *server, ds []*store.Delivery) {
			s.Live.Tell(DeliveryMessage(ended(ds[0], store.Succeeded)))
			ended(ds[1], store.Succeeded)
		}, took: lookTime, want: []string{"SUCCEEDED run-1", "SUCCEEDED run-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s, _ := serve(f, admin)
				f.triggers = func(e *store.Entry) (store.Receipt, error) {
					receipt, err := two(e)
					f.events[0].Event.ID, f.deliveries = e.Event.ID, e.Deliveries
					go c.happens(s, e.Deliveries)
					synctest.Wait() // it may be as quick as it likes
					return receipt, err
				}
				began := time.Now()
				a := triggerAnswer(t, do(s, request("POST", "/api/events/trigger/a?wait="+c.wait, "")), http.StatusOK)
				var got []string
				for _, r := range a.Results {
					text := r.Status
					if r.RunID != nil {
						text += " " + *r.RunID
					}
					got = append(got, text)
				}
				if diff := cmp.Diff(c.want, got); diff != "" || time.Since(began) != c.took {
					t.Errorf("after %s (-want +got):\n%s", time.Since(began), diff)
				}
				if !s.Live.Quiet() {
					t.Error("somebody still watches")
				}
			})
		})
	}
}

func ended(d *store.Delivery, state store.State) *store.Delivery {
	d.State, d.RunID, d.Last = state, "run-1", store.Attempt{Number: 1, Outcome: "x"}
	return d
}

// TestStream follows over a real connection, past the server's time-outs.
func TestStream(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.tokens = testTokens()
	s, _ := serve(f, admin)
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewServer(s.guard(s.routes()), zap.NewNop())
	server.Config.ReadTimeout, server.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	server.Config.RegisterOnShutdown(s.Live.Close)
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1/stream?kind=delivery,reload&state=dead", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+readToken)
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if text := lines.Text(); text != "" && text[0] != ':' && !strings.HasPrefix(text, "retry") {
				return text
			}
		}
		return ""
	}
	time.AfterFunc(200*time.Millisecond, func() {
		s.Live.Tell(DeliveryMessage(f.deliveries[0]))
		s.Live.Tell(ReloadMessage(ReloadStatus{OK: true}))
		s.Live.Tell(DeliveryMessage(ended(f.deliveries[1], store.Dead)))
	})
	var d Delivery
	kind, data := next(), next()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &d); err != nil || kind != "event: delivery" || d.State != "dead" || d.Input != nil {
		t.Errorf("%s, %s: %v", kind, data, err)
	}
	if err := server.Config.Shutdown(ctx); err != nil { // which waits for what goes on
		t.Error(err)
	}
	if rest := next(); rest != "" {
		t.Errorf("more: %q", rest)
	}
}

// TestStreamNeedsRead, and ends when the token is gone.
func TestStreamNeedsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.tokens = testTokens()
		s, _ := serve(f, admin)
		r := request("GET", "/api/v1/stream", "")
		r.Header.Set("Authorization", "Bearer "+sendToken)
		if w := do(s, r); w.Code != http.StatusForbidden {
			t.Errorf("got %d", w.Code)
		}
		r.Header.Set("Authorization", "Bearer "+readToken)
		began := time.Now()
		s.gate.Tokens = func() []access.Token {
			if time.Since(began) > time.Minute {
				return f.tokens[1:]
			}
			return f.tokens
		}
		if w := do(s, r); w.Code != 200 || time.Since(began) > 90*time.Second || time.Since(began) < time.Minute {
			t.Errorf("got %d after %s", w.Code, time.Since(began))
		}
	})
	for _, target := range []string{"?kind=a", "?state=lost", "?knid=event", "?route=a&route=b"} {
		s, _ := serve(newFake(), admin)
		if w := do(s, request("GET", "/api/v1/stream"+target, "")); w.Code != 400 || !s.Live.Quiet() {
			t.Errorf("%s: got %d", target, w.Code)
		}
	}
}
