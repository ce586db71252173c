package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Schemes that are not presets, to show that the vocabulary reaches them.
var (
	plainHex = only(hexOverBody("X-Webhook-Signature", ""))
	twitch   = only(Proof{
		Header: "Twitch-Eventsub-Message-Signature", Prefix: "sha256=", Hash: "sha256", Encoding: "hex",
		Signed: "{id}{timestamp}{body}", ID: "Twitch-Eventsub-Message-Id",
		Timestamp: Timestamp{Header: "Twitch-Eventsub-Message-Timestamp", Unit: "rfc3339", Tolerance: 10 * time.Minute},
	})
	millis = only(Proof{
		Header: "X-Sig", Hash: "sha512", Encoding: "base64url", Signed: "{timestamp}{body}",
		Timestamp: Timestamp{Header: "X-Time", Unit: "ms"},
	})
	old = only(Proof{Header: "X-Hub-Signature", Prefix: "sha1=", Hash: "sha1", Encoding: "hex", Signed: "{body}"})
)

func only(p Proof) Scheme { return Scheme{Proofs: []Proof{p}} }

func request(h http.Header, body []byte) *Request { return &Request{Header: h, Body: body} }

func signed(s Scheme, secret, body string, at time.Time) (http.Header, error) {
	r := Request{Body: []byte(body)}
	err := Sign(s, []byte(secret), &r, at, "id-1")
	return r.Header, err
}

func scheme(name string) Scheme {
	s, ok := Preset(name)
	if !ok {
		panic(name)
	}
	return s
}

// vector is a signature published by the provider, or made with another tool.
type vector struct {
	name    string
	scheme  Scheme
	secrets []string
	body    string
	headers map[string]string
	at      int64
	secret  int
}

const slackForm = `token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c`

const slackJSON = `{"token":"aF5ynEYQH0dFN9imlgcADxDB","team_id":"XXXXXXXXX","api_app_id":"YYYYYYYYY","event":{"type":"app_mention","user":"AAAAAAAAA","text":"<@EEEEEEEEE> hello world","client_msg_id":"477cc591-ch73-a14z-4db8-g0cd76321bec","ts":"1531431954.000073","channel":"TTTTTTTTT","event_ts":"1531431954.000073"},"type":"event_callback","event_id":"TvBP7LRED7","event_time":1531431954,"authed_users":["EEEEEEEEE"]}`

