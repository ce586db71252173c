package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook"
	"github.com/event-gateway/gateway/gateway/webhook/gate"
)

// hookFor is a handler with one webhook, named after its scheme.
func hookFor(t *testing.T, d *desk, scheme string, front webhook.Front) http.Handler {
	t.Helper()
	spec := webhook.Spec{Name: scheme, SchemeName: scheme, Scheme: preset(scheme), MaxBody: 1 << 12}
	if !spec.Scheme.None {
		spec.Secrets = keys(secret)
	}
	if scheme == "standard-webhooks" {
		spec.Secrets = keys(standardSecret)
	}
	hook, err := webhook.Compile(spec, webhook.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	table, err := webhook.NewTable([]*webhook.Webhook{hook}, front)
	if err != nil {
		t.Fatal(err)
	}
	return &webhook.Handler{Table: func() *webhook.Table { return table }, Intake: d, Log: zap.NewNop()}
}

const (
	standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	formType       = "application/x-www-form-urlencoded"
)

// signedFor is a request to the webhook of a scheme, signed for a URL.
func signedFor(t *testing.T, scheme, url, contentType, body string, at time.Time) *http.Request {
	t.Helper()
	key := secret
	if scheme == "standard-webhooks" {
		key = standardSecret
	}
	signed := verify.Request{Method: http.MethodPost, URL: url, Header: http.Header{}, Body: []byte(body)}
	if contentType != "" {
		signed.Header.Set("Content-Type", contentType)
	}
	if err := verify.Sign(preset(scheme), []byte(key), &signed, at, "id-1"); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+scheme, strings.NewReader(string(signed.Body)))
	if _, query, ok := strings.Cut(signed.URL, "?"); ok {
		r.URL.RawQuery = query
	}
	r.Header = signed.Header
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// Rule 1: the raw bytes are read once, bounded, and verified before anything is
// parsed; they reach the engine as they came.
func TestRule1RawBytes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"\xef\xbb\xbf{}", "{\r\n}\r\n", "\xff\xfe", "a\x00b", "", "{", strings.Repeat("x", 1<<12)} {
		d := &desk{}
		r := signedFor(t, "github", "", "application/octet-stream", body, time.Now())
		if answer := serve(hookFor(t, d, "github", webhook.Front{}), r); answer.Code != 202 || string(d.last().Body) != body {
			t.Errorf("%.10q: %d, %.10q", body, answer.Code, d.last().Body)
		}
	}
	h := hookFor(t, &desk{}, "github", webhook.Front{})
	notJSON := signedFor(t, "github", "", "application/json", "{", time.Now())
	if answer := serve(h, notJSON); answer.Code != 400 {
		t.Errorf("signed, not JSON: %d", answer.Code)
	}
	unsigned := httptest.NewRequest(http.MethodPost, "/webhooks/github", strings.NewReader("{"))
	if answer := serve(h, unsigned); answer.Code != 401 {
		t.Errorf("neither signed nor JSON: %d", answer.Code)
	}
	if answer := serve(h, signedFor(t, "github", "", "text/plain", strings.Repeat("x", 1<<12+1), time.Now())); answer.Code != 413 {
		t.Errorf("a byte too many: %d", answer.Code)
	}
}

// Rule 2: a header that says who or what a request is, twice, is a 400.
func TestRule2DoubledHeaders(t *testing.T) {
	t.Parallel()
	for scheme, names := range map[string][]string{
		"github":            {"X-Hub-Signature-256", "X-GitHub-Delivery", "X-GitHub-Event"},
		"slack":             {"X-Slack-Signature", "X-Slack-Request-Timestamp"},
		"standard-webhooks": {"Webhook-Signature", "Webhook-Timestamp", "Webhook-Id"},
		"shopify":           {"X-Shopify-Hmac-Sha256", "X-Shopify-Topic", "X-Shopify-Webhook-Id"},
		"token":             {"Authorization"},
	} {
		for _, name := range names {
			d := &desk{}
			r := signedFor(t, scheme, "", "", "{}", time.Now())
			value := r.Header.Get(name)
			r.Header[http.CanonicalHeaderKey(name)] = []string{value + "x", value + "x"}
			if answer := serve(hookFor(t, d, scheme, webhook.Front{}), r); answer.Code != 400 || d.last() != nil {
				t.Errorf("%s: two %s: %d", scheme, name, answer.Code)
			}
		}
	}
}

