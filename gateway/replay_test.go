package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/verify"
)

// retrier is how a provider sends an event once more when it got no answer.
type retrier struct {
	name, keys  string // of the webhook
	scheme      string
	secret      string // that the sender signs with
	contentType string
	// body of the event with an id and a text in it. Where the id is not in
	// there it is in a header.
	body func(id, text string) string
	// resigned: a retry is signed anew, at its own time.
	resigned bool
	// unsigned is the header with an id that is not signed.
	unsigned string
	// retry are headers that only a retry has.
	retry http.Header
}

const (
	senderSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	sharedToken  = "a token that both sides know"
)

func retriers() []retrier {
	const form = "application/x-www-form-urlencoded"
	keyed := func(secret string) string { return fmt.Sprintf("secrets: [%q]", secret) }
	private := ed25519.NewKeyFromSeed([]byte("the seed of a key, for tests only"[:32]))
	public, _ := private.Public().(ed25519.PublicKey)
	outside := func(_, text string) string { return `{"text":"` + text + `"}` }
	inside := func(path string) func(id, text string) string {
		before, after, _ := strings.Cut(path, "ID")
		return func(id, text string) string { return before + `"` + id + `","text":"` + text + `"` + after }
	}
	return []retrier{
		// By hand or through the API: the same id, the same bytes.
		{name: "github", scheme: "github", body: outside, unsigned: "X-GitHub-Delivery"},
		{name: "bitbucket", scheme: "bitbucket", body: outside, unsigned: "X-Request-UUID"},
		// Eight times in four hours.
		{name: "shopify", scheme: "shopify", body: outside, unsigned: "X-Shopify-Webhook-Id"},
		{name: "linear", scheme: "linear", body: outside, unsigned: "Linear-Delivery"},
		{name: "gitlab-token", scheme: "gitlab", secret: sharedToken, body: outside, unsigned: "Idempotency-Key", retry: http.Header{"X-Gitlab-Webhook-Uuid": {"another"}}},
		// For up to three days, each time with a signature of its own.
		{name: "stripe", scheme: "stripe", body: inside(`{"id":ID,"type":"charge.succeeded"}`), resigned: true},
		{name: "slack", scheme: "slack", body: inside(`{"type":"event_callback","event_id":ID}`), resigned: true,
			retry: http.Header{"X-Slack-Retry-Num": {"1"}, "X-Slack-Retry-Reason": {"http_timeout"}}},
		{name: "standard", scheme: "standard-webhooks", secret: senderSecret, body: outside, resigned: true},
		{name: "gitlab", scheme: "gitlab", secret: senderSecret, body: outside, resigned: true},
		{name: "discord", scheme: "discord", secret: hex.EncodeToString(private), keys: keyed(hex.EncodeToString(public)), body: inside(`{"type":2,"id":ID}`), resigned: true},
		// For up to 48 hours.
		{name: "pagerduty", scheme: "pagerduty", body: inside(`{"event":{"event_type":"incident.triggered","id":ID}}`)},
		{name: "twilio", scheme: "twilio", contentType: form, unsigned: "I-Twilio-Idempotency-Token",
			body: func(_, text string) string { return "MessageStatus=sent&Body=" + text }},
		{name: "cloud", scheme: "cloudevents", secret: sharedToken, contentType: "application/cloudevents+json",
			body: inside(`{"specversion":"1.0","source":"/shop","type":"order","id":ID}`), retry: http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}},
		{name: "partner", scheme: "hmac", keys: keyed(secret) + "\n    signature: {header: X-Signature}\n    id: event.headers[\"x-id\"]\n    headers: [x-id]", body: outside, unsigned: "X-Id"},
	}
}

// cloudData: what makes a CloudEvent another is its data, not its attributes.
func cloudData(r *retrier, body string) string {
	if r.name != "cloud" {
		return body
	}
	return strings.Replace(body, `"text":`, `"data":`, 1)
}

// sending is one request of a provider's.
type sending struct {
	header http.Header
	url    string
	body   []byte
}

func (r *retrier) sign(t *testing.T, base, id, text string, at time.Time) sending {
	t.Helper()
	scheme, known := verify.Preset(r.scheme)
	if !known {
		t.Fatalf("no scheme %s", r.scheme)
	}
	if r.scheme == "hmac" {
		scheme.Proofs[0].Header = "X-Signature"
	}
	key := r.secret
	if key == "" {
		key = secret
	}
	contentType := r.contentType
	if contentType == "" {
		contentType = "application/json"
	}
	req := verify.Request{Method: "POST", URL: base + "/webhooks/" + r.name, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(cloudData(r, r.body(id, text)))}
	if err := verify.Sign(scheme, []byte(key), &req, at, id); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	if r.unsigned != "" {
		req.Header.Set(r.unsigned, id)
	}
	return sending{req.Header, req.URL, req.Body}
}

