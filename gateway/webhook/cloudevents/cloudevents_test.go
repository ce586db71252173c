package cloudevents_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/webhook/cloudevents"
)

// minimal are the attributes that every event has, and others.
func minimal(more ...string) http.Header {
	h := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1234-1234-1234"}, "Ce-Source": {"/mycontext/subcontext"}, "Ce-Type": {"com.example.someevent"}}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			delete(h, more[i])
		} else {
			h[more[i]] = []string{more[i+1]}
		}
	}
	return h
}

func TestModeOf(t *testing.T) {
	for contentType, want := range map[string]any{
		"":                             cloudevents.Binary,
		"application/json":             cloudevents.Binary,
		"text/xml":                     cloudevents.Binary,
		"application/cloudevents+json": cloudevents.Structured,
		"Application/CloudEvents+JSON": cloudevents.Structured,
		"application/cloudevents+json; charset=UTF-8":       cloudevents.Structured,
		"application/cloudevents-batch+json; charset=utf-8": cloudevents.Batch,
		"APPLICATION/CLOUDEVENTS-BATCH+JSON":                cloudevents.Batch,
		"application/cloudevents":                           cloudevents.ErrFormat,
		"application/cloudevents+xml":                       cloudevents.ErrFormat,
		"application/cloudevents-batch":                     cloudevents.ErrFormat,
		"application/cloudevents-batch+avro":                cloudevents.ErrFormat,
		"application/cloudevents+json; charset=iso-8859-1":  cloudevents.ErrFormat,
		"application/cloudevents+json; charset":             cloudevents.ErrFormat,
	} {
		mode, err := cloudevents.ModeOf(contentType)
		if err != nil && !errors.Is(want.(error), err) || err == nil && mode != want {
			t.Errorf("%q: %v %v, want %v", contentType, mode, err, want)
		}
	}
}

