// Package record makes cases of events that came: without what must not be kept
// in a repository, and with what the routes make of them now.
package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/event-gateway/gateway/gateway/config/write"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
)

// Clean is an event that may be kept.
type Clean struct {
	Event *script.Event
	// Places are where something was left out.
	Places []string

	fields map[string]any
}

// Redact makes an event one that may be kept.
func Redact(e *script.Event, how Redaction) (*Clean, error) {
	all := map[string]any{"type": e.Type, "source": e.Source}
	for key, text := range map[string]string{"id": e.ID, "subject": e.Subject} {
		if text != "" {
			all[key] = text
		}
	}
	if !e.Time.IsZero() {
		all["time"] = e.Time.UTC().Format(time.RFC3339Nano)
	}
	for key, m := range map[string]map[string]string{"headers": e.Headers, "query": e.Query, "extensions": e.Extensions} {
		if len(m) > 0 {
			all[key] = texts(m)
		}
	}
	if err := body(e, all); err != nil {
		return nil, err
	}
	r := newRedactor(how)
	fields, _ := r.value(nil, all).(map[string]any)
	slices.Sort(r.places)
	out := &Clean{Places: slices.Compact(r.places), fields: fields}
	var err error
	out.Event, err = event(fields)
	return out, err
}

func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = value
	}
	return out
}

// body adds data, where the body is JSON, or else body with its type.
func body(e *script.Event, all map[string]any) error {
	text := e.Bytes()
	media, _, err := mime.ParseMediaType(e.ContentType)
	isJSON := e.ContentType == "" || err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
	if e.ContentType != "" && e.ContentType != "application/json" {
		all["content_type"] = e.ContentType
	}
	switch {
	case len(text) == 0:
		return nil
	case isJSON && json.Valid(text):
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var data any
		if err := d.Decode(&data); err != nil {
			return err
		}
		all["data"] = data
	case !utf8.Valid(text):
		return errors.New("the event's body is not text, so it cannot stand in a file of cases")
	default:
		all["body"] = string(text)
	}
	return nil
}

// event is what a case has, as an event again.
func event(fields map[string]any) (*script.Event, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return script.ParseEvent(text)
}

// Case writes a file of one case: the event, the routes that took it, with
// their inputs and keys.
func (c *Clean) Case(name string, taken []rehearse.Verdict) ([]byte, error) {
	routes := map[string]any{}
	for _, v := range taken {
		if !v.Matched {
			continue
		}
		one := map[string]any{}
		if v.Key != "" {
			one["key"] = v.Key
		}
		if len(v.Input) > 0 {
			d := json.NewDecoder(bytes.NewReader(v.Input))
			d.UseNumber()
			var input any
			if err := d.Decode(&input); err != nil {
				return nil, fmt.Errorf("route %s: input: %w", v.Route, err)
			}
			one["input"] = input
		}
		routes[v.Route] = one
	}
	text, err := write.Entry("cases."+name,
		write.Field{Key: "event", Value: c.fields},
		write.Field{Key: "expect", Value: map[string]any{"routes": routes}})
	return append([]byte("# Recorded by gateway test --record.\n"), text...), err
}
