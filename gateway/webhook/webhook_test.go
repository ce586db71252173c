package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook"
	"github.com/event-gateway/gateway/gateway/webhook/gate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret    = "a secret of decent length"
	oldSecret = "the secret from before it"
)

// desk is an intake that remembers and answers what it is told to.
type desk struct {
	mu     sync.Mutex
	events []*event.Event
	keys   [][]store.Key
	bodies []store.Digest
	err    error
	panics bool
	// entered and hold, when set, let a test stop requests inside.
	entered, hold chan struct{}
}

func (d *desk) Accept(ctx context.Context, ev *event.Event, keys []store.Key, digest store.Digest) (store.Receipt, error) {
	if d.hold != nil {
		d.entered <- struct{}{}
		<-d.hold
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.panics {
		panic("canary in the panic")
	}
	if d.err != nil {
		return store.Receipt{}, d.err
	}
	keys = append([]store.Key{store.Identity(ev.Source, ev.ID)}, keys...) // as the store does
	for i, earlier := range d.keys {
		for _, k := range earlier {
			for _, mine := range keys {
				if k == mine && d.bodies[i] != digest {
					return store.Receipt{}, store.ErrConflict
				}
				if k == mine {
					return store.Receipt{EventID: d.events[i].ID, EventType: d.events[i].Type, Deliveries: 2, Duplicate: true}, nil
				}
			}
		}
	}
	d.events, d.keys, d.bodies = append(d.events, ev), append(d.keys, keys), append(d.bodies, digest)
	return store.Receipt{EventID: ev.ID, EventType: ev.Type, Deliveries: 2}, nil
}

// AcceptAll is not what the store does: that has tests of its own.
func (d *desk) AcceptAll(ctx context.Context, es []*store.Entry) (receipts []store.Receipt, err error) {
	for _, e := range es {
		receipt, err := d.Accept(ctx, e.Event, e.Keys, e.Digest)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, receipt)
	}
	return receipts, nil
}

func (d *desk) last() *event.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.events) == 0 {
		return nil
	}
	return d.events[len(d.events)-1]
}

func preset(name string) verify.Scheme {
	s, ok := verify.Preset(name)
	if !ok {
		panic(name)
	}
	return s
}

func keys(values ...string) []verify.Secret {
	var out []verify.Secret
	for _, v := range values {
		out = append(out, verify.Secret{Value: []byte(v)})
	}
	return out
}

func text(src string) *expr.Text {
	t, err := expr.New().Text(src)
	if err != nil {
		panic(err)
	}
	return t
}

func partnerScheme() verify.Scheme {
	s := preset("hmac")
	p := &s.Proofs[0]
	p.Header, p.Prefix, p.Signed = "X-Signature", "sha256=", "{timestamp}.{body}"
	p.Timestamp = verify.Timestamp{Header: "X-Timestamp", Unit: "s"}
	return s
}

func specs() []webhook.Spec {
	return []webhook.Spec{
		{Name: "github_push", SchemeName: "github", Scheme: preset("github"), Secrets: keys(secret, oldSecret), MaxBody: 200_000},
		{
			Name: "partner", Path: "/hooks/partner", SchemeName: "hmac", Scheme: partnerScheme(), Secrets: keys(secret),
			Type: text(`"partner." + event.data.kind`), ID: text(`event.headers["x-request-id"]`), Headers: []string{"X-Request-Id"},
		},
		{Name: "open", SchemeName: "none", Scheme: preset("none"), MaxBody: 100},
		{Name: "inside", SchemeName: "none", Scheme: preset("none"), Allow: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}},
	}
}