// Rule 8: one answer for all that is not signed as it should be, to the byte.
func TestRule8OneAnswer(t *testing.T) {
	t.Parallel()
	h := hookFor(t, &desk{}, "slack", webhook.Front{})
	requests := map[string]*http.Request{
		"nothing":    httptest.NewRequest(http.MethodPost, "/webhooks/slack", strings.NewReader("{}")),
		"stale":      signedFor(t, "slack", "", "", "{}", time.Now().Add(-time.Hour)),
		"future":     signedFor(t, "slack", "", "", "{}", time.Now().Add(time.Hour)),
		"wrong body": signedFor(t, "slack", "", "", "{}", time.Now()),
		"wrong time": signedFor(t, "slack", "", "", "{}", time.Now()),
		"malformed":  signedFor(t, "slack", "", "", "{}", time.Now()),
	}
	requests["wrong body"].Body = httptest.NewRequest("POST", "/", strings.NewReader("{1")).Body
	requests["wrong time"].Header.Set("X-Slack-Request-Timestamp", fmt.Sprint(time.Now().Unix()+7))
	requests["malformed"].Header.Set("X-Slack-Request-Timestamp", "now")
	want := ""
	for name, r := range requests {
		answer := serve(h, r)
		got := fmt.Sprintln(answer.Code, answer.Header(), answer.Body)
		if want == "" {
			want = got
		}
		if got != want || answer.Code != 401 {
			t.Errorf("%s: %s, others: %s", name, got, want)
		}
	}
}

// The URL that a sender signed is the one that is configured, or that a proxy of
// ours tells, or else the request's own; never what a stranger says.
func TestURL(t *testing.T) {
	t.Parallel()
	const path = "/webhooks/twilio"
	ours := gate.Networks{netip.MustParsePrefix("192.0.2.0/24")} // httptest's own address
	for _, tt := range []struct {
		name, signed string
		front        webhook.Front
		header       string
		status       int
	}{
		{"configured", "https://hooks.example.com" + path, webhook.Front{PublicURL: "https://hooks.example.com/"}, "", 202},
		{"configured, signed for the port", "https://hooks.example.com:443" + path, webhook.Front{PublicURL: "https://hooks.example.com"}, "", 202},
		{"configured, signed for another", "https://other.example.com" + path, webhook.Front{PublicURL: "https://hooks.example.com"}, "", 401},
		{"configured, a proxy says another", "https://other.example.com" + path, webhook.Front{PublicURL: "https://hooks.example.com", Proxies: ours}, "X-Forwarded-Host: other.example.com", 401},
		{"the request's", "http://example.com" + path, webhook.Front{}, "", 202},
		{"the request's, with a query", "http://example.com" + path + "?a=b%20c", webhook.Front{}, "", 202},
		{"the proxy's", "https://hooks.example.com" + path, webhook.Front{Proxies: ours}, "X-Forwarded-Proto: https; X-Forwarded-Host: hooks.example.com", 202},
		{"the nearest proxy's", "https://hooks.example.com" + path, webhook.Front{Proxies: ours}, "X-Forwarded-Proto: http, https; X-Forwarded-Host: a.example, hooks.example.com", 202},
		{"a stranger's", "https://hooks.example.com" + path, webhook.Front{}, "X-Forwarded-Proto: https; X-Forwarded-Host: hooks.example.com", 401},
	} {
		for _, body := range []struct{ contentType, text string }{{formType, "SmsStatus=sent&To=1"}, {"application/json", `{"a":1}`}} {
			r := signedFor(t, "twilio", tt.signed, body.contentType, body.text, time.Now())
			for line := range strings.SplitSeq(tt.header, "; ") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			if answer := serve(hookFor(t, &desk{}, "twilio", tt.front), r); answer.Code != tt.status {
				t.Errorf("%s, %s: %d, want %d", tt.name, body.contentType, answer.Code, tt.status)
			}
		}
	}
}

// Where only a form's fields are signed, another spelling of the same fields, or
// another id, is the same event again.
func TestFormsReplayed(t *testing.T) {
	t.Parallel()
	d := &desk{}
	h := hookFor(t, d, "twilio", webhook.Front{})
	for i, body := range []string{"To=%2B1&A=b+c", "A=b%20c&To=%2b1", "A=b%20c&To=%2b1&To=%2B1"} {
		r := signedFor(t, "twilio", "http://example.com/webhooks/twilio", formType, body, time.Now())
		r.Header.Set("I-Twilio-Idempotency-Token", fmt.Sprint("fresh-", i))
		if i == 2 {
			r.Host = "example.com:80"
		}
		answer := serve(h, r)
		if again := strings.Contains(answer.Body.String(), `"duplicate":true`); answer.Code != 202 || again != (i > 0) {
			t.Errorf("%s: %d %s", body, answer.Code, answer.Body)
		}
	}
	if len(d.events) != 1 {
		t.Errorf("%d events", len(d.events))
	}
}