func vectors(t testing.TB) []vector {
	stripeBody, err := os.ReadFile("testdata/stripe-event.json")
	if err != nil {
		t.Fatal(err)
	}
	const everybody = "It's a Secret to Everybody"
	const rotated = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v1,78nXHjpFP0tVJQW5D0SBwmVyyW87BV/rL6MgfM/Bw44="
	const one, two = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	msg := func(id, ts, sig string) map[string]string {
		return map[string]string{"Webhook-Id": id, "Webhook-Timestamp": ts, "Webhook-Signature": sig}
	}
	slackHead := func(ts, sig string) map[string]string {
		return map[string]string{"X-Slack-Request-Timestamp": ts, "X-Slack-Signature": sig}
	}
	return []vector{
		{name: "V1", scheme: scheme("github"), secrets: []string{everybody}, body: "Hello, World!", headers: map[string]string{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		{name: "V2", scheme: scheme("github"), secrets: []string{"mysecret"}, body: `{"foo":"bar"}`, headers: map[string]string{"X-Hub-Signature-256": "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}},
		{name: "V3", scheme: scheme("github"), secrets: []string{"0123456789abcdef"}, body: `{"yo":true}`, headers: map[string]string{"X-Hub-Signature-256": "sha256=b1f8020f5b4cd42042f807dd939015c4a418bc1ff7f604dd55b0a19b5d953d9b"}},
		{name: "V4", scheme: scheme("bitbucket"), secrets: []string{everybody}, body: "Hello World!", headers: map[string]string{"X-Hub-Signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"}},
		{name: "V5", scheme: scheme("standard-webhooks"), secrets: []string{one}, body: `{"test": 2432232314}`, at: 1614265330, headers: msg("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")},
		{name: "V6", scheme: scheme("standard-webhooks"), secrets: []string{two}, body: `{"email":"test@example.com","username":"test_user"}`, at: 1649367553, headers: msg("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=")},
		{name: "V8", scheme: scheme("standard-webhooks"), secrets: []string{one, two}, secret: 1, body: `{"test": 2432232314}`, at: 1614265330, headers: msg("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", rotated)},
		{name: "V9", scheme: scheme("standard-webhooks"), secrets: []string{one}, body: "", at: 1614265330, headers: msg("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=")},
		{name: "V10", scheme: scheme("stripe"), secrets: []string{"webhook_secret"}, body: string(stripeBody), at: 1533204620, headers: map[string]string{"Stripe-Signature": "t=1533204620,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7,v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef"}},
		{name: "V11", scheme: scheme("stripe"), secrets: []string{"whsec_test_secret_rolled", "whsec_test_secret"}, body: `{"id":"evt_1"}`, at: 1700000000, headers: map[string]string{"Stripe-Signature": "t=1700000000,v1=a7496f3d2e2651d96a0d5e90033546d0209d04f229964ab051aa23fb81e4e21a,v1=248a374f50f943a28b0f6ab50faf9a7e7e29b710fa26df9fb1618b9bf8ea9c9a"}},
		{name: "V12", scheme: scheme("slack"), secrets: []string{"8f742231b10e8888abcd99yyyzzz85a5"}, body: slackForm, at: 1531420618, headers: slackHead("1531420618", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503")},
		{name: "V13", scheme: scheme("slack"), secrets: []string{"e6b19c573432dcc6b075501d51b51bb8"}, body: slackJSON, at: 1531431954, headers: slackHead("1531431954", "v0=adada4ed31709aef585c2580ca3267678c6a8eaeb7e0c1aca3ee57b656886b2c")},
		{name: "V16", scheme: scheme("pagerduty"), secrets: []string{"derived-secret-2", "derived-secret"}, body: `{"event":{"id":"E1"}}`, headers: map[string]string{"X-Pagerduty-Signature": "v1=003fd9c4d31734b3a6a44d50f14da42b90484d93ea6878e6f63ad32a55b7ba84,v1=5b07c061b6e5037bb628cb30e344ea0cab5fdc1879793e89e30dd97923de3f47"}},
		{name: "V17", scheme: scheme("shopify"), secrets: []string{"derived-secret"}, body: `{"id":1}`, headers: map[string]string{"X-Shopify-Hmac-Sha256": "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHEc="}},
		{name: "V18", scheme: scheme("linear"), secrets: []string{"derived-secret"}, body: `{"id":1,"webhookTimestamp":1700000000000}`, at: 1700000000, headers: map[string]string{"Linear-Signature": "7365383d26cbeae21f39e9b0fc303a7a3268a85d1ae8f5914df6e40abeeb4a93"}},
		{name: "V20", scheme: plainHex, secrets: []string{everybody}, body: "Hello, World!", headers: map[string]string{"X-Webhook-Signature": "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		{name: "V21", scheme: plainHex, secrets: []string{"Jefe"}, body: "what do ya want for nothing?", headers: map[string]string{"X-Webhook-Signature": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}},
	}
}

// verifier skips the rules for secrets, which published vectors break.
func (v vector) verifier(t testing.TB) *Verifier {
	var secrets []Secret
	for _, s := range v.secrets {
		secrets = append(secrets, Secret{Value: []byte(s)})
	}
	verifier, err := build(v.scheme, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func (v vector) header() http.Header {
	h := http.Header{}
	for name, value := range v.headers {
		h.Set(name, value)
	}
	return h
}

func (v vector) request() *Request { return request(v.header(), []byte(v.body)) }

func (v vector) now() time.Time { return time.Unix(v.at, 0) }

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			r, err := v.verifier(t).Verify(v.request(), v.now())
			if err != nil || r.Secret != v.secret {
				t.Fatalf("got %+v, %v", r, err)
			}
		})
	}
}

// Every single-byte change of the body or a header is refused, and never as
// anything that the sender could tell from another refusal.
func TestMutations(t *testing.T) {
	t.Parallel()
	count := 0
	for _, v := range vectors(t) {
		verifier := v.verifier(t)
		for i := range len(v.body) {
			body := []byte(v.body)
			body[i] ^= 1
			count++
			if _, err := verifier.Verify(request(v.header(), body), v.now()); err != Mismatch {
				t.Fatalf("%s: body byte %d changed: %v", v.name, i, err)
			}
		}
		for name, value := range v.headers {
			for i := range len(value) {
				h := v.header()
				changed := []byte(value)
				changed[i] ^= 2
				h.Set(name, string(changed))
				count++
				if _, err := verifier.Verify(request(h, []byte(v.body)), v.now()); err == nil && !spare(v, verifier, name, i) {
					t.Errorf("%s: %s changed to %q and accepted", v.name, name, changed)
				}
			}
		}
	}
	if count < 2000 {
		t.Errorf("only %d mutations", count)
	}
}

// spare tells whether the byte belongs to an item of the signature's header
// that the request does without.
func spare(v vector, verifier *Verifier, name string, i int) bool {
	value, separator := v.headers[name], v.scheme.Proofs[0].Separator
	if name != http.CanonicalHeaderKey(v.scheme.Proofs[0].Header) || separator == "" {
		return false
	}
	items := strings.Split(value, separator)
	at := strings.Count(value[:i], separator)
	h := v.header()
	h.Set(name, strings.Join(append(items[:at:at], items[at+1:]...), separator))
	_, err := verifier.Verify(request(h, []byte(v.body)), v.now())
	return err == nil
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	all := map[string]vector{}
	for _, v := range vectors(t) {
		all[v.name] = v
	}
	tests := []struct {
		name   string
		vector string
		change func(h http.Header)
		later  time.Duration
		want   error
	}{
		{name: "no signature", vector: "V1", change: func(h http.Header) { h.Del("X-Hub-Signature-256") }, want: Missing},
		{name: "empty signature", vector: "V1", change: func(h http.Header) { h.Set("X-Hub-Signature-256", "") }, want: Missing},
		{name: "two signatures", vector: "V1", change: func(h http.Header) { h.Add("X-Hub-Signature-256", "sha256=00") }, want: Doubled},
		{name: "sha1 only", vector: "V1", change: func(h http.Header) {
			h.Del("X-Hub-Signature-256")
			h.Set("X-Hub-Signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")
		}, want: Missing},
		{name: "sha1 in place of sha256", vector: "V1", change: func(h http.Header) {
			h.Set("X-Hub-Signature-256", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")
		}, want: Mismatch},
		{name: "no prefix", vector: "V1", change: trim("X-Hub-Signature-256", "sha256="), want: Mismatch},
		{name: "trailing space", vector: "V17", change: add("X-Shopify-Hmac-Sha256", " "), want: Mismatch},
		{name: "trailing bytes", vector: "V17", change: add("X-Shopify-Hmac-Sha256", "AAAA"), want: Mismatch},
		{name: "line end within", vector: "V17", change: func(h http.Header) {
			h.Set("X-Shopify-Hmac-Sha256", "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHE\n=")
		}, want: Mismatch},
		{name: "loose base64", vector: "V17", change: func(h http.Header) {
			h.Set("X-Shopify-Hmac-Sha256", "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHEd=")
		}, want: Mismatch},
		{name: "forged with the empty key", vector: "V1", change: func(h http.Header) {
			h.Set("X-Hub-Signature-256", "sha256=2bbcfa9524f3218c7a34b30e6936f8b1a4516cb097f1a85a1c7d98b5977ec769")
		}, want: Mismatch},
		{name: "late within", vector: "V5", later: 5 * time.Minute},
		{name: "late", vector: "V5", later: 5*time.Minute + time.Second, want: Stale},
		{name: "early within", vector: "V12", later: -5 * time.Minute},
		{name: "early", vector: "V12", later: -5*time.Minute - time.Second, want: Stale},
		{name: "stripe from the future", vector: "V10", later: -time.Hour, want: Stale},
		{name: "no time", vector: "V5", change: del("Webhook-Timestamp"), want: Missing},
		{name: "two times", vector: "V5", change: func(h http.Header) { h.Add("Webhook-Timestamp", "1614265330") }, want: Doubled},
		{name: "time with zero", vector: "V5", change: set("Webhook-Timestamp", "01614265330"), want: Malformed},
		{name: "time with plus", vector: "V5", change: set("Webhook-Timestamp", "+1614265330"), want: Malformed},
		{name: "time with space", vector: "V5", change: set("Webhook-Timestamp", " 1614265330"), want: Malformed},
		{name: "time too long", vector: "V5", change: set("Webhook-Timestamp", "9223372036854775807"), want: Malformed},
		{name: "extreme time", vector: "V5", change: set("Webhook-Timestamp", "999999999999"), want: Mismatch},
		{name: "no id that is signed", vector: "V5", change: del("Webhook-Id"), want: Missing},
		{name: "id with a dot", vector: "V5", change: set("Webhook-Id", "a.b"), want: Malformed},
		{name: "long id", vector: "V5", change: set("Webhook-Id", strings.Repeat("a", 257)), want: Malformed},
		{name: "no id that is not signed", vector: "V1"},
		{name: "eleven signatures", vector: "V16", change: func(h http.Header) {
			h.Set("X-PagerDuty-Signature", h.Get("X-PagerDuty-Signature")+strings.Repeat(",v1="+strings.Repeat("00", 32), 9))
		}, want: Malformed},
		{name: "two stripe times", vector: "V10", change: add("Stripe-Signature", ",t=1533204620"), want: Malformed},
		{name: "no stripe time", vector: "V10", change: trim("Stripe-Signature", "t=1533204620,"), want: Missing},
		{name: "only another version", vector: "V10", change: func(h http.Header) {
			h.Set("Stripe-Signature", strings.ReplaceAll(h.Get("Stripe-Signature"), "v1=", "v2="))
		}, want: Mismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := all[tt.vector]
			h := v.header()
			if tt.change != nil {
				tt.change(h)
			}
			_, err := v.verifier(t).Verify(request(h, []byte(v.body)), v.now().Add(tt.later))
			if err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func set(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
func del(name string) func(http.Header)        { return func(h http.Header) { h.Del(name) } }
func add(name, more string) func(http.Header) {
	return func(h http.Header) { h.Set(name, h.Get(name)+more) }
}
func trim(name, prefix string) func(http.Header) {
	return func(h http.Header) { h.Set(name, strings.TrimPrefix(h.Get(name), prefix)) }
}

func TestSecretThatEnds(t *testing.T) {
	t.Parallel()
	end := time.Unix(1_800_000_000, 0)
	v, err := New(plainHex, []Secret{{Value: []byte("the old secret, going"), Until: end}, {Value: []byte("the new secret, staying")}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := signed(plainHex, "the old secret, going", "x", end)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := v.Verify(request(h, []byte("x")), end.Add(-time.Second)); err != nil || r.Secret != 0 {
		t.Errorf("before: %+v, %v", r, err)
	}
	if _, err := v.Verify(request(h, []byte("x")), end); err != Mismatch {
		t.Errorf("after: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := "0123456789abcdef"
	hmacPreset, _ := Preset("hmac")
	tests := []struct {
		name    string
		scheme  Scheme
		secrets []string
		want    string
	}{
		{"none with a secret", Scheme{None: true}, []string{good}, "no use"},
		{"no secret", scheme("github"), nil, "at least one"},
		{"empty secret", scheme("github"), []string{""}, "secret 1: is empty"},
		{"short secret", scheme("github"), []string{good, "0123456789abcde"}, "secret 2: is shorter than 16 bytes"},
		{"short for standard webhooks", scheme("standard-webhooks"), []string{"whsec_" + base64.StdEncoding.EncodeToString([]byte(good))}, "shorter than 24"},
		{"prefix alone", scheme("standard-webhooks"), []string{"whsec_"}, "is empty"},
		{"not base64", scheme("standard-webhooks"), []string{"whsec_!!!!"}, "not base64"},
		{"not hex", with(func(s *Proof) { s.Secret.Encoding = "hex" }), []string{good + "g"}, "not hex"},
		{"encoding of the secret", with(func(s *Proof) { s.Secret.Encoding = "rot13" }), []string{good}, "secret: encoding"},
		{"placeholder", scheme("github"), []string{"change-me-change-me"}, "placeholder"},
		{"one letter", scheme("github"), []string{"xxxxxxxxxxxxxxxxxxxx"}, "placeholder"},
		{"line end", scheme("github"), []string{good + "\n"}, "control character"},
		{"no header", hmacPreset, []string{good}, "header: missing"},
		{"hash", with(func(s *Proof) { s.Hash = "md5" }), []string{good}, "hash"},
		{"encoding", with(func(s *Proof) { s.Encoding = "rot13" }), []string{good}, "encoding"},
		{"no body", with(func(s *Proof) { s.Signed = "{timestamp}" }), []string{good}, "{body}"},
		{"unknown brace", with(func(s *Proof) { s.Signed = "{bod}" }), []string{good}, "braces"},
		{"open brace", with(func(s *Proof) { s.Signed = "{body" }), []string{good}, "braces"},
		{"time not signed", with(func(s *Proof) { s.Timestamp = Timestamp{Header: "X-T", Unit: "s"} }), []string{good}, "timestamp"},
		{"time nowhere", with(func(s *Proof) { s.Signed = "{timestamp}{body}" }), []string{good}, "timestamp"},
		{"time without unit", with(func(s *Proof) { s.Signed = "{timestamp}{body}"; s.Timestamp.Header = "X-T" }), []string{good}, "unit"},
		{"item without separator", with(func(s *Proof) { s.Signed = "{timestamp}{body}"; s.Timestamp = Timestamp{Item: "t=", Unit: "s"} }), []string{good}, "separator"},
		{"id nowhere", with(func(s *Proof) { s.Signed = "{id}{body}" }), []string{good}, "{id}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var secrets []Secret
			for _, s := range tt.secrets {
				secrets = append(secrets, Secret{Value: []byte(s)})
			}
			_, err := New(tt.scheme, secrets)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			for _, s := range tt.secrets {
				if len(s) > 3 && strings.Contains(err.Error(), s) {
					t.Errorf("the error quotes the secret: %v", err)
				}
			}
		})
	}
}

func with(change func(*Proof)) Scheme {
	p := hexOverBody("X-Webhook-Signature", "")
	change(&p)
	return only(p)
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	secret := Secret{Value: []byte("canary-canary-canary")}
	v, err := New(plainHex, []Secret{secret})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(secret)
	printed := fmt.Sprintf("%v %+v %#v %s %v %s %+v", secret, secret, secret, secret, []any{&secret}, text, v)
	if strings.Contains(printed, "canary") || strings.Contains(printed, fmt.Sprint([]byte("canary"))[1:20]) {
		t.Error(printed)
	}
}

func TestSignRoundTrip(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_770_000_000_123)
	secret := []byte("whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567")))
	for i, s := range []Scheme{scheme("github"), scheme("standard-webhooks"), scheme("stripe"), scheme("slack"), scheme("shopify"), scheme("pagerduty"), plainHex, twitch, millis, old} {
		h, err := signed(s, string(secret), `{"a":1}`, now)
		if err != nil {
			t.Fatal(i, err)
		}
		v, err := New(s, []Secret{{Value: secret}})
		if err != nil {
			t.Fatal(i, err)
		}
		r, err := v.Verify(request(h, []byte(`{"a":1}`)), now.Add(time.Minute))
		if err != nil || (s.Proofs[0].ID != "") != (r.ID == "id-1") {
			t.Errorf("%d: %+v, %v from %v", i, r, err, h)
		}
	}
	h, err := signed(Scheme{None: true}, "", "", now)
	if err != nil || len(h) != 0 {
		t.Errorf("none: %v, %v", h, err)
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	s, _ := Preset("none")
	v, err := New(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := v.Verify(&Request{}, time.Time{}); err != nil || r.Secret != -1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, ok := Preset("nonsense"); ok {
		t.Error("a preset named nonsense")
	}
}

// FuzzVerify: whatever the headers are, nothing passes but what an independent
// computation over the same parts finds among the signatures.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors(f) {
		h := v.header()
		f.Add(h.Get(v.scheme.Proofs[0].Header), h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), v.body)
	}
	key := []byte("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	v, err := build(with(func(s *Proof) { *s = standardProof("Webhook"); s.Secret.Encoding = "raw" }), []Secret{{Value: key}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, signature, id, ts, body string) {
		h := http.Header{"Webhook-Signature": {signature}, "Webhook-Id": {id}, "Webhook-Timestamp": {ts}}
		_, err := v.Verify(request(h, []byte(body)), time.Unix(1614265330, 0))
		var reason Reason
		if err != nil {
			if !errors.As(err, &reason) {
				t.Fatalf("%T", err)
			}
			return
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + ts + "." + body))
		if !strings.Contains(signature, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
			t.Fatalf("accepted %q", signature)
		}
		if n, err := strconv.ParseInt(ts, 10, 64); err != nil || n < 1614265330-300 || n > 1614265330+300 {
			t.Fatalf("accepted time %q", ts)
		}
	})
}

func FuzzScheme(f *testing.F) {
	f.Add("X-Sig", "{timestamp}.{body}", "v1=", ",", "t=", "v1=00,t=1")
	f.Add("X-Sig", "{body}", "", "", "", hex.EncodeToString(make([]byte, 32)))
	f.Fuzz(func(t *testing.T, header, signed, prefix, separator, item, value string) {
		s := only(Proof{Header: header, Signed: signed, Prefix: prefix, Separator: separator, Hash: "sha256", Encoding: "hex", Timestamp: Timestamp{Item: item, Unit: "s"}})
		v, err := New(s, []Secret{{Value: []byte("0123456789abcdef")}})
		if err != nil {
			return
		}
		if _, err := v.Verify(request(http.Header{v.provers[0].Header: {value}}, []byte("x")), time.Unix(1, 0)); err == nil {
			t.Fatalf("accepted %q", value)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(strings.Repeat("x", 1024))
	now := time.Unix(1_770_000_000, 0)
	secret := []byte("0123456789abcdef01234567")
	for name, s := range map[string]Scheme{"github": scheme("github"), "slack": scheme("slack"), "stripe": scheme("stripe")} {
		b.Run(name, func(b *testing.B) {
			h, _ := signed(s, string(secret), string(body), now)
			v, err := New(s, []Secret{{Value: secret}})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(request(h, body), now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Line ends, which the standard decoder skips, do not give a signature another
// spelling.
func TestCodecCountsBytes(t *testing.T) {
	t.Parallel()
	c, _ := codecOf("base64url")
	var sum [32]byte
	if text := strings.Repeat("A", 42) + "\n"; c.decode(sum[:], text) {
		t.Errorf("%q decoded", text)
	}
	if text := strings.Repeat("A", 43) + "="; !c.decode(sum[:], text) {
		t.Errorf("%q, with the padding that some add, not decoded", text)
	}
}
