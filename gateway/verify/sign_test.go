package verify

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

const (
	anySecret = "0123456789abcdef01234567"
	formType  = "application/x-www-form-urlencoded"
)

// keyPair is the private and the public key of a seed.
func keyPair() (private ed25519.PrivateKey, public ed25519.PublicKey) {
	key := ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	return key, key.Public().(ed25519.PublicKey)
}

// pair is what a sender signs with and what a receiver has of it.
func pair(name string) (sender, receiver string) {
	private, public := keyPair()
	switch name {
	case "discord":
		return hex.EncodeToString(private.Seed()), hex.EncodeToString(public)
	case "standard-webhooks", "gitlab":
		secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(anySecret))
		return secret, secret
	}
	return anySecret, anySecret
}

// What is signed under a scheme is accepted under it, whatever the body; with a
// byte changed it is not.
func TestSignRoundTrip(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_770_000_000_123)
	schemes := map[string]Scheme{"plain hex": plainHex(), "twitch": twitch, "millis": millis, "sha1": old}
	for _, name := range Presets() {
		if schemes[name] = scheme(name); name == "hmac" {
			delete(schemes, name) // plain hex, but for the header
		}
	}
	for name, s := range schemes {
		sender, receiver := pair(name)
		for _, body := range []struct{ text, kind string }{
			{`{"a":1}`, "application/json"}, {` { } `, "application/json"}, {`{"webhookTimestamp":1,"b":2}`, "application/json"},
			{"b=2&a=%20x&a=1&a=1", formType}, {"", ""}, {"\xff\x00", "application/octet-stream"},
		} {
			r := &Request{Method: "POST", URL: "https://example.com/x?y=z", Header: map[string][]string{"Content-Type": {body.kind}}, Body: []byte(body.text)}
			err := Sign(s, []byte(sender), r, now, "id-1")
			if name == "linear" && !strings.HasPrefix(strings.TrimSpace(body.text), "{") {
				if err == nil {
					t.Errorf("linear: signed %q, which has no place for the time", body.text)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s, %q: %v", name, body.text, err)
			}
			if !s.None {
				checkSigned(t, name, s, receiver, r, now)
			}
		}
	}
}

func checkSigned(t *testing.T, name string, s Scheme, secret string, r *Request, now time.Time) {
	t.Helper()
	v, err := New(s, secrets(secret))
	if err != nil {
		t.Fatal(name, err)
	}
	result, err := v.Verify(r, now.Add(30*time.Second))
	if err != nil || (s.Proofs[0].ID != "") != (result.ID == "id-1") {
		t.Errorf("%s: %+v, %v from %+v", name, result, err, r)
	}
	if s.Proofs[0].Method == Token {
		return
	}
	if r.Body = append(r.Body, '!'); len(r.Body) == 1 {
		r.Header.Set("Content-Type", formType)
	}
	if _, err := v.Verify(r, now); err == nil {
		t.Errorf("%s: accepted %q, which was not signed", name, r.Body)
	}
}

// A private key of Standard Webhooks says so itself, and is for senders only.
func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	private, public := keyPair()
	s := scheme("standard-webhooks")
	text := func(prefix string, key []byte) []byte { return []byte(prefix + base64.StdEncoding.EncodeToString(key)) }
	for _, key := range [][]byte{private, private[:ed25519.SeedSize]} {
		r := &Request{Body: []byte("x")}
		if err := Sign(s, text("whsk_", key), r, time.Unix(1, 0), "a"); err != nil {
			t.Fatal(err)
		}
		v, err := New(s, []Secret{{Value: text("whpk_", public)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(r, time.Unix(1, 0)); err != nil || !strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1a,") {
			t.Errorf("%v: %v", r.Header, err)
		}
	}
	if _, err := New(s, []Secret{{Value: text("whsk_", private)}}); err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("private key as a secret: %v", err)
	}
	if _, err := New(s, []Secret{{Value: text("whpk_", public[1:])}}); err == nil || !strings.Contains(err.Error(), "public key of 32 bytes") {
		t.Errorf("short public key: %v", err)
	}
	if err := Sign(s, text("whsk_", private[:8]), &Request{}, time.Unix(1, 0), ""); err == nil {
		t.Error("signed with 8 bytes")
	}
	discord := scheme("discord")
	if !s.Public(text("whpk_", public)) || s.Public([]byte("whsec_AAAA")) || !discord.Public([]byte("00")) {
		t.Error("public keys are not told from secrets")
	}
}

