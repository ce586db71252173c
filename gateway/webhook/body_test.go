package webhook_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/webhook"
	"github.com/event-gateway/gateway/gateway/webhook/schema"
)

// Every kind of body is kept to the byte, and read as what it says it is.
func TestBodies(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	const form = "application/x-www-form-urlencoded"
	push := `{"ref":"refs/heads/main","commits":[{"message":"50% & more + ü"}]}`
	for _, tt := range []struct {
		name, contentType, body string
		data                    any
	}{
		{"object", "application/json", "{\r\n \"a\" : 1.50 }\n", object{"a": json.Number("1.50")}},
		{"list", "application/json", `[1, "x"]`, []any{json.Number("1"), "x"}},
		{"text of JSON", "application/json", `"x"`, "x"},
		{"number", "application/json; charset=utf-8", "-0.0e1", json.Number("-0.0e1")},
		{"null", "application/json", "null", nil},
		{"JSON with invalid UTF-8", "application/json", "\"a\xff\"", "a\uFFFD"},
		{"a suffix", "application/vnd.acme.v1+json", "{}", object{}},
		{"no type", "", `{"a":true}`, object{"a": true}},
		{"nothing", "application/json", "", nil},
		{"GitHub's form", form, "payload=" + url.QueryEscape(push), object{"ref": "refs/heads/main", "commits": []any{object{"message": "50% & more + ü"}}}},
		{"Slack's command", form, "token=x&command=%2Fdeploy&text=prod+now&response_url=https%3A%2F%2Fhooks.slack.com%2Fx", object{"token": "x", "command": "/deploy", "text": "prod now", "response_url": "https://hooks.slack.com/x"}},
		{"Slack's button", form, "payload=%7B%22type%22%3A%22block_actions%22%7D", object{"type": "block_actions"}},
		{"Twilio's message", form, "ToCountry=US&Body=Ahoy%21+%F0%9F%91%8B&From=%2B14158675309&MediaUrl0=", object{"ToCountry": "US", "Body": "Ahoy! 👋", "From": "+14158675309", "MediaUrl0": ""}},
		{"text", "text/plain", "\ufeffa\r\nb\x00c", "\ufeffa\r\nb\x00c"},
		{"text that is none", "text/plain; charset=latin1", "caf\xe9", "caf\uFFFD"},
		{"XML", "application/xml", "<a>1</a>", "<a>1</a>"},
		{"CSV", "text/csv", "a,b\r\n1,2\r\n", "a,b\r\n1,2\r\n"},
		{"bytes", "application/octet-stream", "\x00\x01\xfe\xff", "\x00\x01\uFFFD"},
		{"a picture", "image/png", "\x89PNG\r\n\x1a\n", "\uFFFDPNG\r\n\x1a\n"},
		{"protobuf", "application/x-protobuf", "\x08\x96\x01", "\x08\uFFFD\x01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, &desk{})
			github := preset("github")
			header := http.Header{"X-Github-Event": {"push"}}
			if tt.contentType != "" {
				header["Content-Type"] = []string{tt.contentType}
			}
			status, _, answer := d.send(t, request{path: "/webhooks/github_push", body: tt.body, signed: &github, id: "d-1", header: header, chunked: len(tt.name)%2 == 0})
			if status != 202 || answer["event_type"] != "github.push" {
				t.Fatalf("%d %v", status, answer)
			}
			ev := d.desk.last()
			data, err := ev.Data()
			if string(ev.Body) != tt.body || ev.ContentType != tt.contentType || err != nil || !reflect.DeepEqual(data, tt.data) {
				t.Errorf("%q %q %#v %v", ev.ContentType, ev.Body, data, err)
			}
		})
	}
}

func orders(t *testing.T, mark bool) []webhook.Spec {
	t.Helper()
	compiled, err := schema.Compile([]byte(`{"type":"object","required":["kind"],"properties":{"kind":{"enum":["order"]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	spec := webhook.Spec{Name: "orders", Scheme: preset("none"), Schema: compiled, MarkInvalid: mark}
	ce := spec
	ce.Name, ce.CloudEvents = "cloud", &webhook.CloudEvents{}
	return []webhook.Spec{spec, ce}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	const fault = `/: missing property 'kind'`
	for _, tt := range []struct {
		name, hook, body, contentType string
		mark                          bool
		status                        int
		said                          string
	}{
		{"as it should be", "orders", `{"kind":"order"}`, "application/json", false, 202, ""},
		{"rejected", "orders", `{}`, "application/json", false, 422, fault},
		{"a form", "orders", `kind=order`, "application/x-www-form-urlencoded", false, 202, ""},
		{"a form, rejected", "orders", `kind=other`, "application/x-www-form-urlencoded", false, 422, "/kind: value must be 'order'"},
		{"text, rejected", "orders", `hello`, "text/plain", false, 422, "/: got string, want object"},
		{"not even JSON", "orders", `{`, "application/json", true, 400, "body: not valid JSON"},
		{"accepted and not marked", "orders", `{"kind":"order"}`, "application/json", true, 202, ""},
		{"accepted and marked", "orders", `{}`, "application/json", true, 202, fault},
		{"the data of a CloudEvent", "cloud", envelope("1", `{"kind":"order"}`), structuredType, false, 202, ""},
		{"of another, rejected", "cloud", envelope("1", `{}`), structuredType, false, 422, fault},
		{"of another, marked", "cloud", envelope("1", `{}`), structuredType, true, 202, fault},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := doorOf(t, &desk{}, orders(t, tt.mark)...)
			res, answer := d.exchange(t, "POST", "/webhooks/"+tt.hook, tt.body, http.Header{"Content-Type": {tt.contentType}})
			if res.StatusCode != tt.status {
				t.Fatalf("%d %s", res.StatusCode, answer)
			}
			ev := d.desk.last()
			if ev == nil {
				ev = &event.Event{Extensions: map[string]string{"schemaerror": answer}}
			} else if tt.status != 202 || tt.said != "" && ev.Extensions["schemaerror"] != tt.said {
				t.Errorf("stored with %v", ev.Extensions)
			}
			if !strings.Contains(ev.Extensions["schemaerror"], tt.said) || tt.said == "" && len(ev.Extensions) > 0 {
				t.Errorf("said %v, want %s", ev.Extensions, tt.said)
			}
			s := d.status(tt.hook)
			if (s.Rejected["schema"] == 1) != (tt.status == 422) || (s.Marked == 1) != (tt.status == 202 && tt.said != "") {
				t.Errorf("counted %+v", s)
			}
		})
	}
}

// A sender has no say in what the schema says of its data.
func TestSchemaMarkIsOurs(t *testing.T) {
	t.Parallel()
	d := doorOf(t, &desk{}, orders(t, true)...)
	d.exchange(t, "POST", "/webhooks/cloud", `{"kind":"order"}`, attributes("1", "ce-schemaerror", "all is lost"))
	if ev := d.desk.last(); ev == nil || len(ev.Extensions) > 0 {
		t.Errorf("%+v", ev)
	}
}

func (d *door) status(name string) webhook.Status {
	for _, s := range d.table.Status() {
		if s.Name == name {
			return s
		}
	}
	return webhook.Status{}
}
