package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/test/contract"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const admin = "127.0.0.1:9090"

// do sends one request through everything that New puts around the endpoints.
func do(s *server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.guard(s.routes()).ServeHTTP(w, r)
	return w
}

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = admin
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// TestAnswers compares whole answers with testdata.
func TestAnswers(t *testing.T) {
	t.Parallel()
	refused := func(f *fake) {
		f.result = ReloadResult{Revision: "r2", Problems: []ConfigProblem{{File: "gateway.yaml", Line: 3, Col: 5, EndCol: 9,
			Path: "routes.page.wehn", Message: "unknown key", Hint: "did you mean when?", Severity: "error"}}}
	}
	fails := func(err error) func(*fake) { return func(f *fake) { f.err = err } }
	dead, waiting := store.FormatID(seqAt(70)), store.FormatID(seqAt(10))
	for name, c := range map[string]struct {
		method, target, body string
		prepare              func(*fake)
	}{
		"status":               {target: "/api/v1/status"},
		"status-empty":         {target: "/api/v1/status", prepare: func(f *fake) { f.report = StatusReport{} }},
		"config":               {target: "/api/v1/config"},
		"engines":              {target: "/api/v1/engines"},
		"engine-log":           {target: "/api/v1/engines/exec/logs"},
		"engine-log-after":     {target: "/api/v1/engines/exec/logs?after=1&limit=1"},
		"engine-log-nothing":   {target: "/api/v1/engines/exec/logs?after=3"},
		"engine-log-bad":       {target: "/api/v1/engines/exec/logs?after=x"},
		"engine-log-missing":   {target: "/api/v1/engines/x/logs"},
		"explain":              {target: "/api/v1/events/pay-1/explain"},
		"explain-route":        {target: "/api/v1/events/pay-1/explain?route=review&revision=r1"},
		"explain-no-route":     {target: "/api/v1/events/pay-1/explain?route=rewiev"},
		"explain-missing":      {target: "/api/v1/events/nope/explain"},
		"explain-revision":     {target: "/api/v1/events/pay-1/explain?revision=r9"},
		"explain-broken":       {target: "/api/v1/events/pay-1/explain?revision=broken"},
		"explain-bad":          {target: "/api/v1/events/pay-1/explain?rev=r1"},
		"revisions":            {target: "/api/v1/config/revisions"},
		"revisions-page":       {target: "/api/v1/config/revisions?limit=1"},
		"revisions-next":       {target: "/api/v1/config/revisions?limit=1&cursor=5"},
		"revisions-bad":        {target: "/api/v1/config/revisions?cursor=x"},
		"revision":             {target: "/api/v1/config/revisions/b2"},
		"revision-missing":     {target: "/api/v1/config/revisions/f6"},
		"config-diff":          {target: "/api/v1/config/diff?from=a1&to=b2"},
		"config-diff-missing":  {target: "/api/v1/config/diff?from=f6"},
		"config-diff-bad":      {target: "/api/v1/config/diff?form=a1"},
		"readyz-last-good":     {target: "/readyz", prepare: func(f *fake) { f.report.Config.LastGood = true }},
		"runs":                 {target: "/api/v1/runs"},
		"runs-waiting":         {target: "/api/v1/runs?state=waiting"},
		"runs-limit":           {target: "/api/v1/runs?limit=1"},
		"runs-bad":             {target: "/api/v1/runs?state=dead"},
		"run":                  {target: "/api/v1/runs/" + dead},
		"run-missing":          {target: "/api/v1/runs/x"},
		"answer":               {method: "POST", target: "/api/v1/deliveries/" + waiting + "/answer", body: ` {"ok": true} `},
		"answer-nothing":       {method: "POST", target: "/api/v1/deliveries/" + store.FormatID(seqAt(90)) + "/answer", body: `1`},
		"answer-gone":          {method: "POST", target: "/api/v1/deliveries/" + waiting + "/answer", body: `1`, prepare: fails(store.ErrNotFound)},
		"answer-state":         {method: "POST", target: "/api/v1/deliveries/" + waiting + "/answer", body: `1`, prepare: fails(store.ErrState)},
		"answer-unfit":         {method: "POST", target: "/api/v1/deliveries/" + waiting + "/answer", body: `1`, prepare: fails(fmt.Errorf("%w: want boolean", runs.ErrUnfit))},
		"answer-away":          {method: "POST", target: "/api/v1/deliveries/" + waiting + "/answer", body: `1`, prepare: fails(runs.ErrAway)},
		"answer-not-json":      {method: "POST", target: "/api/v1/deliveries/" + waiting + "/answer", body: `yes`},
		"cancel":               {method: "POST", target: "/api/v1/deliveries/" + dead + "/cancel"},
		"cancel-missing":       {method: "POST", target: "/api/v1/deliveries/x/cancel"},
		"webhooks":             {target: "/api/v1/webhooks"},
		"schedules":            {target: "/api/v1/schedules"},
		"schedules-next":       {target: "/api/v1/schedules?next=2"},
		"schedules-bad":        {target: "/api/v1/schedules?next=101&nxt=1"},
		"schedule":             {target: "/api/v1/schedules/nightly"},
		"schedule-missing":     {target: "/api/v1/schedules/x"},
		"schedule-pause":       {method: "POST", target: "/api/v1/schedules/nightly/pause"},
		"schedule-resume":      {method: "POST", target: "/api/v1/schedules/nightly/resume"},
		"schedule-resume-file": {method: "POST", target: "/api/v1/schedules/nightly/resume", prepare: fails(store.ErrState)},
		"schedule-trigger":     {method: "POST", target: "/api/v1/schedules/nightly/trigger"},
		"schedule-trigger-no":  {method: "POST", target: "/api/v1/schedules/x/trigger"},
		"backfill":             {method: "POST", target: "/api/v1/schedules/nightly/backfill", body: `{"from":"2026-01-01T00:00:00Z","to":"2026-01-03T00:00:00+01:00"}`},
		"backfill-missing":     {method: "POST", target: "/api/v1/schedules/x/backfill", body: `{"from":"2026-01-01T00:00:00Z","to":"2026-01-03T00:00:00Z"}`},
		"backfill-many":        {method: "POST", target: "/api/v1/schedules/nightly/backfill", body: `{"from":"2025-01-01T00:00:00Z","to":"2026-01-03T00:00:00Z"}`, prepare: fails(steer.ErrTooMany)},
		"backfill-ahead":       {method: "POST", target: "/api/v1/schedules/nightly/backfill", body: `{"from":"2026-01-01T00:00:00Z","to":"2036-01-03T00:00:00Z"}`},
		"backfill-backwards":   {method: "POST", target: "/api/v1/schedules/nightly/backfill", body: `{"from":"2026-01-04T00:00:00Z","to":"2026-01-03T00:00:00Z"}`},
		"backfill-half":        {method: "POST", target: "/api/v1/schedules/nightly/backfill", body: `{"from":"2026-01-04T00:00:00Z"}`},
		"backfill-typo":        {method: "POST", target: "/api/v1/schedules/nightly/backfill", body: `{"form":"2026-01-04T00:00:00Z"}`},
		"routes":               {target: "/api/v1/routes"},
		"events":               {target: "/api/v1/events"},
		"events-page":          {target: "/api/v1/events?limit=2"},
		"events-next":          {target: "/api/v1/events?limit=2&cursor=" + dead},
		"events-bad-query":     {target: "/api/v1/events?limit=1001&cursor=x&since=gestern&routed=maybe&tpye=a&type=a&type=b"},
		"events-none":          {target: "/api/v1/events", prepare: func(f *fake) { f.events = nil }},
		"events-fail":          {target: "/api/v1/events", prepare: fails(errors.New("sqlite: disk I/O error"))},
		"event":                {target: "/api/v1/events/72d3162e%2F1"},
		"event-text":           {target: "/api/v1/events/pay-1"},
		"event-broken-json":    {target: "/api/v1/events/odd"},
		"event-missing":        {target: "/api/v1/events/nope"},
		"deliveries":           {target: "/api/v1/deliveries"},
		"deliveries-page":      {target: "/api/v1/deliveries?limit=1"},
		"deliveries-bad":       {target: "/api/v1/deliveries?state=pending,lost"},
		"delivery":             {target: "/api/v1/deliveries/" + dead},
		"delivery-missing":     {target: "/api/v1/deliveries/" + store.FormatID(1)},
		"delivery-bad-id":      {target: "/api/v1/deliveries/7"},
		"retry":                {method: "POST", target: "/api/v1/deliveries/" + dead + "/retry"},
		"retry-wrong-state":    {method: "POST", target: "/api/v1/deliveries/" + dead + "/retry", prepare: fails(store.ErrState)},
		"discard":              {method: "POST", target: "/api/v1/deliveries/" + dead + "/discard"},
		"discard-missing":      {method: "POST", target: "/api/v1/deliveries/" + dead + "/discard", prepare: fails(store.ErrNotFound)},
		"reload":               {method: "POST", target: "/-/reload"},
		"reload-refused":       {method: "POST", target: "/-/reload", prepare: refused},
		"submit":               {method: "POST", target: "/api/v1/events", body: `{"type":"payment_received","data":{"amount":1}}`},
		"submit-unknown-key":   {method: "POST", target: "/api/v1/events", body: `{"type":"a","payload":1}`},
		"submit-wrong-kind":    {method: "POST", target: "/api/v1/events", body: `{"type":7}`},
		"submit-not-json":      {method: "POST", target: "/api/v1/events", body: `{"type":}`},
		"submit-cut":           {method: "POST", target: "/api/v1/events", body: `{"type":"a"`},
		"submit-array":         {method: "POST", target: "/api/v1/events", body: `[1]`},
		"submit-two":           {method: "POST", target: "/api/v1/events", body: `{"type":"a"} {}`},
		"submit-no-type":       {method: "POST", target: "/api/v1/events", body: `{"data":1}`},
		"submit-space":         {method: "POST", target: "/api/v1/events", body: `{"type":"a b"}`},
		"submit-control":       {method: "POST", target: "/api/v1/events", body: `{"type":"a","subject":"\u001b[2J"}`},
		"submit-long":          {method: "POST", target: "/api/v1/events", body: `{"type":"` + strings.Repeat("a", 256) + `"}`},
		"submit-own-source":    {method: "POST", target: "/api/v1/events", body: `{"type":"a","source":"/webhooks/github_push"}`},
		"submit-bad-source":    {method: "POST", target: "/api/v1/events", body: `{"type":"a","source":"%zz"}`},
		"submit-large":         {method: "POST", target: "/api/v1/events", body: `{"type":"a","data":"` + strings.Repeat("x", 600) + `"}`},
		"submit-full":          {method: "POST", target: "/api/v1/events", body: `{"type":"a"}`, prepare: fails(fmt.Errorf("intake: %w", store.ErrFull))},
		"submit-backlog":       {method: "POST", target: "/api/v1/events", body: `{"type":"a"}`, prepare: fails(store.ErrBacklog)},
		"submit-failed":        {method: "POST", target: "/api/v1/events", body: `{"type":"a"}`, prepare: fails(store.ErrFailed)},
		"submit-conflict":      {method: "POST", target: "/api/v1/events", body: `{"type":"a","id":"1"}`, prepare: fails(store.ErrConflict)},
		"subscribe":            {method: "POST", target: "/api/events/subscribe/payment_received", body: `{"workflow_id":"order_processing","config":{"priority":"high","n":1.50,"t":"${{ x }}"}}`},
		"subscribe-bare":       {method: "POST", target: "/api/events/subscribe/a%2Fb", body: `{"workflow_id":"exec/w","config":null}`},
		"subscribe-known":      {method: "POST", target: "/api/events/subscribe/a", body: `{"workflow_id":"w"}`, prepare: fails(ask.Refuse(409, "Workflow w is already subscribed to event a, by a-w"))},
		"subscribe-no-id":      {method: "POST", target: "/api/events/subscribe/a", body: `{"config":{}}`},
		"subscribe-empty":      {method: "POST", target: "/api/events/subscribe/a"},
		"subscribe-unknown":    {method: "POST", target: "/api/events/subscribe/a", body: `{"workflow_id":"w","cofnig":{}}`},
		"subscribe-kinds":      {method: "POST", target: "/api/events/subscribe/a", body: `{"workflow_id":7}`},
		"subscribe-list":       {method: "POST", target: "/api/events/subscribe/a", body: `{"workflow_id":"w","config":[]}`},
		"subscribe-cut":        {method: "POST", target: "/api/events/subscribe/a", body: `{"workflow_id":`},
		"subscribe-two":        {method: "POST", target: "/api/events/subscribe/a", body: `{"workflow_id":"w"}{}`},
		"subscribe-space":      {method: "POST", target: "/api/events/subscribe/a%20b", body: `{"workflow_id":"w"}`},
		"subscribe-control":    {method: "POST", target: "/api/events/subscribe/a%00", body: `{"workflow_id":"w"}`},
		"subscribe-long":       {method: "POST", target: "/api/events/subscribe/" + strings.Repeat("a", 256), body: `{"workflow_id":"w"}`},
		"subscribe-failed":     {method: "POST", target: "/api/events/subscribe/a", body: `{"workflow_id":"w"}`, prepare: fails(store.ErrFailed)},
		"unsubscribe":          {method: "DELETE", target: "/api/events/unsubscribe/payment_received?workflow_id=order_processing"},
		"unsubscribe-which":    {method: "DELETE", target: "/api/events/unsubscribe/payment_received"},
		"unsubscribe-typo":     {method: "DELETE", target: "/api/events/unsubscribe/a?workflow=w"},
		"unsubscribe-none":     {method: "DELETE", target: "/api/events/unsubscribe/a?workflow_id=w", prepare: fails(ask.Refuse(404, "No subscription found for event a and workflow w"))},
		"subscriptions":        {target: "/api/events"},
		"subscriptions-of":     {target: "/api/events/github.push"},
		"subscriptions-none":   {target: "/api/events/nothing"},
		"schedule-guide":       {method: "POST", target: "/api/schedule/generate_daily_report", body: `{"interval_seconds":86400,"payload":{"report_type":"sales_summary"}}`},
		"schedule-query":       {method: "POST", target: "/api/schedule/tick?interval_seconds=5"},
		"schedule-payload":     {method: "POST", target: "/api/schedule/tick?interval_seconds=60", body: `{"report_type":"x","interval_seconds":7}`},
		"schedule-both":        {method: "POST", target: "/api/schedule/tick?interval_seconds=60", body: `{"interval_seconds":60,"payload":[1]}`},
		"schedule-differ":      {method: "POST", target: "/api/schedule/tick?interval_seconds=60", body: `{"interval_seconds":61}`},
		"schedule-none":        {method: "POST", target: "/api/schedule/tick", body: `{"payload":{}}`},
		"schedule-short":       {method: "POST", target: "/api/schedule/tick?interval_seconds=4"},
		"schedule-negative":    {method: "POST", target: "/api/schedule/tick?interval_seconds=-5"},
		"schedule-huge":        {method: "POST", target: "/api/schedule/tick?interval_seconds=31622401"},
		"schedule-fraction":    {method: "POST", target: "/api/schedule/tick", body: `{"interval_seconds":5.5}`},
		"schedule-text":        {method: "POST", target: "/api/schedule/tick?interval_seconds=soon"},
		"schedule-known":       {method: "POST", target: "/api/schedule/tick?interval_seconds=5", prepare: fails(ask.Refuse(409, "Event tick already scheduled, by tick"))},
		"schedule-typo":        {method: "POST", target: "/api/schedule/tick?interval=5"},
		"unschedule":           {method: "DELETE", target: "/api/schedule/tick"},
		"unschedule-none":      {method: "DELETE", target: "/api/schedule/tick", prepare: fails(ask.Refuse(404, "No scheduled event found for tick"))},
		"scheduled":            {target: "/api/schedule"},
		"overlay":              {target: "/api/v1/overlay"},
		"overlay-drop":         {method: "DELETE", target: "/api/v1/overlay/routes.a-w"},
		"trigger":              {method: "POST", target: "/api/events/trigger/payment_received", body: `{"amount":1}`, prepare: func(f *fake) { f.triggers = fixed }},
		"trigger-wait":         {method: "POST", target: "/api/events/trigger/a?wait=1ms", body: `7`, prepare: func(f *fake) { f.triggers = fixed }},
		"trigger-not-json":     {method: "POST", target: "/api/events/trigger/a", body: `{`},
		"trigger-bytes":        {method: "POST", target: "/api/events/trigger/%ff"},
		"subscribe-bytes":      {method: "POST", target: "/api/events/subscribe/%ff", body: `{"workflow_id":"w"}`},
		"trigger-space":        {method: "POST", target: "/api/events/trigger/a%20b"},
		"stream-bad":           {target: "/api/v1/stream?kind=events"},
		"healthz":              {target: "/healthz"},
		"readyz":               {target: "/readyz"},
		"readyz-not":           {target: "/readyz", prepare: func(f *fake) { f.report.Ready, f.report.Reasons = false, []string{"store: failed"} }},
		"missing":              {target: "/api/v2"},
		"wrong-method":         {method: "DELETE", target: "/api/v1/events"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			if c.prepare != nil {
				c.prepare(f)
			}
			s, _ := serve(f, admin)
			if c.method == "" {
				c.method = "GET"
			}
			w := do(s, request(c.method, c.target, c.body))
			golden(t, name, render(t, w))
			described(t, c.method, c.target, w)
		})
	}
}

