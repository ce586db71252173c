package sender

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/verify"
)

const (
	secretText = "0123456789abcdef0123456789abcdef"
	whsec      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// hooks is a webhook for every scheme.
func hooks(t *testing.T) map[string]config.Webhook {
	t.Helper()
	public, _ := ed25519.NewKeyFromSeed([]byte(secretText)).Public().(ed25519.PublicKey)
	env := map[string]string{"DISCORD": hex.EncodeToString(public), "WHSEC": whsec, "SECRET": secretText}
	text := "version: 1\nwebhooks:\n"
	for _, name := range verify.Presets() {
		from := "SECRET"
		switch name {
		case "none":
			text += "  none: {scheme: none}\n"
			continue
		case "discord":
			from = "DISCORD"
		case "standard-webhooks", "gitlab":
			from = "WHSEC"
		}
		text += "  " + name + ": {scheme: " + name + ", secrets: [\"${env:" + from + "}\"]"
		if name == "hmac" {
			text += ", signature: {header: X-Signature}"
		}
		text += "}\n"
	}
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, problems := config.Load(path, config.Options{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if problems.Failed() {
		t.Fatal(problems.Text())
	}
	return doc.Config.Webhooks
}

// What is made for each scheme is what its verifier takes.
func TestSign(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, hook := range hooks(t) {
		q := Request{URL: "https://hooks.example.com/x", ID: "d-1", Body: []byte(`{"a":1}`), Event: "push"}
		if name == "discord" {
			q.Key = []byte(hex.EncodeToString([]byte(secretText)))
		}
		if _, err := q.Sign(hook, now); err != nil && strings.Contains(err.Error(), "--id") {
			q.ID = ""
		}
		if _, err := q.Sign(hook, now); err != nil { // no header of its says what it is
			q.Event = ""
		}
		r, err := q.Sign(hook, now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		scheme, err := gateway.SchemeOf(hook)
		if err != nil {
			t.Fatal(err)
		}
		var secrets []verify.Secret
		for _, s := range hook.Secrets {
			secrets = append(secrets, verify.Secret{Value: s.Value.Reveal()})
		}
		v, err := verify.New(scheme, secrets)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(r, now); err != nil {
			t.Errorf("%s: %v of %+v", name, err, r)
		}
	}
}

func TestCloudEvents(t *testing.T) {
	t.Parallel()
	hook := hooks(t)["cloudevents"]
	for _, tt := range []struct {
		name string
		q    Request
		want http.Header
	}{
		{"binary", Request{Event: "order.made", ID: "7", Body: []byte(`{}`)}, http.Header{
			"Content-Type": {"application/json"}, "Ce-Type": {"order.made"}, "Ce-Id": {"7"}, "Ce-Specversion": {"1.0"}, "Ce-Source": {"/gateway-send"},
		}},
		{"structured", Request{Body: []byte(`{"specversion":"1.0"}`)}, http.Header{"Content-Type": {"application/cloudevents+json"}}},
		{"batch", Request{Header: http.Header{"Content-Type": {"application/cloudevents-batch+json"}}}, http.Header{"Content-Type": {"application/cloudevents-batch+json"}}},
	} {
		r, err := tt.q.Sign(hook, time.Now())
		if err != nil {
			t.Fatal(tt.name, err)
		}
		r.Header.Del("User-Agent")
		r.Header.Del("Authorization")
		if len(r.Header) != len(tt.want) {
			t.Errorf("%s: %v", tt.name, r.Header)
		}
		for name := range tt.want {
			if r.Header.Get(name) != tt.want.Get(name) {
				t.Errorf("%s: %s is %q", tt.name, name, r.Header.Get(name))
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	all := hooks(t)
	for _, tt := range []struct {
		hook, want string
		mistake    bool
		q          Request
	}{
		{"discord", "--key", false, Request{}},
		{"discord", "is not hex", false, Request{Key: []byte("zz")}},
		{"linear", "must be a JSON object", false, Request{Body: []byte("x")}},
		{"github", "say which event", true, Request{}},
		{"stripe", "no header for --event", true, Request{Event: "x"}},
		{"token", "scheme token has no header for --id", true, Request{ID: "7"}},
		{"none", "the body tells sendings apart", true, Request{ID: "7"}},
		{"cloudevents", "change it there", true, Request{ID: "7", Body: []byte(`{"specversion":"1.0"}`)}},
	} {
		_, err := tt.q.Sign(all[tt.hook], time.Now())
		var mistake Mistake
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, &mistake) != tt.mistake {
			t.Errorf("%s: %v, want %q", tt.hook, err, tt.want)
		}
	}
}
