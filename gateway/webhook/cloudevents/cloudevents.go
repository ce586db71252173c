// Package cloudevents reads CloudEvents 1.0 out of HTTP requests: one whose
// attributes are headers, one that is all in the body, or a batch. The webhook
// stage uses it on verified requests, in place of making up an event itself;
// what the sender says of its event is kept as it is.
package cloudevents

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/event-gateway/gateway/gateway/event"
)

// ErrFormat: the request says that it is a CloudEvent in a format that is not
// read here.
var ErrFormat = errors.New("cloudevent: only the format JSON is read, in UTF-8")

// Mode is how a request carries its events.
type Mode uint8

// The content modes of the HTTP binding.
const (
	Binary Mode = iota
	Structured
	Batch
)

const (
	mediaPrefix     = "application/cloudevents"
	batchPrefix     = "application/cloudevents-batch"
	structuredMedia = "application/cloudevents+json"
	batchMedia      = "application/cloudevents-batch+json"
)

// ModeOf tells how a request with this content type carries its events. Its
// only error is ErrFormat.
func ModeOf(contentType string) (Mode, error) {
	// A batch's type begins as a single event's does.
	mode, want := Structured, structuredMedia
	switch {
	case hasPrefix(contentType, batchPrefix):
		mode, want = Batch, batchMedia
	case !hasPrefix(contentType, mediaPrefix):
		return Binary, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	if err != nil || media != want || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return mode, ErrFormat
	}
	return mode, nil
}

func hasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// Limits of what is kept beside the data.
const (
	maxAttributes = 64
	maxName       = 64
	maxValue      = 4096
)

// draft is an event whose attributes are being collected.
type draft struct {
	ev      *event.Event
	version string
	count   int
}

func newDraft() *draft { return &draft{ev: &event.Event{}} }

// set keeps one attribute, given as text in its canonical form.
func (d *draft) set(name, value string) error {
	if d.count++; d.count > maxAttributes {
		return fmt.Errorf("cloudevent: more than %d attributes", maxAttributes)
	}
	if !nameOK(name) {
		return fmt.Errorf("cloudevent: %q is not the name of an attribute: lower-case letters and digits, at most %d", shortened(name), maxName)
	}
	if err := checkValue(value); err != nil {
		return fmt.Errorf("cloudevent: %s: %w", name, err)
	}
	switch name {
	case "specversion":
		d.version = value
	case "id":
		d.ev.ID = value
	case "source":
		d.ev.Source = value
	case "type":
		d.ev.Type = value
	case "subject":
		d.ev.Subject = value
	case "datacontenttype":
		d.ev.ContentType = value
	case "time":
		return d.setTime(value)
	default:
		if name == "data" {
			return errors.New("cloudevent: data: is no attribute")
		}
		d.ev.Extend(name, value)
	}
	return nil
}

// setTime keeps microseconds, as the store does: an event is the same before
// and after a restart.
func (d *draft) setTime(value string) error {
	// RFC 3339 lets t and z be small; time.Parse wants capitals.
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(value))
	if at = at.UTC().Truncate(time.Microsecond); err != nil || at.Year() < 1 || at.Year() > 9999 {
		return fmt.Errorf("cloudevent: time: %q is not a time of RFC 3339", shortened(value))
	}
	d.ev.Time = at
	return nil
}

// done checks what the specification demands of every event.
func (d *draft) done() (*event.Event, error) {
	if d.version != "1.0" {
		if d.version == "" {
			return nil, errors.New("cloudevent: specversion: missing")
		}
		return nil, fmt.Errorf("cloudevent: specversion: %q is not 1.0", shortened(d.version))
	}
	for _, required := range []struct{ name, value string }{{"id", d.ev.ID}, {"source", d.ev.Source}, {"type", d.ev.Type}} {
		if required.value == "" {
			return nil, fmt.Errorf("cloudevent: %s: missing", required.name)
		}
	}
	if _, err := url.Parse(d.ev.Source); err != nil {
		return nil, errors.New("cloudevent: source: not a URI reference")
	}
	if schema, given := d.ev.Extensions["dataschema"]; given {
		if u, err := url.Parse(schema); err != nil || !u.IsAbs() {
			return nil, errors.New("cloudevent: dataschema: not an absolute URI")
		}
	}
	if d.ev.ContentType != "" {
		if _, _, err := mime.ParseMediaType(d.ev.ContentType); err != nil {
			return nil, errors.New("cloudevent: datacontenttype: not a media type")
		}
	}
	return d.ev, nil
}

func nameOK(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// checkValue refuses what the specification's type String does not hold. An
// attribute that is there is not empty.
func checkValue(v string) error {
	switch {
	case v == "":
		return errors.New("is empty")
	case len(v) > maxValue:
		return fmt.Errorf("is longer than %d bytes", maxValue)
	case !utf8.ValidString(v):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(v, forbidden):
		return errors.New("holds a control character or what is no character")
	}
	return nil
}

// forbidden are control characters and the code points that Unicode keeps from
// ever being characters.
func forbidden(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe
}

// shortened is a stranger's text for a message.
func shortened(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// headerPrefix as http.Header spells it.
const headerPrefix = "Ce-"

// FromHeaders reads an event in binary mode: its attributes are headers, the
// body is its data.
func FromHeaders(h http.Header, body []byte) (*event.Event, error) {
	d := newDraft()
	for name, values := range h {
		attribute, ours := strings.CutPrefix(name, headerPrefix)
		if !ours {
			continue
		}
		attribute = strings.ToLower(attribute)
		switch {
		case len(values) != 1:
			return nil, fmt.Errorf("cloudevent: %s: is there more than once", shortened(attribute))
		case attribute == "datacontenttype":
			return nil, errors.New("cloudevent: datacontenttype: is said by Content-Type, and by no other header")
		}
		value, err := unescape(values[0])
		if err != nil {
			return nil, fmt.Errorf("cloudevent: %s: %w", shortened(attribute), err)
		}
		if err := d.set(attribute, value); err != nil {
			return nil, err
		}
	}
	d.ev.ContentType, d.ev.Body = h.Get("Content-Type"), body
	return d.done()
}
