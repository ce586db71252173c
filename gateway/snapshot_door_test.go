package gateway

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
)

// The names that the file may have and those that mean something are the same.
func TestEveryProviderIsKnown(t *testing.T) {
	field, _ := reflect.TypeFor[config.Challenge]().FieldByName("Provider")
	if enum := strings.Join(handshake.Providers(), ","); field.Tag.Get("enum") != enum {
		t.Errorf("the file may say %s, known are %s", field.Tag.Get("enum"), enum)
	}
	for _, name := range handshake.Providers() {
		if len(handshake.Preset(name)) == 0 {
			t.Errorf("%s asks nothing", name)
		}
	}
}

// What only compiling finds out is reported at its key all the same.
func TestDoorProblems(t *testing.T) {
	t.Setenv("TEST_SECRET", secret)
	for _, tt := range []struct{ name, webhook, want string }{
		{"token missing", "challenge: meta", "4:16: webhooks.w.challenge.token: is missing"},
		{"token for nothing", `challenge: {provider: slack, token: "${env:TEST_SECRET}"}`, "4:41: webhooks.w.challenge.token: is asked for nowhere"},
		{"place", "challenge: {value: body.challenge}", "4:24: webhooks.w.challenge.value: want a place like"},
		{"place of a match", "challenge: {value: data.x, match: {hub.mode: x}}", "4:50: webhooks.w.challenge.match.hub.mode: want a place like"},
		{"place of a token", `challenge: {value: data.x, token_at: token, token: "${env:TEST_SECRET}"}`, "webhooks.w.challenge.token_at: want a place like"},
		{"anything is it", "challenge: {answer: hello}", "webhooks.w.challenge.match: is missing"},
		{"answer", `challenge: {method: GET, answer: "{challenge}"}`, "webhooks.w.challenge.answer: takes up a challenge"},
		{"no secrets", `challenge: {method: GET, value: query.x, answer: {a: ["{hmac_hex}"]}}`, "webhooks.w.challenge.answer: is signed, but"},
		{"status", "challenge: {value: query.x, status: 302}", "4:41: webhooks.w.challenge.status: want a status"},
	} {
		path := filepath.Join(t.TempDir(), "gateway.yaml")
		text := "version: 1\nwebhooks:\n  w:\n    " + tt.webhook + "\n    scheme: none\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		problems, _ := Validate(path, config.Options{}, 1)
		if !strings.Contains(problems.Text(), tt.want) {
			t.Errorf("%s: want %s:\n%s", tt.name, tt.want, problems.Text())
		}
	}
}

// A schema's mistakes are reported at the key that names it; nothing in it is
// fetched.
func TestSchemaProblems(t *testing.T) {
	for _, tt := range []struct{ name, schema, want string }{
		{"sound", `{"type":"object"}`, ""},
		{"not JSON", "{\n  \"type\": object\n}", "5:13: webhooks.w.schema: partner.json: line 2, column 11: is not JSON"},
		{"empty", "", "5:13: webhooks.w.schema: partner.json: line 1, column 1: is not JSON"},
		{"no such type", `{"properties":{"a":{"type":"strin"}}}`, "5:13: webhooks.w.schema: partner.json: /properties/a/type: "},
		{"a stranger's", `{"$ref":"http://schemas.example.com/a.json"}`, `5:13: webhooks.w.schema: partner.json: refers to "http://schemas.example.com/a.json"`},
		{"a neighbour's", `{"$ref":"other.json"}`, `5:13: webhooks.w.schema: partner.json: refers to "other.json"`},
		{"a file", `{"$ref":"file:///etc/passwd"}`, `5:13: webhooks.w.schema: partner.json: refers to "file:///etc/passwd"`},
		{"nowhere", `{"$ref":"#/$defs/a"}`, "5:13: webhooks.w.schema: partner.json: "},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "gateway.yaml")
		for file, text := range map[string]string{
			path: "version: 1\nwebhooks:\n  w:\n    scheme: none\n    schema: partner.json\n", filepath.Join(dir, "partner.json"): tt.schema,
			filepath.Join(dir, "other.json"): "{}",
		} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		problems, _ := Validate(path, config.Options{}, 1)
		if !strings.Contains(problems.Text(), tt.want) || tt.want == "" && len(problems) > 0 {
			t.Errorf("%s: want %s:\n%s", tt.name, tt.want, problems.Text())
		}
	}
}
