package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook"
	"github.com/event-gateway/gateway/gateway/webhook/gate"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
)

// doorOf is a real server over webhooks of the test's own.
func doorOf(t testing.TB, d *desk, specs ...webhook.Spec) *door {
	t.Helper()
	var hooks []*webhook.Webhook
	for _, spec := range specs {
		w, err := webhook.Compile(spec, webhook.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		hooks = append(hooks, w)
	}
	tab, err := webhook.NewTable(hooks, webhook.Front{})
	if err != nil {
		t.Fatal(err)
	}
	return openTable(t, d, tab)
}

// exchange sends a request and reads the answer as it is.
func (d *door) exchange(t testing.TB, method, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	res, err := d.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func sign(t testing.TB, s verify.Scheme, body string) http.Header {
	t.Helper()
	return signAt(t, s, body, time.Now())
}

func signAt(t testing.TB, s verify.Scheme, body string, at time.Time) http.Header {
	t.Helper()
	r := verify.Request{Method: http.MethodPost, Body: []byte(body)}
	if err := verify.Sign(s, []byte(secret), &r, at, ""); err != nil {
		t.Fatal(err)
	}
	return r.Header
}

const agreed = "the token that was agreed on"

// asking are webhooks of every provider whose question is known.
func asking() []webhook.Spec {
	var specs []webhook.Spec
	for _, provider := range handshake.Providers() {
		questions := handshake.Preset(provider)
		for i := range questions {
			if questions[i].TokenAt != "" {
				questions[i].Token = []byte(agreed)
			}
		}
		specs = append(specs, webhook.Spec{Name: provider, Scheme: partnerScheme(), Secrets: keys(secret), Challenges: questions})
	}
	return append(specs, webhook.Spec{Name: "silent", Scheme: partnerScheme(), Secrets: keys(secret)})
}

func macOf(value string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(value))
	return mac.Sum(nil)
}

// What each provider asks, as its documentation shows it, and what it wants to
// hear. Nothing of it is an event.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	const text, object = "text/plain; charset=utf-8", "application/json"
	q := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "?" + v.Encode()
	}
	subscribe := func(token, challenge string) string {
		return q("hub.mode", "subscribe", "hub.verify_token", token, "hub.challenge", challenge)
	}
	tests := []struct {
		name, method, hook, query, body string
		header                          http.Header
		signed                          bool
		status                          int
		contentType, answer             string
	}{
		{name: "slack", method: "POST", hook: "slack", signed: true, body: `{"token":"x","challenge":"3eZbrw1aBm2r","type":"url_verification"}`, status: 200, contentType: text, answer: "3eZbrw1aBm2r"},
		{name: "slack unsigned", method: "POST", hook: "slack", body: `{"challenge":"3eZbrw1aBm2r","type":"url_verification"}`, status: 401},
		{name: "slack, too long", method: "POST", hook: "slack", signed: true, body: `{"type":"url_verification","challenge":"` + strings.Repeat("x", 1025) + `"}`, status: 400},
		{name: "slack, not printable", method: "POST", hook: "slack", signed: true, body: `{"type":"url_verification","challenge":"a\r\nb"}`, status: 400},
		{name: "slack, markup stays text", method: "POST", hook: "slack", signed: true, body: `{"type":"url_verification","challenge":"<script>"}`, status: 200, contentType: text, answer: "<script>"},
		{name: "slack, no challenge", method: "POST", hook: "slack", signed: true, body: `{"type":"url_verification"}`, status: 202},
		{name: "slack, an event", method: "POST", hook: "slack", signed: true, body: `{"type":"event_callback"}`, status: 202},
		{name: "discord interaction", method: "POST", hook: "discord", signed: true, body: `{"id":"1","type":1,"version":1}`, status: 200, contentType: object, answer: `{"type":1}`},
		{name: "discord event ping", method: "POST", hook: "discord", signed: true, body: `{"version":1,"application_id":"1","type":0}`, status: 204},
		{name: "discord unsigned", method: "POST", hook: "discord", body: `{"type":1}`, status: 401},
		{name: "discord event", method: "POST", hook: "discord", signed: true, body: `{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}`, status: 202},
		{name: "discord command", method: "POST", hook: "discord", signed: true, body: `{"id":"1","type":2}`, status: 202},
		{name: "zoom", method: "POST", hook: "zoom", signed: true, body: `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}`, status: 200, contentType: object, answer: `{"encryptedToken":"` + hex.EncodeToString(macOf("qgg8vlvZRS6UYooatFL8Aw")) + `","plainToken":"qgg8vlvZRS6UYooatFL8Aw"}`},
		{name: "zoom unsigned", method: "POST", hook: "zoom", body: `{"event":"endpoint.url_validation","payload":{"plainToken":"x"}}`, status: 401},
		{name: "twitch", method: "POST", hook: "twitch", signed: true, header: http.Header{"Twitch-Eventsub-Message-Type": {"webhook_callback_verification"}}, body: `{"challenge":"pogchamp-kappa"}`, status: 200, contentType: text, answer: "pogchamp-kappa"},
		{name: "twitch, an event", method: "POST", hook: "twitch", signed: true, header: http.Header{"Twitch-Eventsub-Message-Type": {"notification"}}, body: `{"challenge":"x"}`, status: 202},
		{name: "meta", method: "GET", hook: "meta", query: subscribe(agreed, "1158201444"), status: 200, contentType: text, answer: "1158201444"},
		{name: "meta, another token", method: "GET", hook: "meta", query: subscribe("another token", "1158201444"), status: 401},
		{name: "meta, two tokens", method: "GET", hook: "meta", query: subscribe(agreed, "1") + "&hub.verify_token=x", status: 401},
		{name: "meta, no token", method: "GET", hook: "meta", query: q("hub.mode", "subscribe", "hub.challenge", "1"), status: 401},
		{name: "meta, unsubscribing", method: "GET", hook: "meta", query: q("hub.mode", "unsubscribe", "hub.challenge", "1"), status: 405},
		{name: "meta, an event is signed", method: "POST", hook: "meta", query: subscribe(agreed, "1"), body: `{}`, status: 401},
		{name: "strava", method: "GET", hook: "strava", query: subscribe(agreed, "15f7d1a91c1f40f8a748fd134752feb3"), status: 200, contentType: object, answer: `{"hub.challenge":"15f7d1a91c1f40f8a748fd134752feb3"}`},
		{name: "twitter", method: "GET", hook: "twitter", query: q("crc_token", "NGM5Yjg5ZDI="), status: 200, contentType: object, answer: `{"response_token":"sha256=` + base64.StdEncoding.EncodeToString(macOf("NGM5Yjg5ZDI=")) + `"}`},
		{name: "twitter, a body to be signed", method: "GET", hook: "twitter", query: q("crc_token", `{"forged":true}`), status: 400},
		{name: "twitter, long", method: "GET", hook: "twitter", query: q("crc_token", strings.Repeat("a", 257)), status: 400},
		{name: "dropbox", method: "GET", hook: "dropbox", query: q("challenge", "abc-123"), status: 200, contentType: text, answer: "abc-123"},
		{name: "dropbox, nothing asked", method: "GET", hook: "dropbox", status: 405},
		{name: "okta", method: "GET", hook: "okta", header: http.Header{"X-Okta-Verification-Challenge": {"my verification"}}, status: 200, contentType: object, answer: `{"verification":"my verification"}`},
		{name: "microsoft", method: "POST", hook: "microsoft", query: q("validationToken", "Validation: Testing client"), header: http.Header{"Content-Type": {"text/plain"}}, status: 200, contentType: text, answer: "Validation: Testing client"},
		{name: "event grid", method: "POST", hook: "event-grid", header: http.Header{"Aeg-Event-Type": {"SubscriptionValidation"}}, body: `[{"data":{"validationCode":"512d38b6"}}]`, status: 200, contentType: object, answer: `{"validationResponse":"512d38b6"}`},
		{name: "monday", method: "POST", hook: "monday", body: `{"challenge":"3eZb"}`, status: 200, contentType: object, answer: `{"challenge":"3eZb"}`},
		{name: "trello", method: "HEAD", hook: "trello", status: 200, contentType: text},
		{name: "trello does not GET", method: "GET", hook: "trello", status: 405},
		{name: "nobody asks", method: "GET", hook: "silent", query: q("hub.challenge", "1"), status: 405},
		{name: "nobody asks by POST", method: "POST", hook: "silent", signed: true, body: `{"type":"url_verification","challenge":"x"}`, status: 202},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := doorOf(t, &desk{}, asking()...)
			header := http.Header{"Content-Type": {"application/json"}}
			for name, values := range tt.header {
				header[name] = values
			}
			if tt.signed {
				for name, values := range sign(t, partnerScheme(), tt.body) {
					header[name] = values
				}
			}
			res, answer := d.exchange(t, tt.method, "/webhooks/"+tt.hook+tt.query, tt.body, header)
			if res.StatusCode != tt.status {
				t.Fatalf("got %d %s, want %d", res.StatusCode, answer, tt.status)
			}
			if stored := d.desk.last() != nil; stored != (tt.status == 202) {
				t.Errorf("stored: %v", stored)
			}
			if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", res.Header)
			}
			if tt.contentType != "" && (answer != tt.answer || res.Header.Get("Content-Type") != tt.contentType) {
				t.Errorf("got %s %q, want %s %q", res.Header.Get("Content-Type"), answer, tt.contentType, tt.answer)
			}
			for _, s := range d.table.Status() {
				if want := uint64(0); s.Name == tt.hook && tt.status < 300 && tt.status != 202 {
					if want++; s.Handshakes != want {
						t.Errorf("%d handshakes counted", s.Handshakes)
					}
				}
			}
		})
	}
}