// What events of a scheme are called; headers and signatures apart, the rest is
// in the table of presets in package gateway.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ scheme, contentType, body, header, kind, id string }{
		{"slack", formType, "command=%2Fdeploy&text=x", "", "slack.command.deploy", "sha256:"},
		{"slack", formType, "payload=%7B%22type%22%3A%22block_actions%22%7D", "", "slack.block_actions", "sha256:"},
		{"slack", "", `{"type":"app_rate_limited"}`, "", "slack.app_rate_limited", "sha256:"},
		{"twilio", formType, "CallStatus=ringing", "", "twilio.call.ringing", "sha256:"},
		{"twilio", formType, "SmsStatus=received", "I-Twilio-Idempotency-Token: t-1", "twilio.message.received", "t-1"},
		{"twilio", "", `[]`, "", "twilio", "sha256:"},
		{"stripe", "", `{"id":7,"type":{}}`, "", "stripe", "7"},
		{"stripe", "", `null`, "", "stripe", "sha256:"},
		{"linear", "", `{"type":"Issue"}`, "", "linear.Issue", "id-1"},
		{"gitlab", "", `{"event_name":"user_create"}`, "", "gitlab.user_create", "id-1"},
		{"github", "", `{}`, "", "github", "id-1"},
		{"bitbucket", "", `{}`, "X-Request-Id: r-1", "bitbucket", "id-1"},
		{"standard-webhooks", "", `{"type":"user.created"}`, "", "standard-webhooks.user.created", "id-1"},
		{"token", "", `{"type":"x"}`, "", "token", "sha256:"},
	} {
		d := &desk{}
		r := signedFor(t, tt.scheme, "http://example.com/webhooks/"+tt.scheme, tt.contentType, tt.body, time.Now())
		if tt.id == "sha256:" {
			r.Header.Del("I-Twilio-Idempotency-Token")
		}
		if name, value, ok := strings.Cut(tt.header, ": "); ok {
			r.Header.Set(name, value)
		}
		answer := serve(hookFor(t, d, tt.scheme, webhook.Front{}), r)
		if ev := d.last(); ev == nil || ev.Type != tt.kind || !strings.HasPrefix(ev.ID, tt.id) {
			t.Errorf("%s, %s: %d %s, want %s %s", tt.scheme, tt.body, answer.Code, answer.Body, tt.kind, tt.id)
		}
	}
}

// No preset keeps with the event what proves where it is from.
func TestProofsAreNotKept(t *testing.T) {
	t.Parallel()
	for _, name := range verify.Presets() {
		s := preset(name)
		for _, p := range s.Proofs {
			if slices.ContainsFunc(s.Headers(), func(kept string) bool { return strings.EqualFold(kept, p.Header) }) {
				t.Errorf("%s keeps %s", name, p.Header)
			}
		}
	}
}

// Rule 3 wants to know whose clock is wrong: the skew of what was rightly signed,
// be it stale, and of nothing else.
func TestRule3Skew(t *testing.T) {
	t.Parallel()
	spec := webhook.Spec{Name: "slack", Scheme: preset("slack"), Secrets: keys(secret)}
	hook, err := webhook.Compile(spec, webhook.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	table, err := webhook.NewTable([]*webhook.Webhook{hook}, webhook.Front{})
	if err != nil {
		t.Fatal(err)
	}
	h := &webhook.Handler{Table: func() *webhook.Table { return table }, Intake: &desk{}, Log: zap.NewNop()}
	forged := signedFor(t, "slack", "", "", "{}", time.Now())
	forged.Header.Set("X-Slack-Request-Timestamp", "1")
	if serve(h, forged); table.Status()[0].Timed {
		t.Error("a forged time counts")
	}
	serve(h, signedFor(t, "slack", "", "", "{}", time.Now().Add(-time.Hour)))
	if s := table.Status()[0]; !s.Timed || s.Skew < time.Hour || s.Skew > time.Hour+time.Minute {
		t.Errorf("skew %v, %t", s.Skew, s.Timed)
	}
}
