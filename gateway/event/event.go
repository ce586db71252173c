// Package event is the value that flows through the gateway: an immutable
// fact with CloudEvents 1.0 attributes, the exact bytes its sender sent, and
// their decoded form, made once when somebody first asks for it.
package event

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Event is one thing that happened. Its fields are set before it is shared
// and never changed afterwards; it is passed by pointer.
type Event struct {
	// ID, with Source, names the event. It is the sender's delivery id where
	// there is one, else a digest of what the sender signed.
	ID string
	// Source is a URI reference: /webhooks/<name>, /schedules/<name>, /api or
	// /gateway.
	Source string
	// Type routes the event: github.push, schedule.nightly-report.
	Type string
	// Subject is what in the source it is about; often empty.
	Subject string
	// Time is when the gateway received it, in UTC; a schedule's slot.
	Time time.Time
	// ContentType is the media type of Body with its parameters.
	ContentType string
	// Headers are the request headers that are kept, names in lower case.
	// Never credentials.
	Headers map[string]string
	// Query is the URL's query; the values of a repeated key joined by commas.
	Query map[string]string
	// Extensions are CloudEvents extension attributes, traceparent among them.
	Extensions map[string]string
	// Body is exactly what was sent.
	Body []byte

	decode  sync.Once
	decoded atomic.Bool // data and err are there
	looks   atomic.Int32
	data    any
	err     error
}

// Extend adds an extension attribute while the event is being made.
func (e *Event) Extend(name, value string) {
	if e.Extensions == nil {
		e.Extensions = map[string]string{}
	}
	e.Extensions[name] = value
}

// OwnSource tells sources that are kept for events whose origin the gateway has
// seen to itself. Nobody outside may name an event so: it would pass for one
// with a checked signature.
func OwnSource(source string) bool {
	for _, own := range []string{"/webhooks", "/schedules", "/gateway"} {
		if rest, ok := strings.CutPrefix(source, own); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}