// Twitter signs what anybody asks for: what was signed that way must not pass
// for the signature of an event.
func TestSignedForTheAsking(t *testing.T) {
	t.Parallel()
	scheme := preset("hmac")
	proof := &scheme.Proofs[0]
	proof.Header, proof.Prefix, proof.Encoding = "X-Twitter-Webhooks-Signature", "sha256=", "base64"
	d := doorOf(t, &desk{}, webhook.Spec{Name: "twitter", Scheme: scheme, Secrets: keys(secret), Challenges: handshake.Preset("twitter")})
	for _, body := range []string{"1234567890", "true", "bm8ganNvbg==", ""} {
		header := sign(t, scheme, body)
		header.Set("Content-Type", "text/plain")
		if res, answer := d.exchange(t, "POST", "/webhooks/twitter", body, header); res.StatusCode != 401 {
			t.Errorf("%q: %d %s", body, res.StatusCode, answer)
		}
	}
	if res, answer := d.exchange(t, "POST", "/webhooks/twitter", `{"a":1}`, sign(t, scheme, `{"a":1}`)); res.StatusCode != 202 {
		t.Errorf("an event: %d %s", res.StatusCode, answer)
	}
}

// With several secrets the answer is made with the one that the question was
// signed with; where it is not signed, with the first that has not ended.
func TestHandshakeChoosesTheSecret(t *testing.T) {
	t.Parallel()
	over := verify.Secret{Value: []byte(oldSecret), Until: time.Now().Add(-time.Hour)}
	both := append([]verify.Secret{over}, keys(secret)...)
	d := doorOf(t, &desk{},
		webhook.Spec{Name: "twitter", Scheme: partnerScheme(), Secrets: both, Challenges: handshake.Preset("twitter")},
		webhook.Spec{Name: "zoom", Scheme: partnerScheme(), Secrets: keys(oldSecret, secret), Challenges: handshake.Preset("zoom")})
	if _, answer := d.exchange(t, "GET", "/webhooks/twitter?crc_token=a", "", nil); !strings.Contains(answer, base64.StdEncoding.EncodeToString(macOf("a"))) {
		t.Errorf("an expired secret was used: %s", answer)
	}
	const body = `{"event":"endpoint.url_validation","payload":{"plainToken":"a"}}`
	if _, answer := d.exchange(t, "POST", "/webhooks/zoom", body, sign(t, partnerScheme(), body)); !strings.Contains(answer, hex.EncodeToString(macOf("a"))) {
		t.Errorf("another secret was used: %s", answer)
	}
}

