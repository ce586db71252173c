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
	"strconv"
	"strings"
	"testing"
	"time"
)

// Schemes that are not presets, to show that the vocabulary reaches them.
var (
	twitch = only(Proof{
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

func plainHex() Scheme { return only(hexOverBody("X-Webhook-Signature", "")) }

func only(p Proof) Scheme { return Scheme{Proofs: []Proof{p}} }

func secrets(values ...string) []Secret {
	var out []Secret
	for _, value := range values {
		out = append(out, Secret{Value: []byte(value)})
	}
	return out
}

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

func TestSecretThatEnds(t *testing.T) {
	t.Parallel()
	end := time.Unix(1_800_000_000, 0)
	for name, s := range map[string]Scheme{"hmac": plainHex(), "token": scheme("token"), "discord": scheme("discord")} {
		sender, receiver := pair(name)
		v, err := New(s, []Secret{{Value: []byte(receiver), Until: end}, {Value: []byte("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")}})
		if err != nil {
			t.Fatal(err)
		}
		h, err := signed(s, sender, "x", end)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := v.Verify(request(h, []byte("x")), end.Add(-time.Second)); err != nil || r.Secret != 0 {
			t.Errorf("%s, before: %+v, %v", name, r, err)
		}
		if _, err := v.Verify(request(h, []byte("x")), end); err != Mismatch {
			t.Errorf("%s, after: %v", name, err)
		}
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
			_, err := New(tt.scheme, secrets(tt.secrets...))
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
	v, err := New(plainHex(), []Secret{secret})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(secret)
	printed := fmt.Sprintf("%v %+v %#v %s %v %s %+v", secret, secret, secret, secret, []any{&secret}, text, v)
	if strings.Contains(printed, "canary") || strings.Contains(printed, fmt.Sprint([]byte("canary"))[1:20]) {
		t.Error(printed)
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
		h := v.request().Header
		f.Add(h.Get(v.prover(f).Header), h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), v.Body)
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