func table(t testing.TB, registry *webhook.Registry, proxies ...netip.Prefix) *webhook.Table {
	t.Helper()
	var hooks []*webhook.Webhook
	for _, spec := range specs() {
		w, err := webhook.Compile(spec, registry)
		if err != nil {
			t.Fatal(err)
		}
		hooks = append(hooks, w)
	}
	out, err := webhook.NewTable(hooks, webhook.Front{Proxies: proxies})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// door is a real server over a table and a desk.
type door struct {
	URL      string
	client   *http.Client
	listener net.Listener
	desk     *desk
	table    *webhook.Table
	handler  *webhook.Handler
}

func open(t testing.TB, d *desk, proxies ...netip.Prefix) *door {
	t.Helper()
	return openTable(t, d, table(t, webhook.NewRegistry(), proxies...))
}

func openTable(t testing.TB, d *desk, tab *webhook.Table) *door {
	t.Helper()
	h := &webhook.Handler{Table: func() *webhook.Table { return tab }, Intake: d, Log: zap.NewNop()}
	server, err := webhook.NewServer(h, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- server.Serve(webhook.Limit(l, 0)) }()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
	return &door{URL: "http://" + l.Addr().String(), client: client, listener: l, desk: d, table: tab, handler: h}
}

// request is one request; signed says under which scheme, if any.
type request struct {
	method, path, body string
	header             http.Header
	signed             *verify.Scheme
	secret             string
	id                 string
	chunked            bool
	at                 time.Duration
}

func (d *door) send(t testing.TB, r request) (int, http.Header, map[string]any) {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	var body io.Reader = strings.NewReader(r.body)
	if r.chunked {
		body = io.MultiReader(body)
	}
	req, err := http.NewRequest(r.method, d.URL+r.path, body)
	if err != nil {
		t.Fatal(err)
	}
	if r.signed != nil {
		key := secret
		if r.secret != "" {
			key = r.secret
		}
		signed := verify.Request{Body: []byte(r.body)}
		err := verify.Sign(*r.signed, []byte(key), &signed, time.Now().Add(r.at), r.id)
		h := signed.Header
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
	}
	for name, values := range r.header {
		req.Header[name] = append(req.Header[name], values...)
	}
	res, err := d.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatalf("%d: answer is not JSON: %v", res.StatusCode, err)
	}
	return res.StatusCode, res.Header, answer
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	github, partner := preset("github"), partnerScheme()
	push := http.Header{"X-Github-Event": {"push"}, "Content-Type": {"application/json"}}
	with := func(name, value string) http.Header { return http.Header{name: {value}} }
	tests := []struct {
		name string
		request
		desk   desk
		status int
		detail string
		reason string
	}{
		{name: "accepted", request: request{path: "/webhooks/github_push", body: `{}`, signed: &github, id: "d-1", header: push}, status: 202},
		{name: "accepted with the other secret", request: request{path: "/webhooks/github_push", body: `{}`, signed: &github, secret: oldSecret}, status: 202},
		{name: "accepted chunked", request: request{path: "/webhooks/github_push", body: `"` + strings.Repeat("x", 199_998) + `"`, signed: &github, chunked: true}, status: 202},
		{name: "accepted empty", request: request{path: "/webhooks/open"}, status: 202},
		{name: "accepted at the limit", request: request{path: "/webhooks/open", body: `"` + strings.Repeat("x", 98) + `"`, chunked: true}, status: 202},
		{name: "unsigned", request: request{path: "/webhooks/github_push", body: `{}`}, status: 401, reason: "unauthorized_missing"},
		{name: "wrong secret", request: request{path: "/webhooks/github_push", body: `{}`, signed: &github, secret: "another secret entirely"}, status: 401, reason: "unauthorized_mismatch"},
		{name: "stale", request: request{path: "/hooks/partner", body: `{}`, signed: &partner, at: -time.Hour}, status: 401, reason: "unauthorized_stale"},
		{name: "from the future", request: request{path: "/hooks/partner", body: `{}`, signed: &partner, at: time.Hour}, status: 401, reason: "unauthorized_stale"},
		{name: "other address", request: request{path: "/webhooks/inside", body: `{}`}, status: 401, reason: "unauthorized_address"},
		{name: "doubled", request: request{path: "/webhooks/github_push", body: `{}`, signed: &github, header: with("X-Hub-Signature-256", "sha256=00")}, status: 400, detail: "more than once", reason: "unauthorized_doubled"},
		{name: "not JSON", request: request{path: "/webhooks/open", body: `{"a":}`}, status: 400, detail: "not valid JSON at byte", reason: "invalid"},
		{name: "type fails", request: request{path: "/hooks/partner", body: `{}`, signed: &partner, header: with("X-Request-Id", "r")}, status: 400, detail: "type: no such key: kind", reason: "invalid"},
		{name: "id fails", request: request{path: "/hooks/partner", body: `{"kind":"x"}`, signed: &partner}, status: 400, detail: "id: no such key: x-request-id", reason: "invalid"},
		{name: "type empty of meaning", request: request{path: "/hooks/partner", body: `{"kind":"a\nb"}`, signed: &partner, header: with("X-Request-Id", "r")}, status: 400, detail: "type: holds control characters", reason: "invalid"},
		{name: "nowhere", request: request{path: "/webhooks/other", body: `{}`}, status: 404},
		{name: "dots", request: request{path: "/webhooks/../webhooks/open", body: `{}`}, status: 404},
		{name: "encoded slash", request: request{path: "/webhooks%2Fopen", body: `{}`}, status: 404},
		{name: "get", request: request{method: "GET", path: "/webhooks/open"}, status: 405},
		{name: "post to test", request: request{path: "/webhooks/open/test"}, status: 405},
		{name: "too large", request: request{path: "/webhooks/open", body: strings.Repeat("1", 101)}, status: 413, reason: "too_large"},
		{name: "too large chunked", request: request{path: "/webhooks/open", body: strings.Repeat("1", 101), chunked: true}, status: 413, reason: "too_large"},
		{name: "compressed", request: request{path: "/webhooks/open", body: `{}`, header: with("Content-Encoding", "gzip")}, status: 415, reason: "unsupported"},
		{name: "multipart", request: request{path: "/webhooks/open", body: `{}`, header: with("Content-Type", "multipart/form-data; boundary=x")}, status: 415, reason: "unsupported"},
		{name: "nonsense type", request: request{path: "/webhooks/open", body: `{}`, header: with("Content-Type", "///")}, status: 415, reason: "unsupported"},
		{name: "conflict", request: request{path: "/webhooks/open", body: `{}`}, desk: desk{err: fmt.Errorf("intake: %w", store.ErrConflict)}, status: 409, reason: "conflict"},
		{name: "full", request: request{path: "/webhooks/open", body: `{}`}, desk: desk{err: store.ErrFull}, status: 503, reason: "refused"},
		{name: "backlog", request: request{path: "/webhooks/open", body: `{}`}, desk: desk{err: store.ErrBacklog}, status: 503, reason: "refused"},
		{name: "failed", request: request{path: "/webhooks/open", body: `{}`}, desk: desk{err: store.ErrFailed}, status: 503, reason: "refused"},
		{name: "broken", request: request{path: "/webhooks/open", body: `{}`}, desk: desk{err: errors.New("canary in the error")}, status: 500, reason: "failed"},
		{name: "panic", request: request{path: "/webhooks/open", body: `{}`}, desk: desk{panics: true}, status: 500},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, &tt.desk)
			status, header, answer := d.send(t, tt.request)
			if status != tt.status {
				t.Fatalf("got %d %v, want %d", status, answer, tt.status)
			}
			checkAnswer(t, status, header, answer, tt.detail)
			checkCounted(t, d, tt.path, tt.reason)
			if stored := len(tt.desk.events) > 0; stored != (status == 202) {
				t.Errorf("stored: %v", stored)
			}
			if n := d.handler.InFlight(); n != 0 {
				t.Errorf("%d bytes never given back", n)
			}
			if (d.handler.Panics() == 1) != tt.desk.panics {
				t.Errorf("%d panics", d.handler.Panics())
			}
		})
	}
}