// Questions are let in by the same addresses and at the same rate as events.
func TestHandshakesAreAdmitted(t *testing.T) {
	t.Parallel()
	elsewhere := gate.Networks{netip.MustParsePrefix("203.0.113.0/24")}
	ask := handshake.Preset("dropbox")
	d := doorOf(t, &desk{},
		webhook.Spec{Name: "inside", Scheme: preset("none"), Allow: elsewhere, Challenges: ask, CloudEvents: &webhook.CloudEvents{}},
		webhook.Spec{Name: "slow", Scheme: preset("none"), Rate: gate.Rate{Count: 1, Window: time.Hour, Burst: 1}, Challenges: ask})
	if res, _ := d.exchange(t, "GET", "/webhooks/inside?challenge=a", "", nil); res.StatusCode != 401 {
		t.Errorf("from elsewhere: %d", res.StatusCode)
	}
	if res, _ := d.exchange(t, "OPTIONS", "/webhooks/inside", "", http.Header{"WebHook-Request-Origin": {"a.example"}}); res.StatusCode != 401 {
		t.Errorf("from elsewhere: %d", res.StatusCode)
	}
	first, _ := d.exchange(t, "GET", "/webhooks/slow?challenge=a", "", nil)
	second, _ := d.exchange(t, "GET", "/webhooks/slow?challenge=a", "", nil)
	if first.StatusCode != 200 || second.StatusCode != 429 {
		t.Errorf("%d, then %d", first.StatusCode, second.StatusCode)
	}
}