// described holds an answer to the description of the API.
func described(t *testing.T, method, target string, w *httptest.ResponseRecorder) {
	t.Helper()
	c, err := contract.New([]byte(description))
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ := strings.Cut(target, "?")
	err = c.Check(contract.Answer{Method: method, Path: path, Code: w.Code, ContentType: w.Header().Get("Content-Type"), Body: w.Body.Bytes()})
	if (err != nil) != (w.Code == http.StatusInternalServerError) { // which is never meant to be
		t.Error(err)
	}
}

func render(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code, http.StatusText(w.Code))
	for _, name := range []string{"Content-Type", "Retry-After", "Allow"} {
		if v := w.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.WriteString("\n")
	if err := json.Indent(&b, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatalf("not JSON: %v: %s", err, w.Body)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestFiltersReachTheStore(t *testing.T) {
	t.Parallel()
	f := newFake()
	s, _ := serve(f, admin)
	yes := true
	do(s, request("GET", "/api/v1/events?type=github.push&source=/api&since=90m&until=2026-01-31T12:00:00%2B01:00&routed=true&limit=7&cursor="+
		store.FormatID(99), ""))
	want := store.EventFilter{Page: store.Page{Before: 99, Limit: 8}, Type: "github.push", Source: "/api",
		Since: noon.Add(-90 * time.Minute), Until: noon.Add(-time.Hour), Routed: &yes}
	if diff := cmp.Diff(want, f.eventFilter); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	do(s, request("GET", "/api/v1/deliveries?state=dead,pending&state=waiting&route=page&engine=exec", ""))
	deliveries := store.DeliveryFilter{Page: store.Page{Limit: defaultLimit + 1},
		States: []store.State{store.Dead, store.Pending, store.Waiting}, Route: "page", Engine: "exec"}
	if diff := cmp.Diff(deliveries, f.deliveryFilter); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestSubmittedEvent(t *testing.T) {
	t.Parallel()
	f := newFake()
	s, _ := serve(f, admin)
	do(s, request("POST", "/api/v1/events", `{"type":"a.b","source":"urn:x","id":"7","subject":"s","data":{"n": 12345678901234567890}}`))
	e := f.submitted
	got := []string{e.ID, e.Source, e.Type, e.Subject, e.ContentType, string(e.Body), e.Time.String()}
	want := []string{"7", "urn:x", "a.b", "s", "application/json", `{"n": 12345678901234567890}`, noon.String()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("whole (-want +got):\n%s", diff)
	}
	do(s, request("POST", "/api/v1/events", `{"type":"a"}`))
	first := f.submitted
	do(s, request("POST", "/api/v1/events", `{"type":"a"}`))
	if e := f.submitted; e.ID == "" || e.ID == first.ID || e.Source != "/api" || e.ContentType != "" || e.Body != nil {
		t.Errorf("bare: %+v after id %s", e, first.ID)
	}
}

func TestSubmitWantsJSON(t *testing.T) {
	t.Parallel()
	f := newFake()
	s, _ := serve(f, admin)
	r := request("POST", "/api/v1/events", `{"type":"a"}`)
	r.Header.Set("Content-Type", "text/plain")
	if w := do(s, r); w.Code != http.StatusUnsupportedMediaType || f.did != nil {
		t.Errorf("got %d, did %v", w.Code, f.did)
	}
}

func TestChangesAreLogged(t *testing.T) {
	t.Parallel()
	id := store.FormatID(seqAt(70))
	for target, want := range map[string]string{
		"/api/v1/deliveries/" + id + "/retry":   "delivery retried",
		"/api/v1/deliveries/" + id + "/discard": "delivery discarded",
		"/-/reload":                             "reload asked for",
		"/api/v1/schedules/nightly/pause":       "schedule paused",
		"/api/v1/schedules/nightly/resume":      "schedule resumed",
		"/api/v1/schedules/nightly/trigger":     "schedule triggered",
		"/api/v1/events":                        "event submitted",
	} {
		f := newFake()
		s, logs := serve(f, admin)
		r := request("POST", target, `{"type":"a"}`)
		r.RemoteAddr = "127.0.0.1:5"
		do(s, r)
		lines := logs.All()
		if len(lines) != 1 || lines[0].Message != want || lines[0].ContextMap()["by"] != "127.0.0.1:5" {
			t.Errorf("%s logged %v, did %v", target, lines, f.did)
		}
	}
}

func TestInternalErrorsStayInTheLog(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.err = errors.New("sqlite: secret detail")
	s, logs := serve(f, admin)
	w := do(s, request("GET", "/api/v1/deliveries", ""))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if logs.FilterField(errorField(f.err)).Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
}

// Data that no event can hold is the sender's mistake, not the gateway's.
func TestSubmitTooDeep(t *testing.T) {
	body := `{"type":"a","data":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`
	r := httptest.NewRequest(http.MethodPost, "/api/v1/events", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	s := &server{Options: Options{Operator: newFake(), Log: zap.NewNop()}, now: time.Now}
	_, err := s.submit(r)
	var p *Problem
	if !errors.As(err, &p) || p.Status != http.StatusBadRequest || !strings.Contains(p.Detail, "nested deeper than 256") {
		t.Errorf("%v", err)
	}
}
