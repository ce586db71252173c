package record_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/config/files"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/record"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
)

func redact(t *testing.T, data string, how record.Redaction) (string, []string) {
	t.Helper()
	clean, err := record.Redact(&script.Event{Type: "t", Source: "/api", ID: "1", Data: json.RawMessage(data)}, how)
	if err != nil {
		t.Fatal(err)
	}
	return string(clean.Event.Data), clean.Places
}

func TestRedact(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{`{"ref":"main","n":1,"yes":true,"none":null}`, `{"n":1,"none":null,"ref":"main","yes":true}`},
		{`{"password":"x","api_key":"y","accessToken":"z","empty_token":"","client":{"secret":{"a":"b","n":5}}}`,
			`{"accessToken":"redacted-1","api_key":"redacted-2","client":{"secret":{"a":"redacted-3","n":0}},"empty_token":"","password":"redacted-4"}`},
		{`{"a":"see ghp_0123456789abcdef0123 there","b":"Bearer abc.def-ghi123"}`, `{"a":"see redacted-1 there","b":"redacted-2"}`},
		{`{"jwt":"eyJhbGciOiJI.eyJzdWIiOiIx.sig","aws":"AKIAIOSFODNN7EXAMPLE","stripe":"sk_live_0123456789"}`, `{"aws":"redacted-1","jwt":"redacted-2","stripe":"redacted-3"}`},
		{`{"by":"Mina <mina@tea.example>","again":"mina@tea.example","other":"x@y.example"}`,
			`{"again":"person-1@example.com","by":"Mina \u003cperson-1@example.com\u003e","other":"person-2@example.com"}`},
		{`{"email":"mina@tea.example","home_phone":"+49 1","street":"x"}`, `{"email":"person-1@example.com","home_phone":"redacted-1","street":"redacted-2"}`},
		{`{"card":"4111 1111 1111 1111","order":"4111 1111 1111 1112","n":4111111111111111}`, `{"card":"redacted-1","n":0,"order":"4111 1111 1111 1112"}`},
		{`{"after":"38d8dce4c37b399fb8e735dba48cc5ed4754f7dc","at":1718697600123,"basic":"basic idea"}`, `{"after":"38d8dce4c37b399fb8e735dba48cc5ed4754f7dc","at":1718697600123,"basic":"basic idea"}`},
		{`["a@b.example",["a@b.example"]]`, `["person-1@example.com",["person-1@example.com"]]`},
		{`"a@b.example"`, `"person-1@example.com"`},
	} {
		got, _ := redact(t, test.data, record.Redaction{})
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.data, got, test.want)
		}
	}
}

func TestRedactPaths(t *testing.T) {
	data := `{"customer":{"name":"Mina","since":2020},"items":[{"note":"a","sku":"1"},{"note":"b","sku":"2"}],"mail":"a@b.example"}`
	got, places := redact(t, data, record.Redaction{Paths: []string{"data.customer", "event.data.items.*.note"}, Off: true})
	want := `{"customer":{"name":"redacted-1","since":0},"items":[{"note":"redacted-2","sku":"1"},{"note":"redacted-3","sku":"2"}],"mail":"a@b.example"}`
	if got != want || strings.Join(places, " ") != "data.customer.name data.customer.since data.items.0.note data.items.1.note" {
		t.Errorf("%s %q", got, places)
	}
}

func TestRedactAttributes(t *testing.T) {
	clean, err := record.Redact(&script.Event{
		Type: "t", Source: "/webhooks/x", Subject: "a@b.example", ContentType: "text/plain", Body: "from a@b.example",
		Headers: map[string]string{"x-user-token": "abc", "x-kind": "k"}, Query: map[string]string{"email": "a@b.example"},
	}, record.Redaction{})
	if err != nil {
		t.Fatal(err)
	}
	e := clean.Event
	if e.Subject != "person-1@example.com" || e.Body != "from person-1@example.com" || e.Headers["x-user-token"] != "redacted-1" || e.Headers["x-kind"] != "k" || e.Query["email"] != "person-1@example.com" {
		t.Errorf("%+v", e)
	}
	if _, err := record.Redact(&script.Event{Type: "t", ContentType: "image/png", Body: "\xff\xd8"}, record.Redaction{}); err == nil {
		t.Error("bytes became text")
	}
}

// TestCaseIsRead: what is written is read as the same event, whatever is in it.
func TestCaseIsRead(t *testing.T) {
	data := `{"a":"${env:HOME}","b":"on","c":"010","d":1e400,"e":["!x","# no","a: b","${{ x }}"],"f":"line\nline","g":{"x.y":null}}`
	clean, err := record.Redact(&script.Event{Type: "t", Source: "/api", ID: "1", Data: json.RawMessage(data)}, record.Redaction{Off: true})
	if err != nil {
		t.Fatal(err)
	}
	text, err := clean.Case("t: 1", []rehearse.Verdict{
		{Route: "r", Matched: true, Key: "${k}", Input: []byte(data)}, {Route: "bare", Matched: true}, {Route: "no"},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, problems := script.Load(path, files.NewSet())
	if problems != nil || len(s.Casts) != 1 {
		t.Fatalf("%v in\n%s", problems, text)
	}
	c := s.Casts[0]
	routes := c.Case.Expect.Routes
	if c.Name != "t: 1" || string(c.Given.Data) != string(clean.Event.Data) || len(routes) != 2 || routes["r"].Key != "${k}" {
		t.Errorf("%s\n%s is not\n%s", c.Name, c.Given.Data, clean.Event.Data)
	}
	if again, err := json.Marshal(routes["r"].Input); err != nil || string(again) != string(clean.Event.Data) {
		t.Errorf("input %s, %v", again, err)
	}
}
