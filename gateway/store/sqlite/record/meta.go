package record

import (
	"encoding/json"

	"github.com/event-gateway/gateway/gateway/event"
)

// metadata is what of an event has no column of its own.
type metadata struct {
	Headers    map[string]string `json:"headers,omitempty"`
	Query      map[string]string `json:"query,omitempty"`
	Extensions map[string]string `json:"extensions,omitempty"`
}

// Meta is what of an event has no column of its own, as JSON.
func Meta(ev *event.Event) string {
	if len(ev.Headers)+len(ev.Query)+len(ev.Extensions) == 0 {
		return ""
	}
	b := append(make([]byte, 0, 256), '{')
	b = appendMap(b, `"headers":`, ev.Headers)
	b = appendMap(b, `"query":`, ev.Query)
	b = appendMap(b, `"extensions":`, ev.Extensions)
	return string(append(b, '}'))
}

// appendMap writes a member of a JSON object. encoding/json takes several
// times as long for what every event has.
func appendMap(b []byte, name string, m map[string]string) []byte {
	if len(m) == 0 {
		return b
	}
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, name...), '{')
	for k, v := range m {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendText(append(appendText(b, k), ':'), v)
	}
	return append(b, '}')
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// ReadMeta puts into an event what Meta took from it.
func ReadMeta(text string, ev *event.Event) error {
	if text == "" {
		return nil
	}
	var m metadata
	err := json.Unmarshal([]byte(text), &m)
	ev.Headers, ev.Query, ev.Extensions = m.Headers, m.Query, m.Extensions
	return err
}