// The example of section 3.1.4 of the HTTP binding.
func TestBinaryExample(t *testing.T) {
	h := minimal("Ce-Time", "2018-04-05T03:56:24Z", "Ce-Comexampleextension1", "value", "Content-Type", "application/json; charset=utf-8", "Authorization", "canary")
	ev, err := cloudevents.FromHeaders(h, []byte(`{"a": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &event.Event{
		ID: "1234-1234-1234", Source: "/mycontext/subcontext", Type: "com.example.someevent",
		Time: time.Date(2018, 4, 5, 3, 56, 24, 0, time.UTC), ContentType: "application/json; charset=utf-8",
		Extensions: map[string]string{"comexampleextension1": "value"}, Body: []byte(`{"a": 1}`),
	}
	if !reflect.DeepEqual(ev, want) {
		t.Errorf("got  %+v\nwant %+v", ev, want)
	}
}

func TestHeaderValues(t *testing.T) {
	for sent, want := range map[string]string{
		`Euro%20%E2%82%AC%20%F0%9F%98%80`: "Euro € 😀",
		`Euro%20%e2%82%ac%20%f0%9f%98%80`: "Euro € 😀",
		`plain`:                           "plain",
		`%41%42c`:                         "ABc", // not needed, but allowed
		`%2541`:                           "%41", // one round only
		`%25`:                             "%",
		`100%`:                            "100%", // from senders that do not encode
		`50% of%zz%4`:                     "50% of%zz%4",
		`"quoted text"`:                   "quoted text",
		`"a \"b\" \\ c"`:                  `a "b" \ c`,
		`"Euro%20%E2%82%AC"`:              "Euro €",
		`a"b`:                             `a"b`,
		`"`:                               `"`,
		"Euro \xe2\x82\xac":               "Euro €", // bytes as they are
		`%C3%A9`:                          "é",
	} {
		ev, err := cloudevents.FromHeaders(minimal("Ce-Subject", sent), nil)
		if err != nil || ev.Subject != want {
			t.Errorf("%s: %+v %v, want %s", sent, ev, err, want)
		}
	}
}

func TestBinaryRefused(t *testing.T) {
	many := minimal()
	for i := range 61 {
		many[fmt.Sprintf("Ce-X%d", i)] = []string{"1"}
	}
	twice := minimal()
	twice["Ce-Id"] = []string{"a", "a"}
	for name, tt := range map[string]struct {
		header http.Header
		want   string
	}{
		"no version":        {minimal("Ce-Specversion", ""), "specversion: missing"},
		"another version":   {minimal("Ce-Specversion", "0.3"), `specversion: "0.3" is not 1.0`},
		"no id":             {minimal("Ce-Id", ""), "id: missing"},
		"no source":         {minimal("Ce-Source", ""), "source: missing"},
		"no type":           {minimal("Ce-Type", ""), "type: missing"},
		"an empty id":       {http.Header{"Ce-Id": {""}}, "id: is empty"},
		"an empty subject":  {minimal("Ce-Subject", `""`), "subject: is empty"},
		"not a source":      {minimal("Ce-Source", "http://a b/%zz"), "source: not a URI reference"},
		"not a time":        {minimal("Ce-Time", "yesterday"), "time: "},
		"a time at no time": {minimal("Ce-Time", "0000-01-01T00:00:00Z"), "time: "},
		"not a dataschema":  {minimal("Ce-Dataschema", "schema.json"), "dataschema: not an absolute URI"},
		"datacontenttype":   {minimal("Ce-Datacontenttype", "text/plain"), "datacontenttype: is said by Content-Type"},
		"data":              {minimal("Ce-Data", "x"), "data: is no attribute"},
		"a hyphen":          {minimal("Ce-My-Name", "x"), `"my-name" is not the name`},
		"an underscore":     {minimal("Ce-My_name", "x"), "is not the name"},
		"no name":           {minimal("Ce-", "x"), "is not the name"},
		"a long name":       {minimal("Ce-"+strings.Repeat("a", 65), "x"), "is not the name"},
		"overlong encoding": {minimal("Ce-Subject", "%C0%A0"), "subject: is not UTF-8"},
		"half a character":  {minimal("Ce-Subject", "%E2%82"), "subject: is not UTF-8"},
		"a surrogate":       {minimal("Ce-Subject", "%ED%A0%80"), "subject: is not UTF-8"},
		"a line end":        {minimal("Ce-Subject", "a%0D%0Ab"), "subject: holds a control character"},
		"a C1 control":      {minimal("Ce-Subject", "%C2%85"), "subject: holds a control character"},
		"no character":      {minimal("Ce-Subject", "%EF%BF%BF"), "subject: holds a control character"},
		"an open quote":     {minimal("Ce-Subject", `"a\"`), "subject: a quoted text does not end"},
		"a quote inside":    {minimal("Ce-Subject", `"a"b"`), "subject: a quoted text does not end"},
		"a long value":      {minimal("Ce-Subject", strings.Repeat("x", 4097)), "subject: is longer than 4096"},
		"twice":             {twice, "id: is there more than once"},
		"many":              {many, "more than 64 attributes"},
	} {
		if ev, err := cloudevents.FromHeaders(tt.header, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v %v, want %s", name, ev, err, tt.want)
		}
	}
}

// structured is the JSON of an event with what every event has, and more.
func structured(more string) string {
	return `{"specversion":"1.0","id":"1234","source":"/mycontext","type":"com.example.someevent"` + more + `}`
}

func TestStructured(t *testing.T) {
	type texts = map[string]string
	for name, tt := range map[string]struct {
		more, contentType, body string
		extensions              texts
	}{
		"nothing":             {``, "", "", nil},
		"JSON":                {`,"datacontenttype":"application/json","data": { "b":1,  "a" : 1.0 } `, "application/json", `{ "b":1,  "a" : 1.0 }`, nil},
		"JSON by default":     {`,"data":[1]`, "application/json", `[1]`, nil},
		"a suffix":            {`,"datacontenttype":"application/vnd.x+json","data":"x"`, "application/vnd.x+json", `"x"`, nil},
		"a JSON string":       {`,"data":"I'm just a string"`, "application/json", `"I'm just a string"`, nil},
		"null":                {`,"data":null`, "application/json", `null`, nil},
		"false":               {`,"data":false`, "application/json", `false`, nil},
		"XML in a string":     {`,"datacontenttype":"application/xml","data":"<much wow=\"xml\"/>"`, "application/xml", `<much wow="xml"/>`, nil},
		"text, no string":     {`,"datacontenttype":"text/plain","data":{"a":1}`, "text/plain", `{"a":1}`, nil},
		"bytes":               {`,"datacontenttype":"application/vnd.x","data_base64":"AP8K"`, "application/vnd.x", "\x00\xff\n", nil},
		"bytes of no type":    {`,"data_base64":"AP8K"`, "application/octet-stream", "\x00\xff\n", nil},
		"bytes that are JSON": {`,"data_base64":"eyJhIjoxfQ=="`, "application/json", `{"a":1}`, nil},
		"null attributes":     {`,"subject":null,"comexampleextension":null,"data_base64":null,"data":1`, "application/json", `1`, nil},
		"extensions":          {`,"comexampleextension1":"value","comexampleothervalue":5,"neg":-2147483648,"yes":true,"traceparent":"00-x"`, "", "", texts{"comexampleextension1": "value", "comexampleothervalue": "5", "neg": "-2147483648", "yes": "true", "traceparent": "00-x"}},
		"dataschema":          {`,"dataschema":"https://example.com/s.json"`, "", "", texts{"dataschema": "https://example.com/s.json"}},
	} {
		ev, err := cloudevents.FromJSON([]byte(structured(tt.more)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ev.ID != "1234" || ev.Source != "/mycontext" || ev.Type != "com.example.someevent" || ev.ContentType != tt.contentType ||
			string(ev.Body) != tt.body || !reflect.DeepEqual(ev.Extensions, tt.extensions) {
			t.Errorf("%s: %+v %q", name, ev, ev.Body)
		}
	}
}

func TestTimes(t *testing.T) {
	want := time.Date(2018, 4, 5, 17, 31, 0, 123456000, time.UTC)
	for _, text := range []string{"2018-04-05T17:31:00.123456Z", "2018-04-05t17:31:00.1234567z", "2018-04-05T19:31:00.123456+02:00"} {
		ev, err := cloudevents.FromJSON([]byte(structured(`,"time":"` + text + `"`)))
		if err != nil || !ev.Time.Equal(want) || ev.Time.Location() != time.UTC {
			t.Errorf("%s: %+v %v", text, ev, err)
		}
	}
}

func TestStructuredRefused(t *testing.T) {
	for body, want := range map[string]string{
		``:                              "body: is empty",
		`{`:                             "body: not valid JSON",
		`[]`:                            "not a JSON object",
		`null`:                          "not a JSON object",
		`{}`:                            "specversion: missing",
		structured("") + "x":            "body: not valid JSON",
		structured(`,"id":"again"`):     "id: is there more than once",
		structured(`,"subject":1`):      "subject: is not a text",
		structured(`,"subject":true`):   "subject: is not a text",
		structured(`,"subject":""`):     "subject: is empty",
		structured(`,"time":"now"`):     "time: ",
		structured(`,"Upper":"x"`):      "is not the name",
		structured(`,"my_ext":"x"`):     "is not the name",
		structured(`,"a.b":"x"`):        "is not the name",
		structured(`,"":"x"`):           "is not the name",
		structured(`,"ext":{"a":1}`):    "ext: is not a text, a boolean or",
		structured(`,"ext":[1]`):        "ext: is not a text, a boolean or",
		structured(`,"ext":1.5`):        "ext: is not a text, a boolean or",
		structured(`,"ext":2147483648`): "ext: is not a text, a boolean or",
		structured(`,"ext":"\u0000"`):   "control character",
		structured(`,"data":1,"data_base64":"AA=="`):                                 "both data and data_base64",
		structured(`,"data_base64":1`):                                               "data_base64: is not a text",
		structured(`,"data_base64":"?"`):                                             "data_base64: is not base64",
		structured(`,"datacontenttype":"///"`):                                       "datacontenttype: not a media type",
		structured(`,"data":` + strings.Repeat("[", 300) + strings.Repeat("]", 300)): "nested deeper",
	} {
		if ev, err := cloudevents.FromJSON([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %+v %v, want %s", body, ev, err, want)
		}
	}
}

func TestBatch(t *testing.T) {
	one, two := structured(`,"data":1`), strings.Replace(structured(`,"data":2`), "1234", "5678", 1)
	events, err := cloudevents.BatchFromJSON([]byte("["+one+" , "+two+"]"), 2)
	if err != nil || len(events) != 2 || events[0].ID != "1234" || string(events[1].Body) != "2" {
		t.Fatalf("%+v %v", events, err)
	}
	if events, err := cloudevents.BatchFromJSON([]byte(" [ ] "), 2); err != nil || len(events) != 0 {
		t.Errorf("an empty batch: %v %v", events, err)
	}
	for body, want := range map[string]string{
		"":                               "body: is empty",
		one:                              "a batch is a list",
		"null":                           "a batch is a list",
		"[" + one + "," + two + ",1]":    "a batch of 3 events, at most 2",
		"[" + one + ",{}]":               "event 2 of the batch: cloudevent: specversion: missing",
		"[" + one + ",null]":             "event 2 of the batch: cloudevent: is not a JSON object",
		"[" + one + ",[" + two + "]]":    "event 2 of the batch: cloudevent: is not a JSON object",
		"[" + one + "," + two + "]extra": "body: not valid JSON",
	} {
		if _, err := cloudevents.BatchFromJSON([]byte(body), 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", body, err, want)
		}
	}
}

// FuzzStructured: what is read is complete, and its data is JSON where it says
// so.
func FuzzStructured(f *testing.F) {
	for _, more := range []string{``, `,"data":{"a":[1e9,null]}`, `,"data_base64":"AP8K"`, `,"time":"2018-04-05T17:31:00Z","ext":-5`, `,"ext":null,"data":"x","datacontenttype":"text/xml"`, `,"id":"b"`} {
		f.Add([]byte(structured(more)))
		f.Add([]byte("[" + structured(more) + "]"))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := cloudevents.BatchFromJSON(body, 3)
		if ev, single := cloudevents.FromJSON(body); single == nil {
			events, err = append(events, ev), nil
		}
		for _, ev := range events {
			if err != nil {
				break
			}
			if ev.ID == "" || ev.Source == "" || ev.Type == "" {
				t.Fatalf("incomplete: %+v", ev)
			}
			if event.Kind(ev.ContentType) == event.KindJSON && len(ev.Body) > 0 && json.Valid(ev.Body) != (ev.Valid() == nil) {
				t.Fatalf("data %q", ev.Body)
			}
		}
	})
}

// FuzzHeaders: no value of a header is read as what an attribute cannot be.
func FuzzHeaders(f *testing.F) {
	for _, v := range []string{"a", `"a\"b"`, "Euro%20%E2%82%AC", "%C0%A0", "100%", "%", "\xff", `"`, "%25%32%35"} {
		f.Add("Subject", v)
		f.Add("ext1", v)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		h := minimal()
		h[http.CanonicalHeaderKey("ce-"+name)] = []string{value}
		ev, err := cloudevents.FromHeaders(h, nil)
		if err != nil {
			return
		}
		for _, v := range append([]string{ev.ID, ev.Source, ev.Type, ev.Subject}, values(ev.Extensions)...) {
			if strings.ContainsFunc(v, func(r rune) bool {
				return r < ' ' || r == 0x7f || r == '\uFFFD' && !strings.Contains(value, "\uFFFD") && !strings.Contains(strings.ToUpper(value), "%EF%BF%BD") && !strings.Contains(value, "\xef\xbf\xbd")
			}) {
				t.Fatalf("%q became %q", value, v)
			}
		}
	})
}

func values(m map[string]string) (all []string) {
	for k, v := range m {
		all = append(all, k, v)
	}
	return all
}
