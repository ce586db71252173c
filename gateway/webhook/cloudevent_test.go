package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/webhook"
)

func cloudSpecs() []webhook.Spec {
	ce := &webhook.CloudEvents{}
	return []webhook.Spec{
		{Name: "open", Scheme: preset("none"), CloudEvents: ce},
		{Name: "signed", Scheme: partnerScheme(), Secrets: keys(secret), CloudEvents: ce},
		{Name: "renamed", Scheme: preset("none"), CloudEvents: ce, Type: text(`"x." + event.type`), ID: text(`event.extensions.run + "/" + event.id`)},
		{Name: "plain", Scheme: preset("none")},
		{Name: "batches", Scheme: preset("none"), CloudEvents: &webhook.CloudEvents{Batch: 3}, ID: text(`event.extensions.?run.orValue("") + event.id`)},
	}
}

// attributes of an event in binary mode.
func attributes(id string, more ...string) http.Header {
	h := http.Header{"ce-specversion": {"1.0"}, "ce-id": {id}, "ce-source": {"/shop"}, "ce-type": {"order.made"}, "Content-Type": {"application/json"}}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = []string{more[i+1]}
	}
	return h
}

const (
	structuredType = "application/cloudevents+json; charset=UTF-8"
	batchType      = "application/cloudevents-batch+json"
	trace          = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	otherTrace     = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

func envelope(id, data string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/shop","type":"order.made","data":` + data + `}`
}

// What the sender says of its event is what is stored, in either mode.
func TestCloudEventAttributesSurvive(t *testing.T) {
	t.Parallel()
	d := doorOf(t, &desk{}, cloudSpecs()...)
	const all = "id-1 /shop order.made äpfel 2018-04-05 17:31:00 +0000 UTC application/json {\"a\": 1} map[dataschema:https://example.com/s ext:5 traceparent:" + trace + "]"
	show := func() string {
		ev := d.desk.last()
		return fmt.Sprint(ev.ID, " ", ev.Source, " ", ev.Type, " ", ev.Subject, " ", ev.Time, " ", ev.ContentType, " ", string(ev.Body), " ", ev.Extensions)
	}
	h := attributes("id-1", "ce-subject", "%C3%A4pfel", "ce-time", "2018-04-05T17:31:00Z", "ce-ext", "5", "ce-dataschema", "https://example.com/s",
		"ce-traceparent", trace, "traceparent", otherTrace)
	if res, answer := d.exchange(t, "POST", "/webhooks/open", `{"a": 1}`, h); res.StatusCode != 202 || show() != all {
		t.Errorf("binary: %d %s\n%s\n%s", res.StatusCode, answer, show(), all)
	}
	body := strings.TrimSuffix(envelope("id-1", `{"a": 1}`), "}") +
		`,"subject":"äpfel","time":"2018-04-05T17:31:00Z","ext":5,"dataschema":"https://example.com/s"}`
	d = doorOf(t, &desk{}, cloudSpecs()...)
	res, answer := d.exchange(t, "POST", "/webhooks/open", body, http.Header{"Content-Type": {structuredType}, "traceparent": {trace}})
	if res.StatusCode != 202 || show() != all {
		t.Errorf("structured: %d %s\n%s\n%s", res.StatusCode, answer, show(), all)
	}
}

func TestCloudEventAnswers(t *testing.T) {
	t.Parallel()
	header := func(contentType string) http.Header { return http.Header{"Content-Type": {contentType}} }
	without := func(name string) http.Header { h := attributes("1"); delete(h, name); return h }
	for _, tt := range []struct {
		name, hook, body string
		header           http.Header
		status           int
		detail           string
	}{
		{"no data", "open", "", attributes("1"), 202, `"event_id":"1","event_type":"order.made"`},
		{"text", "open", "hello", attributes("1", "Content-Type", "text/plain"), 202, ""},
		{"bytes", "open", "\x00\xff", attributes("1", "Content-Type", "application/avro"), 202, ""},
		{"renamed", "renamed", "{}", attributes("1", "ce-run", "7"), 202, `"event_id":"7/1","event_type":"x.order.made"`},
		{"no CloudEvent", "open", "{}", header("application/json"), 400, "specversion: missing"},
		{"no type", "open", "{}", without("ce-type"), 400, "type: missing"},
		{"not JSON", "open", "{", attributes("1"), 400, "body: not valid JSON"},
		{"structured, not JSON", "open", "{", header(structuredType), 400, "body: not valid JSON"},
		{"an id that is too long", "open", "{}", attributes(strings.Repeat("x", 513)), 400, "id: is longer than"},
		{"our own source", "open", "{}", attributes("1", "ce-source", "/webhooks/github"), 400, "is kept for the gateway"},
		{"our own, exactly", "open", "{}", attributes("1", "ce-source", "/gateway"), 400, "is kept for the gateway"},
		{"nearly our own", "open", "{}", attributes("1", "ce-source", "/gateways"), 202, ""},
		{"XML", "open", "<a/>", header("application/cloudevents+xml"), 415, "only the format JSON"},
		{"a batch nobody asked for", "open", "[]", header("application/cloudevents-batch+json"), 415, "takes no batches"},
		{"a batch", "batches", "[" + envelope("1", "1") + "," + envelope("2", "2") + "]", header(batchType), 202,
			`{"status":"accepted","events":[{"event_id":"1","event_type":"order.made","workflows_triggered":2,"duplicate":false},{"event_id":"2",`},
		{"a batch with one twice", "batches", "[" + envelope("1", "1") + "," + envelope("1", "1") + "]", header(batchType), 202, `"duplicate":true}]}`},
		{"one event where batches are taken", "batches", envelope("1", "1"), header(structuredType), 202, `"event_id":"1"`},
		{"a batch with a wrong event", "batches", "[" + envelope("1", "1") + ",{}]", header(batchType), 400, "event 2 of the batch: cloudevent: specversion: missing"},
		{"a batch with our own source", "batches", "[" + envelope("1", "1") + "," + strings.Replace(envelope("2", "1"), "/shop", "/gateway/x", 1) + "]", header(batchType), 400, "event 2 of the batch: cloudevent: source"},
		{"too many at once", "batches", "[" + strings.Repeat("{},", 3) + "{}]", header(batchType), 400, "a batch of 4 events, at most 3"},
		{"unsigned", "signed", "{}", attributes("1"), 401, ""},
		{"elsewhere a CloudEvent is JSON", "plain", envelope("1", "1"), header(structuredType), 202, `"event_type":"plain"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := doorOf(t, &desk{}, cloudSpecs()...)
			res, answer := d.exchange(t, "POST", "/webhooks/"+tt.hook, tt.body, tt.header)
			if res.StatusCode != tt.status || !strings.Contains(answer, tt.detail) {
				t.Errorf("%d %s, want %d %s", res.StatusCode, answer, tt.status, tt.detail)
			}
			if ev := d.desk.last(); (ev != nil) != (tt.status == 202) {
				t.Errorf("stored: %+v", ev)
			}
		})
	}
}

func TestCloudEventWithoutTime(t *testing.T) {
	t.Parallel()
	d := doorOf(t, &desk{}, cloudSpecs()...)
	d.exchange(t, "POST", "/webhooks/open", "{}", attributes("1"))
	if since := time.Since(d.desk.last().Time); since < 0 || since > time.Minute {
		t.Errorf("received %v ago", since)
	}
}

// Source and id name the event, in whichever mode it comes. Where only the body
// is signed, an id in a header is no proof.
func TestCloudEventRepeated(t *testing.T) {
	t.Parallel()
	envelopeHeader := http.Header{"Content-Type": {structuredType}}
	type sending struct {
		body   string
		header http.Header
		status int
		again  bool
	}
	for name, sendings := range map[string][]sending{
		"open": {
			{"{}", attributes("1"), 202, false}, {"{}", attributes("1"), 202, true}, {"{}", attributes("2"), 202, false},
			{"{}", attributes("1", "ce-source", "/other"), 202, false}, {envelope("1", "{}"), envelopeHeader, 202, true},
			{`{"a":1}`, attributes("1"), 409, false}, {envelope("2", "[]"), envelopeHeader, 409, false},
		},
		"signed": {
			{"{}", attributes("1"), 202, false}, {"{}", attributes("2"), 202, true}, // captured, and sent as another
			{envelope("3", "{}"), envelopeHeader, 202, false}, {envelope("4", "{}"), envelopeHeader, 202, false},
			{envelope("3", "{}"), envelopeHeader, 202, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := doorOf(t, &desk{}, cloudSpecs()...)
			signed := partnerScheme()
			now := time.Now()
			for i, s := range sendings {
				h := s.header.Clone()
				if name == "signed" {
					for header, values := range signAt(t, signed, s.body, now) {
						h[header] = values
					}
				}
				res, answer := d.exchange(t, "POST", "/webhooks/"+name, s.body, h)
				if res.StatusCode != s.status || strings.Contains(answer, `"duplicate":true`) != s.again {
					t.Errorf("%d: %d %s", i, res.StatusCode, answer)
				}
			}
		})
	}
}
