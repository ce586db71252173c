package verify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The rules of a verifier, each a test; those that need a request over the
// network are in package webhook (1, 2, 8), those about files in config (7).

// verdict verifies a vector's request after a change.
func verdict(t *testing.T, name string, change func(r *Request), later time.Duration) error {
	t.Helper()
	v := named(t, name)
	r := v.request()
	if change != nil {
		change(r)
	}
	_, err := v.verifier(t).Verify(r, v.now().Add(later))
	return err
}

func set(name, value string) func(*Request) { return func(r *Request) { r.Header.Set(name, value) } }
func del(name string) func(*Request)        { return func(r *Request) { r.Header.Del(name) } }
func also(name, value string) func(*Request) {
	return func(r *Request) { r.Header.Add(name, value) }
}

type refusal struct {
	name, vector string
	change       func(*Request)
	later        time.Duration
	want         error
}

func check(t *testing.T, tests []refusal) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := verdict(t, tt.vector, tt.change, tt.later); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// Exactly one value of each header that is part of the proof; absent is never
// "skip".
func TestRule2OneValueEach(t *testing.T) {
	t.Parallel()
	check(t, []refusal{
		{"no signature", "V1", del("X-Hub-Signature-256"), 0, Missing},
		{"empty signature", "V1", set("X-Hub-Signature-256", ""), 0, Missing},
		{"two signatures", "V1", also("X-Hub-Signature-256", "sha256=00"), 0, Doubled},
		{"no time", "V5", del("Webhook-Timestamp"), 0, Missing},
		{"two times", "V5", also("Webhook-Timestamp", "1614265330"), 0, Doubled},
		{"no id that is signed", "V5", del("Webhook-Id"), 0, Missing},
		{"two ids", "V5", also("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), 0, Doubled},
		{"two times in one header", "V10", set("Stripe-Signature", named(t, "V10").Headers["Stripe-Signature"]+",t=1533204620"), 0, Malformed},
		{"no time in the header", "V10", set("Stripe-Signature", "v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7"), 0, Missing},
		{"two digests in the URL", "V15", func(r *Request) { r.URL += "&bodySHA256=00" }, 0, Doubled},
	})
}

// Times are 1 to 12 plain digits, signed as received, and hold in both
// directions.
func TestRule3Timestamps(t *testing.T) {
	t.Parallel()
	tests := []refusal{
		{"late, on the edge", "V5", nil, 5 * time.Minute, nil},
		{"late", "V5", nil, 5*time.Minute + time.Second, Stale},
		{"early, on the edge", "V12", nil, -5 * time.Minute, nil},
		{"early", "V12", nil, -5*time.Minute - time.Second, Stale},
		{"in the body, on the edge", "V18", nil, time.Minute, nil},
		{"in the body, late", "V18", nil, time.Minute + time.Millisecond, Stale},
		{"in the body, early", "V18", nil, -time.Minute - time.Millisecond, Stale},
		{"beyond what a duration holds", "V5", nil, 1<<63 - 1, Stale},
		{"twelve digits", "V5", set("Webhook-Timestamp", "999999999999"), 0, Mismatch},
	}
	for _, text := range []string{"01614265330", "+1614265330", "-1614265330", " 1614265330", "1614265330 ", "1.6e9", "0x6037B932", "1999999999999", "9223372036854775807", "18446744073709551617", "１６１４２６５３３０"} {
		tests = append(tests, refusal{fmt.Sprintf("%q", text), "V5", set("Webhook-Timestamp", text), 0, Malformed})
	}
	check(t, tests)
}

// Signatures are compared as bytes, of one spelling, with every secret.
func TestRule4StrictDecoding(t *testing.T) {
	t.Parallel()
	const shopify = "X-Shopify-Hmac-Sha256"
	check(t, []refusal{
		{"trailing space", "V17", set(shopify, "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHEc= "), 0, Mismatch},
		{"trailing bytes", "V17", set(shopify, "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHEc=AAAA"), 0, Mismatch},
		{"line end within", "V17", set(shopify, "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHE\n="), 0, Mismatch},
		{"loose last bits", "V17", set(shopify, "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHEd="), 0, Mismatch},
		{"no padding", "V17", set(shopify, "bWcuOVw3KgAnX5DDcrgX0YIN4gTSJxDzZSikcrugHEc"), 0, Mismatch},
		{"31 bytes", "V1", set("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e"), 0, Mismatch},
		{"33 bytes", "V1", set("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1700"), 0, Mismatch},
	})
	old, now := "the first secret of all", "the second secret of all"
	for _, name := range []string{"github", "token"} {
		v, err := New(scheme(name), secrets(old, now, old))
		if err != nil {
			t.Fatal(err)
		}
		for i, secret := range []string{old, now} {
			h, err := signed(scheme(name), secret, "x", time.Unix(1, 0))
			if err != nil {
				t.Fatal(err)
			}
			if r, err := v.Verify(request(h, []byte("x")), time.Unix(1, 0)); err != nil || r.Secret != i {
				t.Errorf("%s, secret %d: %+v, %v", name, i, r, err)
			}
		}
	}
}

// At most ten signatures; other versions are ignored, and never count.
func TestRule5Lists(t *testing.T) {
	t.Parallel()
	const sha1 = "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"
	one := named(t, "V16").Headers["X-Pagerduty-Signature"]
	other := ",v1=" + strings.Repeat("00", 32)
	check(t, []refusal{
		{"ten", "V16", set("X-PagerDuty-Signature", one+strings.Repeat(other, 9)), 0, nil},
		{"eleven", "V16", set("X-PagerDuty-Signature", one+strings.Repeat(other, 10)), 0, Malformed},
		{"eleven that cannot be read", "V16", set("X-PagerDuty-Signature", one+strings.Repeat(",v1=zz", 10)), 0, Malformed},
		{"only another version", "V10", set("Stripe-Signature", "t=1533204620,v2=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7"), 0, Mismatch},
		{"only the test version", "V10", set("Stripe-Signature", "t=1533204620,v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef"), 0, Mismatch},
		{"only sha1, under its own name", "V1", func(r *Request) {
			r.Header.Del("X-Hub-Signature-256")
			r.Header.Set("X-Hub-Signature", sha1)
		}, 0, Missing},
		{"sha1 in place of sha256", "V1", set("X-Hub-Signature-256", sha1), 0, Mismatch},
		{"a public key's signature under the shared secret's version", "V7", set("Webhook-Signature", strings.Replace(named(t, "V7").Headers["Webhook-Signature"], "v1a,", "v1,", 1)), 0, Mismatch},
	})
}

// Nobody can sign with a secret that is not one.
func TestRule6Secrets(t *testing.T) {
	t.Parallel()
	for _, name := range Presets() {
		s := scheme(name)
		if s.None {
			continue
		}
		s.Proofs[0].Header = "X-Signature" // hmac has none
		for _, secret := range []string{"", "sh0rt!", "changeme-changeme-changeme", "xxxxxxxxxxxxxxxxxxxxxxxx", "aaaaaaaaaaaaaaaaaaaaaaaa\n"} {
			if _, err := New(s, secrets("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", secret)); err == nil {
				t.Errorf("%s took %q", name, secret)
			} else if len(secret) > 2 && strings.Contains(err.Error(), secret) {
				t.Errorf("%s quotes its secret: %v", name, err)
			}
		}
		if _, err := New(s, nil); err == nil {
			t.Errorf("%s took no secret at all", name)
		}
	}
}

// Ids that are signed cannot hold what separates them from what follows.
func TestRule9Ids(t *testing.T) {
	t.Parallel()
	var tests []refusal
	for _, id := range []string{"a.b", "a b", "a\x00", "é", "a,b", strings.Repeat("a", 257)} {
		tests = append(tests, refusal{fmt.Sprintf("%.10q", id), "V5", set("Webhook-Id", id), 0, Malformed})
	}
	check(t, tests)
}

// Holes that were found in other people's verifiers.
func TestHoles(t *testing.T) {
	t.Parallel()
	const forged = "2bbcfa9524f3218c7a34b30e6936f8b1a4516cb097f1a85a1c7d98b5977ec769" // with the empty key
	check(t, []refusal{
		{"empty key", "V1", set("X-Hub-Signature-256", "sha256="+forged), 0, Mismatch},
		{"nothing is signed and no secret is set", "V1", func(r *Request) { clear(r.Header) }, 0, Missing},
		{"stripe from the future", "V10", nil, -time.Hour, Stale},
		{"stripe from the far future", "V10", set("Stripe-Signature", strings.Replace(named(t, "V10").Headers["Stripe-Signature"], "1533204620", "999999999999", 1)), 0, Mismatch},
		{"bitbucket's signature is looked at", "V4", set("X-Hub-Signature", "sha256="+strings.Repeat("0", 64)), 0, Mismatch},
		{"bitbucket without", "V4", del("X-Hub-Signature"), 0, Missing},
		{"a form that says it is something else", "V14", set("Content-Type", "application/json"), 0, Missing},
		{"a form that does not say what it is", "V14", del("Content-Type"), 0, Missing},
		{"json in place of a form", "V14", func(r *Request) {
			r.Header.Set("Content-Type", "application/json")
			r.Body = []byte(`{"CallSid":"x"}`)
		}, 0, Missing},
		{"json whose digest is left out", "V15", func(r *Request) { r.URL, _, _ = strings.Cut(r.URL, "?") }, 0, Missing},
		{"another body under the signed digest", "V15", func(r *Request) { r.Body = []byte(`{}`) }, 0, Mismatch},
		{"a form under the signed digest", "V15", func(r *Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = []byte(`a=b`)
		}, 0, Mismatch},
	})
}

// A verdict never tells what the right signature would have been.
func TestRefusalIsNoOracle(t *testing.T) {
	t.Parallel()
	err := verdict(t, "V13", func(r *Request) { r.Body = append(r.Body, ' ') }, 0)
	if err == nil || err.Error() != "signature: mismatch" {
		t.Errorf("got %v", err)
	}
}

// GitLab's shared token is compared as a whole and in no other place, and is
// nothing to a webhook that has only a signing token.
func TestGitLabTokens(t *testing.T) {
	t.Parallel()
	const token, signing = "a shared token of old", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	verifier := func(values ...string) *Verifier {
		v, err := New(scheme("gitlab"), secrets(values...))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	now := time.Unix(1_800_000_000, 0)
	both, err := signed(scheme("gitlab"), signing, "{}", now)
	if err != nil {
		t.Fatal(err)
	}
	both.Set("X-Gitlab-Token", "a wrong token of today")
	old := http.Header{"X-Gitlab-Token": {token}}
	for _, tt := range []struct {
		name   string
		v      *Verifier
		header http.Header
		secret int
		want   error
	}{
		{"token", verifier(token), old, 0, nil},
		{"token, both configured", verifier(signing, token), old, 1, nil},
		{"token, only the other configured", verifier(signing), old, 0, Missing},
		{"signed, both configured", verifier(token, signing), both, 1, nil},
		{"signed, only the other configured", verifier(token), both, 0, Mismatch},
		{"part of the token", verifier(token), http.Header{"X-Gitlab-Token": {token[:10]}}, 0, Mismatch},
		{"the signing token, sent", verifier(signing), http.Header{"X-Gitlab-Token": {signing}}, 0, Missing},
		{"two tokens", verifier(token), http.Header{"X-Gitlab-Token": {token, token}}, 0, Doubled},
	} {
		r, err := tt.v.Verify(request(tt.header, []byte("{}")), now)
		if !errors.Is(err, tt.want) || r.Secret != tt.secret {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	const token = "a token for cloud events"
	v, err := New(scheme("cloudevents"), secrets(token))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]error{
		"Bearer " + token: nil, "bearer " + token: nil, token: Malformed, "Basic " + token: Malformed, "Bearer": Malformed,
		"Bearer ": Mismatch, "Bearer  " + token: Mismatch, "Bearer " + token + " ": Mismatch, "": Missing,
	} {
		if _, err := v.Verify(request(http.Header{"Authorization": {header}}, nil), time.Now()); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", header, err, want)
		}
	}
}
