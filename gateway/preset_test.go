package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook"
)

const (
	presetSecret   = "0123456789abcdef0123456789abcdef"
	standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// The names that the file may have and those that mean something are the same.
func TestEverySchemeIsKnown(t *testing.T) {
	field, _ := reflect.TypeFor[config.Webhook]().FieldByName("Scheme")
	enum := strings.Split(field.Tag.Get("enum"), ",")
	if known := verify.Presets(); !slices.Equal(slices.Sorted(slices.Values(enum)), slices.Sorted(slices.Values(known))) {
		t.Errorf("the file may say %v, known are %v", enum, known)
	}
}

// spelled are the webhooks of testdata/presets.yaml, and the presets that they
// are named after.
func spelled(t *testing.T) (doc *config.Document, presets map[string]string) {
	t.Helper()
	doc = loadPresets(t, "testdata/presets.yaml")
	presets = map[string]string{}
	for name := range doc.Config.Webhooks {
		for _, preset := range verify.Presets() {
			if strings.HasPrefix(name, preset) && len(preset) > len(presets[name]) {
				presets[name] = preset
			}
		}
	}
	return doc, presets
}

func loadPresets(t *testing.T, path string) *config.Document {
	t.Helper()
	env := map[string]string{"SECRET": presetSecret, "WHSEC": standardSecret}
	doc, problems := config.Load(path, config.Options{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if problems.Failed() {
		t.Fatal(problems.Text())
	}
	return doc
}

// Each preset that is an HMAC is what the open vocabulary says in its place.
func TestPresetsAreSpelledOut(t *testing.T) {
	doc, presets := spelled(t)
	seen := map[string][]verify.Proof{}
	for name, hook := range doc.Config.Webhooks {
		scheme, err := SchemeOf(hook)
		if err != nil {
			t.Fatal(err)
		}
		mine := comparable(scheme.Proofs[0])
		preset, _ := verify.Preset(presets[name])
		if !slices.ContainsFunc(preset.Proofs, func(p verify.Proof) bool { return comparable(p) == mine }) {
			t.Errorf("%s: none of the proofs of %s is\n%+v", name, presets[name], mine)
		}
		seen[presets[name]] = append(seen[presets[name]], mine)
	}
	for _, name := range verify.Presets() {
		preset, _ := verify.Preset(name)
		for _, p := range preset.Proofs {
			if p.Method == verify.HMAC && name != "hmac" && !slices.Contains(seen[name], comparable(p)) {
				t.Errorf("%s: not spelled out:\n%+v", name, p)
			}
		}
	}
}

// comparable leaves out what is written in several ways, and how long a secret
// must be, which is the preset's own strictness.
func comparable(p verify.Proof) verify.Proof {
	for _, name := range []*string{&p.Header, &p.ID, &p.Timestamp.Header} {
		*name = textproto.CanonicalMIMEHeaderKey(*name)
	}
	if p.Timestamp.Tolerance == 0 && p.Timestamp != (verify.Timestamp{}) {
		p.Timestamp.Tolerance = verify.DefaultTolerance
	}
	if p.Secret.Encoding == "" {
		p.Secret.Encoding = "raw"
	}
	p.Secret.Min = 0
	return p
}

// sample is a request of a provider, not yet signed.
type sample struct{ header, body, kind string }

func samples() map[string]sample {
	return map[string]sample{
		"github":                 {"X-GitHub-Event: push; X-GitHub-Delivery: d-1", `{"ref":"main"}`, "github.push"},
		"bitbucket":              {"X-Event-Key: repo:push; X-Request-UUID: d-1", `{}`, "bitbucket.repo.push"},
		"shopify":                {"X-Shopify-Topic: orders/create; X-Shopify-Webhook-Id: d-1; X-Shopify-Shop-Domain: a.example", `{}`, "shopify.orders.create"},
		"shopify-events":         {"Shopify-Topic: orders/create; Shopify-Webhook-Id: d-1", `{}`, "shopify.orders.create"},
		"pagerduty":              {"", `{"event":{"id":"d-1","event_type":"incident.triggered"}}`, "pagerduty.incident.triggered"},
		"linear":                 {"Linear-Delivery: d-1; Linear-Event: Issue", `{"type":"Issue","action":"create"}`, "linear.Issue.create"},
		"stripe":                 {"", `{"id":"d-1","type":"charge.succeeded"}`, "stripe.charge.succeeded"},
		"slack":                  {"", `{"type":"event_callback","event_id":"d-1","event":{"type":"app_mention"}}`, "slack.app_mention"},
		"standard-webhooks":      {"", `{"type":"user.created"}`, "standard-webhooks.user.created"},
		"standard-webhooks-svix": {"", `{"type":"user.created"}`, "standard-webhooks-svix.user.created"},
		"gitlab":                 {"X-Gitlab-Event: Push Hook", `{"object_kind":"push"}`, "gitlab.push"},
		"twilio":                 {"Content-Type: application/x-www-form-urlencoded; I-Twilio-Idempotency-Token: d-1", "MessageStatus=sent&To=%2B1", "twilio.message.sent"},
	}
}

// A preset and its spelling make the same event of the same request, and refuse
// the same.
func TestPresetsAndTheirSpellingAgree(t *testing.T) {
	doc, presets := spelled(t)
	text := "version: 1\nserver: {public_url: https://hooks.example.com}\nwebhooks:\n"
	for name, preset := range presets {
		secret := "SECRET"
		if s, _ := verify.Preset(preset); s.Proofs[0].Secret.Prefix != "" {
			secret = "WHSEC"
		}
		text += fmt.Sprintf("  %s: {scheme: %s, secrets: [\"${env:%s}\"]}\n", name, preset, secret)
	}
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	one, other := doorOf(t, doc), doorOf(t, loadPresets(t, path))
	for name, s := range samples() {
		want := s.signed(t, doc.Config.Webhooks[name])
		for _, body := range [][]byte{want.Body, append(slices.Clone(want.Body), '!')} {
			a, b := one.post(name, want, body), other.post(name, want, body)
			accepted := len(body) == len(want.Body)
			if !reflect.DeepEqual(a, b) || (a != nil) != accepted || accepted && (a.Type != s.kind || a.ID != "d-1") {
				t.Errorf("%s, %s:\nspelled %+v\npreset  %+v", name, body, a, b)
			}
		}
	}
}

// signed signs a sample as its webhook spells it.
func (s sample) signed(t *testing.T, hook config.Webhook) *verify.Request {
	t.Helper()
	scheme, err := SchemeOf(hook)
	if err != nil {
		t.Fatal(err)
	}
	r := &verify.Request{Method: http.MethodPost, URL: "https://hooks.example.com" + hook.Path, Header: http.Header{}, Body: []byte(s.body)}
	for line := range strings.SplitSeq(s.header, "; ") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	if err := verify.Sign(scheme, hook.Secrets[0].Value.Reveal(), r, time.Now(), "d-1"); err != nil {
		t.Fatal(err)
	}
	return r
}

// counter takes what a door lets in, one at a time.
type counter struct {
	handler *webhook.Handler
	last    *event.Event
}

func doorOf(t *testing.T, doc *config.Document) *counter {
	t.Helper()
	g := &Gateway{env: expr.New(), hooks: webhook.NewRegistry()}
	snap, problems := g.compile(doc)
	if problems.Failed() {
		t.Fatal(problems.Text())
	}
	c := &counter{}
	c.handler = &webhook.Handler{Table: func() *webhook.Table { return snap.webhooks }, Intake: c, Log: zap.NewNop()}
	return c
}

func (c *counter) AcceptAll(context.Context, []*store.Entry) ([]store.Receipt, error) {
	return nil, nil
}

func (c *counter) Accept(_ context.Context, ev *event.Event, _ []store.Key, _ store.Digest) (store.Receipt, error) {
	c.last = ev
	return store.Receipt{EventID: ev.ID, EventType: ev.Type}, nil
}

// seen is what is told of an event.
type seen struct {
	ID, Type string
	Headers  map[string]string
	Body     string
}

// post sends a body with the headers of a signed request; nil: refused.
func (c *counter) post(name string, signed *verify.Request, body []byte) *seen {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+name, bytes.NewReader(body))
	r.Header = maps.Clone(signed.Header)
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, r)
	if answer.Code != http.StatusAccepted {
		return nil
	}
	var told struct {
		ID   string `json:"event_id"`
		Type string `json:"event_type"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &told) != nil {
		return nil
	}
	return &seen{told.ID, told.Type, c.last.Headers, string(c.last.Body)}
}