func checkAnswer(t *testing.T, status int, header http.Header, answer map[string]any, detail string) {
	t.Helper()
	want := "application/problem+json"
	if status == 202 {
		want = "application/json"
	}
	if got := header.Get("Content-Type"); got != want || header.Get("Cache-Control") != "no-store" || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", header)
	}
	if (status == 503) != (header.Get("Retry-After") != "") || (status == 405) != (header.Get("Allow") != "") {
		t.Errorf("headers: %v", header)
	}
	text := fmt.Sprint(answer)
	if strings.Contains(text, "canary") || !strings.Contains(text, detail) {
		t.Errorf("answer: %s", text)
	}
	if status == 401 && answer["detail"] != "the request is not one that this webhook accepts" {
		t.Errorf("401 tells: %s", text)
	}
}

func checkCounted(t *testing.T, d *door, path, reason string) {
	t.Helper()
	for _, s := range d.table.Status() {
		if s.Path != path || reason == "" {
			continue
		}
		if s.Rejected[reason] != 1 || s.Accepted != 0 {
			t.Errorf("counted %v, want %s", s.Rejected, reason)
		}
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	github := preset("github")
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	status, _, answer := d.send(t, request{
		path: "/webhooks/github_push?team=ops&token=canary&team=dev", body: `{"a":1}`, signed: &github, id: "d-1",
		header: http.Header{"X-Github-Event": {"push"}, "Traceparent": {trace}, "Authorization": {"canary"}, "Content-Type": {"application/json; charset=utf-8"}},
	})
	if status != 202 || answer["event_id"] != "d-1" || answer["event_type"] != "github.push" || answer["workflows_triggered"] != 2.0 || answer["duplicate"] != false || answer["status"] != "accepted" {
		t.Fatalf("%d %v", status, answer)
	}
	ev := d.desk.last()
	got := fmt.Sprint(ev.ID, ev.Source, ev.Type, ev.ContentType, string(ev.Body), ev.Headers, ev.Query, ev.Extensions)
	want := fmt.Sprint("d-1", "/webhooks/github_push", "github.push", "application/json; charset=utf-8", `{"a":1}`,
		map[string]string{"x-github-event": "push", "x-github-delivery": "d-1"},
		map[string]string{"team": "ops,dev", "token": "[redacted]"}, map[string]string{"traceparent": trace})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if since := time.Since(ev.Time); since < 0 || since > time.Minute || ev.Time.Location() != time.UTC {
		t.Errorf("time %v", ev.Time)
	}
}

func TestExpressionsNameTheEvent(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	partner := partnerScheme()
	_, _, answer := d.send(t, request{path: "/hooks/partner", body: `{"kind":"order \"ü\""}`, signed: &partner, header: http.Header{"X-Request-Id": {"r-7"}}})
	if answer["event_id"] != "r-7" || answer["event_type"] != `partner.order "ü"` {
		t.Errorf("%v", answer)
	}
	if len(d.desk.keys[0]) != 2 {
		t.Errorf("an id from a header is not signed, yet %d keys", len(d.desk.keys[0]))
	}
}

// A captured GitHub request sent again under a fresh delivery id is the same
// event, and so is one without any id.
func TestReplayUnderAnotherID(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	github := preset("github")
	for i, id := range []string{"d-1", "d-1", "d-2", ""} {
		_, _, answer := d.send(t, request{path: "/webhooks/github_push", body: `{"a":1}`, signed: &github, id: id})
		if answer["duplicate"] != (i > 0) && id != "" {
			t.Errorf("%d: %v", i, answer)
		}
	}
	_, _, answer := d.send(t, request{path: "/webhooks/github_push", body: `{"a":2}`, signed: &github, id: "d-3"})
	if answer["duplicate"] != false {
		t.Errorf("another body: %v", answer)
	}
}

func TestContentNamesTheEvent(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	d.send(t, request{path: "/webhooks/open", body: `{}`})
	const digest = "sha256:44136fa355b3678a1146ad16f7e8649e"
	if ev := d.desk.last(); ev.ID != digest || ev.Type != "open" || len(d.desk.keys[0]) != 1 {
		t.Errorf("%s %s %d", ev.ID, ev.Type, len(d.desk.keys[0]))
	}
}

// TestTheSameAgainLater: for a while the same content is the same event, which
// somebody did not hear an answer to; after that it is another, with a name of
// its own.
func TestTheSameAgainLater(t *testing.T) {
	t.Parallel()
	hook, err := webhook.Compile(webhook.Spec{Name: "alerts", Scheme: preset("none"), RepeatedWithin: 5 * time.Minute}, webhook.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	tab, err := webhook.NewTable([]*webhook.Webhook{hook}, webhook.Front{})
	if err != nil {
		t.Fatal(err)
	}
	desk := &desk{}
	d := openTable(t, desk, tab)
	var ahead atomic.Int64
	began := time.Now().Truncate(5 * time.Minute).Add(4 * time.Minute)
	d.handler.Now = func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	for _, step := range []struct {
		at        time.Duration
		body      string
		duplicate bool
	}{
		{0, "firing", false},
		{0, "firing", true},
		{0, "resolved", false},
		{2 * time.Minute, "firing", true},   // another window has begun
		{5 * time.Minute, "firing", true},   // as long as it says
		{11 * time.Minute, "firing", false}, // twice as long is over
		{15 * time.Minute, "firing", true},
		{4 * time.Hour, "firing", false},
		{4*time.Hour + 5*time.Minute, "resolved", false},
	} {
		ahead.Store(int64(step.at))
		status, _, answer := d.send(t, request{path: "/webhooks/alerts", body: `{"status":"` + step.body + `"}`})
		if status != 202 || answer["duplicate"] != step.duplicate {
			t.Errorf("%s after %v: %d %v, want duplicate %t", step.body, step.at, status, answer, step.duplicate)
		}
	}
	ids := map[string]bool{}
	for _, ev := range desk.events {
		ids[ev.ID] = true
	}
	if len(ids) != 5 {
		t.Errorf("five events are called %v", ids)
	}
}

func TestTestPath(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	status, _, answer := d.send(t, request{method: "GET", path: "/hooks/partner/test"})
	if status != 200 || fmt.Sprint(answer) != "map[scheme:hmac status:ok webhook:partner]" {
		t.Errorf("%d %v", status, answer)
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{}, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"))
	tests := map[string]int{
		"203.0.113.7":                         202,
		"203.0.113.7, 10.0.0.3":               202,
		"::ffff:203.0.113.7":                  202,
		"203.0.113.7, 198.51.100.1, 10.0.0.3": 401,
		"198.51.100.1":                        401,
		"10.0.0.3":                            401,
		"nonsense":                            401,
		"":                                    401,
	}
	for forwarded, want := range tests {
		status, _, _ := d.send(t, request{path: "/webhooks/inside", body: `{}`, header: http.Header{"X-Forwarded-For": {forwarded}}})
		if status != want {
			t.Errorf("%q: got %d, want %d", forwarded, status, want)
		}
	}
}

// Behind a proxy each sender has a rate of its own; what is not verified uses up
// its sender's, and nothing of the webhook's.
func TestRate(t *testing.T) {
	t.Parallel()
	github := preset("github")
	registry := webhook.NewRegistry()
	limited := func() *door {
		hook, err := webhook.Compile(webhook.Spec{
			Name: "limited", SchemeName: "github", Scheme: github, Secrets: keys(secret),
			Rate: gate.Rate{Count: 3, Window: time.Hour, Burst: 3},
		}, registry)
		if err != nil {
			t.Fatal(err)
		}
		tab, err := webhook.NewTable([]*webhook.Webhook{hook}, webhook.Front{Proxies: gate.Networks{netip.MustParsePrefix("127.0.0.0/8")}})
		if err != nil {
			t.Fatal(err)
		}
		return openTable(t, &desk{}, tab)
	}
	d, n := limited(), 0
	send := func(from string, signed bool) (int, http.Header) {
		n++
		r := request{path: "/webhooks/limited", body: fmt.Sprintf(`{"n":%d}`, n), header: http.Header{"X-Forwarded-For": {from}}}
		if signed {
			r.signed, r.id = &github, fmt.Sprint(n)
		}
		status, answer, _ := d.send(t, r)
		return status, answer
	}
	for i, step := range []struct {
		from   string
		signed bool
		want   int
	}{
		{"203.0.113.1", false, 401}, {"203.0.113.1", false, 401}, {"203.0.113.1", false, 401}, {"203.0.113.1", true, 429},
		{"203.0.113.2", true, 202}, {"203.0.113.2", true, 202},
		{"unknown", true, 202},     // those whose address cannot be told are one
		{"203.0.113.3", true, 429}, // all of the webhook's
		{"203.0.113.2", true, 429},
	} {
		status, header := send(step.from, step.signed)
		if status != step.want {
			t.Errorf("step %d: got %d, want %d", i, status, step.want)
		}
		if after := header.Get("Retry-After"); status == 429 && after != "1200" && after != "1199" { // a third of an hour
			t.Errorf("step %d: Retry-After %q", i, after)
		}
	}
	if got := d.table.Status()[0].Rejected["rate"]; got != 3 {
		t.Errorf("counted %d", got)
	}
	d = limited() // a reload fills nobody's bucket
	if status, _ := send("203.0.113.4", true); status != 429 {
		t.Errorf("after a reload: %d", status)
	}
}

func TestForwardedForIsNotBelieved(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	status, _, _ := d.send(t, request{path: "/webhooks/inside", body: `{}`, header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}})
	if status != 401 {
		t.Errorf("got %d", status)
	}
}

// While bodies that fill the budget are being stored, others are sent away;
// afterwards all of it is there again.
func TestBudget(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{hold: make(chan struct{}), entered: make(chan struct{}, 2)})
	d.handler.Budget = 150
	first := make(chan int)
	go func() {
		status, _, _ := d.send(t, request{path: "/webhooks/open", body: `"` + strings.Repeat("a", 98) + `"`})
		first <- status
	}()
	<-d.desk.entered
	if held := d.handler.InFlight(); held != 100 {
		t.Errorf("%d bytes in flight", held)
	}
	if status, _, _ := d.send(t, request{path: "/webhooks/open", body: `"` + strings.Repeat("b", 98) + `"`}); status != 503 {
		t.Errorf("over the budget: %d", status)
	}
	close(d.desk.hold)
	if status := <-first; status != 202 {
		t.Errorf("within the budget: %d", status)
	}
	if status, _, _ := d.send(t, request{path: "/webhooks/open", body: `"` + strings.Repeat("c", 98) + `"`}); status != 202 {
		t.Errorf("afterwards: %d", status)
	}
}

// What arrives cut short is not an event, with a length or chunked.
func TestCutBody(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	for _, raw := range []string{
		"POST /webhooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12",
		"POST /webhooks/open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n",
		"POST /webhooks/open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n12\r\n",
	} {
		conn, err := net.Dial("tcp", d.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && res.StatusCode != 400 {
			t.Errorf("%q: %d", raw, res.StatusCode)
		}
		conn.Close()
	}
	if ev := d.desk.last(); ev != nil {
		t.Errorf("stored %q", ev.Body)
	}
}

// Behind a proxy that believes Content-Length where Transfer-Encoding holds, the
// end of one body is somebody else's request: it is not read.
func TestSmuggledRequest(t *testing.T) {
	t.Parallel()
	d := open(t, &desk{})
	conn, err := net.Dial("tcp", d.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	inner := "POST /webhooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nsmuggled"
	outer := "3\r\n{ }\r\n0\r\n\r\n" + inner
	fmt.Fprintf(conn, "POST /webhooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%s", len(outer), outer)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answers, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	if n := strings.Count(string(answers), "HTTP/1.1 "); n != 1 || !strings.HasPrefix(string(answers), "HTTP/1.1 202 ") {
		t.Errorf("%d answers: %q", n, answers)
	}
	if n := len(d.desk.events); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestCountersSurviveReload(t *testing.T) {
	t.Parallel()
	registry := webhook.NewRegistry()
	d := &desk{}
	current := table(t, registry)
	h := &webhook.Handler{Table: func() *webhook.Table { return current }, Intake: d, Log: zap.NewNop()}
	serve := func(key string) {
		signed := verify.Request{Body: []byte(`{}`)}
		err := verify.Sign(preset("github"), []byte(key), &signed, time.Now(), "d-1")
		header := signed.Header
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/webhooks/github_push", strings.NewReader(`{}`))
		r.Header = header
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	serve(oldSecret)
	serve("nobody's secret, but long")
	current = table(t, registry)
	serve(oldSecret)
	s := current.Status()[0]
	if s.Name != "github_push" || s.Accepted != 1 || s.Duplicates != 1 || s.Rejected["unauthorized_mismatch"] != 1 || s.LastSecret != 1 || !s.Secrets[0].IsZero() || s.Secrets[1].IsZero() || s.Last.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	none := preset("none")
	tests := map[string]webhook.Spec{
		"path":                  {Name: "x", Path: "hooks", Scheme: none},
		"plain":                 {Name: "x", Path: "/a/../b", Scheme: none},
		"absolute":              {Name: "x", Path: "/a%20b", Scheme: none},
		"path: ":                {Name: "x", Path: "/a?b", Scheme: none},
		"at least":              {Name: "x", Scheme: preset("github")},
		"credential":            {Name: "x", Scheme: none, Headers: []string{"Authorization"}},
		"is never":              {Name: "x", Scheme: none, Headers: []string{"X-Gitlab-Token"}},
		"hmac-sha256\" carries": {Name: "x", Scheme: preset("shopify"), Secrets: keys(secret), Headers: []string{"x-shopify-hmac-sha256"}},
	}
	for want, spec := range tests {
		if _, err := webhook.Compile(spec, webhook.NewRegistry()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", spec, err, want)
		}
	}
}

func TestTableRefuses(t *testing.T) {
	t.Parallel()
	hook := func(name, path string) *webhook.Webhook {
		w, err := webhook.Compile(webhook.Spec{Name: name, Path: path, Scheme: preset("none")}, webhook.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for want, hooks := range map[string][]*webhook.Webhook{
		`"a" and "b": both listen at /x`: {hook("a", "/x"), hook("b", "/x")},
		`where "a" is tested`:            {hook("b", "/x/test"), hook("a", "/x")},
	} {
		if _, err := webhook.NewTable(hooks, webhook.Front{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// FuzzHandler: no request makes the handler panic or answer something odd, and
// nothing unsigned is stored.
func FuzzHandler(f *testing.F) {
	f.Add("/webhooks/github_push", "sha256=00", "application/json", []byte(`{}`))
	f.Add("/hooks/partner", "sha256=", "text/plain", []byte(`x`))
	f.Add("/webhooks/open", "", "application/x-www-form-urlencoded", []byte(`payload={"a":1}&%`))
	d := &desk{}
	tab := table(f, webhook.NewRegistry())
	h := &webhook.Handler{Table: func() *webhook.Table { return tab }, Intake: d, Log: zap.NewNop()}
	f.Fuzz(func(t *testing.T, path, signature, contentType string, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.URL.Path = path
		r.Header = http.Header{"X-Hub-Signature-256": {signature}, "X-Signature": {signature}, "Content-Type": {contentType}, "X-Timestamp": {"1"}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || h.Panics() > 0 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code == 202 && path != "/webhooks/open" {
			t.Fatalf("%s accepted %q", path, signature)
		}
	})
}

// yes accepts everything.
type yes struct{}

func (yes) Accept(_ context.Context, ev *event.Event, _ []store.Key, _ store.Digest) (store.Receipt, error) {
	return store.Receipt{EventID: ev.ID, EventType: ev.Type, Deliveries: 1}, nil
}

func (yes) AcceptAll(context.Context, []*store.Entry) ([]store.Receipt, error) { return nil, nil }

// quiet is a response writer that costs nothing.
type quiet struct{ header http.Header }

func (q quiet) Header() http.Header         { return q.header }
func (q quiet) Write(b []byte) (int, error) { return len(b), nil }
func (q quiet) WriteHeader(int)             {}

func BenchmarkHandler(b *testing.B) {
	body := []byte(`{"a":"` + strings.Repeat("x", 1014) + `"}`)
	tab := table(b, webhook.NewRegistry())
	h := &webhook.Handler{Table: func() *webhook.Table { return tab }, Intake: yes{}, Log: zap.NewNop()}
	signed := verify.Request{Body: body}
	err := verify.Sign(preset("github"), []byte(secret), &signed, time.Now(), "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	header := signed.Header
	if err != nil {
		b.Fatal(err)
	}
	header.Set("X-GitHub-Event", "push")
	header.Set("Content-Type", "application/json")
	reader := bytes.NewReader(body)
	r := httptest.NewRequest("POST", "/webhooks/github_push", io.NopCloser(reader))
	r.Header, r.ContentLength = header, int64(len(body))
	w := quiet{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		h.ServeHTTP(w, r)
	}
}
