package event

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestGroup(t *testing.T) {
	at := time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC)
	members := []*Event{
		{ID: "1", Source: "/webhooks/a", Type: "push", Time: at, Body: []byte(`{"ref":  "main", "n": 12345678901234567890}`), Headers: map[string]string{"x-a": "1"}},
		{ID: "2", Source: "/api", Type: "form", Time: at, ContentType: "application/x-www-form-urlencoded", Body: []byte("a=1&b=%C3%BC")},
		{ID: "3", Source: "/api", Type: "text", Time: at, ContentType: "text/plain", Body: []byte("\"hi\"\xff")},
		{ID: "4", Source: "/api", Type: "broken", Time: at, Body: []byte(`{"a":`)},
		{ID: "5", Source: "/webhooks/b", Type: "empty", Subject: "s", Time: at.Add(time.Second), Extensions: map[string]string{"traceparent": "00"}},
	}
	g := Group("g", members)
	if g.ID != "g" || g.Source != "/webhooks/b" || g.Type != "empty" || g.Subject != "s" || !g.Time.Equal(at.Add(time.Second)) || g.Extensions["traceparent"] != "00" {
		t.Errorf("group %+v", g)
	}
	if !bytes.Contains(g.Body, members[0].Body) {
		t.Error("JSON is not as it came")
	}
	var got struct{ Events []json.RawMessage }
	if err := json.Unmarshal(g.Body, &got); err != nil || len(got.Events) != len(members) {
		t.Fatalf("%v\n%s", err, g.Body)
	}
	for i, want := range []string{
		`{"id":"1","source":"/webhooks/a","type":"push","time":"2026-11-27T01:02:03Z","headers":{"x-a":"1"},"data":{"ref":  "main", "n": 12345678901234567890}}`,
		`{"id":"2","source":"/api","type":"form","time":"2026-11-27T01:02:03Z","datacontenttype":"application/x-www-form-urlencoded","data":{"a":"1","b":"ü"},"data_base64":"YT0xJmI9JUMzJUJD"}`,
		`{"id":"3","source":"/api","type":"text","time":"2026-11-27T01:02:03Z","datacontenttype":"text/plain","data":"\"hi\"` + "\uFFFD" + `","data_base64":"ImhpIv8="}`,
		`{"id":"4","source":"/api","type":"broken","time":"2026-11-27T01:02:03Z","data_base64":"eyJhIjo="}`,
		`{"id":"5","source":"/webhooks/b","type":"empty","subject":"s","time":"2026-11-27T01:02:04Z","extensions":{"traceparent":"00"},"data":null}`,
	} {
		if string(got.Events[i]) != want {
			t.Errorf("event %d:\n%s, want\n%s", i+1, got.Events[i], want)
		}
	}
	if _, err := g.Data(); err != nil {
		t.Errorf("data: %v", err)
	}
}

// Whatever the bodies are, the group is JSON.
func FuzzGroup(f *testing.F) {
	f.Add("", []byte(`{"a":1}`), []byte(`x`))
	f.Add("text/plain", []byte("\x00\xff"), []byte(`[1,`))
	f.Add("application/x-www-form-urlencoded", []byte("payload=%7B%22a%22%3A%22%3C%22%7D"), []byte("\xef\xbb\xbf{}"))
	f.Fuzz(func(t *testing.T, contentType string, one, two []byte) {
		if len(contentType) > 64 {
			return
		}
		g := Group("g", []*Event{{ContentType: contentType, Body: one}, {Body: two}})
		if !json.Valid(g.Body) {
			t.Errorf("not JSON: %q", g.Body)
		}
	})
}