func TestConsent(t *testing.T) {
	t.Parallel()
	spec := func(name string, ce *webhook.CloudEvents, rate gate.Rate) webhook.Spec {
		return webhook.Spec{Name: name, Scheme: preset("none"), CloudEvents: ce, Rate: rate}
	}
	d := doorOf(t, &desk{},
		spec("any", &webhook.CloudEvents{}, gate.Rate{}), spec("some", &webhook.CloudEvents{Origins: []string{"events.example.com"}}, gate.Rate{}),
		spec("slow", &webhook.CloudEvents{}, gate.Rate{Count: 50, Window: time.Second, Burst: 200}), spec("plain", nil, gate.Rate{}))
	for _, tt := range []struct {
		hook, origin string
		status       int
		granted      string
		rate         string
	}{
		{"any", "eventemitter.example.com", 200, "eventemitter.example.com", "*"},
		{"any", "", 200, "", ""},
		{"any", "two names", 400, "", ""},
		{"any", strings.Repeat("a", 254), 400, "", ""},
		{"some", "Events.Example.com", 200, "Events.Example.com", "*"},
		{"some", "elsewhere.example.com", 403, "", ""},
		{"slow", "a.example", 200, "a.example", "3000"},
		{"plain", "a.example", 405, "", ""},
	} {
		header := http.Header{"WebHook-Request-Rate": {"120"}, "WebHook-Request-Callback": {d.URL + "/called"}}
		if tt.origin != "" {
			header.Set("WebHook-Request-Origin", tt.origin)
		}
		res, answer := d.exchange(t, "OPTIONS", "/webhooks/"+tt.hook, "", header)
		if res.StatusCode != tt.status || res.Header.Get("WebHook-Allowed-Origin") != tt.granted || res.Header.Get("WebHook-Allowed-Rate") != tt.rate {
			t.Errorf("%s %q: %d %v %s", tt.hook, tt.origin, res.StatusCode, res.Header, answer)
		}
		if res.StatusCode == 200 && res.Header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: allow %q", tt.hook, res.Header.Get("Allow"))
		}
	}
	if d.desk.last() != nil {
		t.Error("a question was stored")
	}
}