func TestOtherPort(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://a.example/x?y": "https://a.example:443/x?y", "http://a.example/": "http://a.example:80/", "https://a.example": "https://a.example:443",
		"https://a.example:443/x": "https://a.example/x", "https://a.example:8443?y=:1": "https://a.example?y=:1",
		"https://[::1]/x": "https://[::1]:443/x", "https://[::1]:8443/x": "https://[::1]/x", "": "://",
	} {
		if got := otherPort(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestSortedForm(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"": "", "b=2&a=1": "a1b2", "a=2&a=1&a=2": "a1a2", "A=1&a=2&B=3": "A1B3a2", "a=%2B1+2": "a+1 2", "a": "a", "a=b=c": "ab=c",
	} {
		if got, ok := sortedForm([]byte(body)); !ok || string(got) != want {
			t.Errorf("%q: %q, %t", body, got, ok)
		}
	}
	for _, body := range []string{"a=%", "a;b", strings.Repeat("a&", maxFields)} {
		if _, ok := sortedForm([]byte(body)); ok {
			t.Errorf("%.20q is a form", body)
		}
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, path, want string }{
		{`{"a":1}`, "a", "1"}, {` {"b": {"a" : "x" }, "a":2} `, "b.a", `"x"`}, {`{"a":1,"a":[2]}`, "a", "[2]"},
		{`{"a":1}`, "b", ""}, {`{"a":1}`, "a.b", ""}, {`[1]`, "a", ""}, {`{"a":`, "a", ""}, {``, "a", ""}, {`null`, "a", ""},
	} {
		begin, end, ok := field([]byte(tt.text), tt.path)
		if got := tt.text[begin:end]; ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%s in %s: %q, %t", tt.path, tt.text, got, ok)
		}
	}
	for text, want := range map[string]string{
		`{}`: `{"t":7}`, ` { "a":1}`: ` {"t":7, "a":1}`, `{"a":1,"t":2}`: `{"a":1,"t":7}`, `[]`: "", `null`: "", `x`: "",
	} {
		if got, ok := setField([]byte(text), "t", "7"); string(got) != want || ok != (want != "") {
			t.Errorf("%s: %s, %t", text, got, ok)
		}
	}
}

// FuzzField: what is found is a value of the text, and can be changed.
func FuzzField(f *testing.F) {
	for _, text := range []string{`{"a":1}`, ` {"b": {"a" : "x" }, "a":2} `, `{"a":{"a":[{}]}}`, `{"a":`} {
		f.Add([]byte(text), "a")
		f.Add([]byte(text), "b.a")
	}
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		begin, end, ok := field(text, path)
		if !ok {
			return
		}
		if begin < 0 || end > len(text) || begin >= end {
			t.Fatalf("%d to %d of %d", begin, end, len(text))
		}
		changed, ok := setField(text, path, "7")
		if !ok {
			t.Fatal("found, not changed")
		}
		if b, e, ok := field(changed, path); !ok || string(changed[b:e]) != "7" {
			t.Fatalf("%q became %q", text, changed)
		}
	})
}

// FuzzForm: the order in which fields come does not matter.
func FuzzForm(f *testing.F) {
	f.Add("a=1", "b=2")
	f.Add("a=%2B", "a=+")
	f.Fuzz(func(t *testing.T, one, other string) {
		ab, ok1 := sortedForm([]byte(one + "&" + other))
		ba, ok2 := sortedForm([]byte(other + "&" + one))
		if ok1 != ok2 || string(ab) != string(ba) {
			t.Fatalf("%q, %t and %q, %t", ab, ok1, ba, ok2)
		}
	})
}