func (s sending) with(more http.Header) sending {
	s.header = s.header.Clone()
	for name, values := range more {
		s.header[name] = values
	}
	return s
}

// verdict is what a sender hears.
type verdict struct {
	status    int
	Duplicate bool   `json:"duplicate"`
	EventID   string `json:"event_id"`
}

func (s sending) send(t *testing.T) (v verdict) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(string(s.body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = s.header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return v
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	_ = json.Unmarshal(text, &v)
	v.status = resp.StatusCode
	return v
}

// doors is a running gateway with a webhook for each retrier.
func doors(t *testing.T, all []retrier) (g *Gateway, base string) {
	t.Helper()
	text := "version: 1\nserver: {listen: 127.0.0.1:0, admin: 127.0.0.1:0}\nstore: {path: ./data, min_free: 1MiB}\nwebhooks:\n"
	for _, r := range all {
		if r.keys == "" && r.secret == "" {
			r.secret = secret
		}
		if r.keys == "" {
			r.keys = fmt.Sprintf("secrets: [%q]", r.secret)
		}
		text += fmt.Sprintf("  %s:\n    scheme: %s\n    %s\n", r.name, r.scheme, r.keys)
	}
	return serve(t, text)
}

// serve runs a gateway for as long as the test runs.
func serve(t *testing.T, text string) (g *Gateway, base string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	g, err := New(Options{ConfigPath: path, Log: zap.NewNop(), Version: "test", Ready: func() { close(ready) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-ready
	public, _ := g.Addresses()
	return g, "http://" + public.String()
}

// Whatever a provider's way of trying again, each event is stored once. A
// captured request starts nothing, under its own id or, where that is not
// signed, under another. The same id with other content is kept, counted, and
// told.
func TestRetriesOfEveryProvider(t *testing.T) {
	const events = 14
	all := retriers()
	g, base := doors(t, all)
	now := time.Now().Add(-20 * time.Second) // within everybody's tolerance
	sent := 0
	for i := range all {
		r := &all[i]
		for n := range events {
			id := fmt.Sprintf("%s-%d", r.name, n)
			sent += r.story(t, base, id, now)
		}
		checkDoor(t, g, r, events)
	}
	if sent < 1000 {
		t.Errorf("%d requests, want 1000", sent)
	}
}

// story is one event and all that is sent in its name; it returns how many
// requests that were.
func (r *retrier) story(t *testing.T, base, id string, at time.Time) int {
	t.Helper()
	first := r.sign(t, base, id, "text of "+id, at)
	again := first
	if r.resigned {
		again = r.sign(t, base, id, "text of "+id, at.Add(10*time.Second))
	}
	// Impatient senders do not wait for the first to end.
	sendings := []sending{first, first, again, again.with(r.retry)}
	heard := make([]verdict, len(sendings))
	var wg sync.WaitGroup
	for i, s := range sendings {
		wg.Go(func() { heard[i] = s.send(t) })
	}
	wg.Wait()
	fresh := 0
	for _, v := range heard {
		if v.status != http.StatusAccepted || v.EventID != id {
			t.Errorf("%s: %+v", id, v)
		}
		if !v.Duplicate {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%s: accepted as new %d times", id, fresh)
	}
	if v := again.with(r.retry).send(t); v.status != http.StatusAccepted || !v.Duplicate || v.EventID != id {
		t.Errorf("%s: a late retry: %+v", id, v)
	}
	replays := 0
	if r.unsigned != "" {
		replays++
		if v := first.with(http.Header{http.CanonicalHeaderKey(r.unsigned): {"made-up-" + id}}).send(t); !v.Duplicate || v.EventID != id {
			t.Errorf("%s: captured, and sent under another id: %+v", id, v)
		}
	}
	if v := r.sign(t, base, id, "another text", at).send(t); v.status != http.StatusConflict {
		t.Errorf("%s: with other content: %+v", id, v)
	}
	return len(sendings) + 2 + replays
}

// checkDoor counts what is stored and what was counted.
func checkDoor(t *testing.T, g *Gateway, r *retrier, events int) {
	t.Helper()
	source := "/webhooks/" + r.name
	if r.name == "cloud" {
		source = "/shop"
	}
	list, err := g.store.Events(context.Background(), store.EventFilter{Source: source, Page: store.Page{Limit: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	stored, kept := 0, 0
	for _, e := range list {
		if e.Conflict {
			kept++
		} else {
			stored++
		}
	}
	if stored != events || kept != events {
		t.Errorf("%s: %d events stored and %d conflicts kept, want %d of each", r.name, stored, kept, events)
	}
	for _, s := range g.status().Webhooks {
		if s.Name == r.name && (s.Accepted != uint64(events) || s.Rejected["conflict"] != uint64(events)) {
			t.Errorf("%s: counted %+v", r.name, s)
		}
	}
}
