// Package record is what one commit of the embedded store brings, and how the
// journal keeps it: a compact binary form, written on the path of every event
// and read only at a start after a crash; and how the tables keep an event. It
// stands between the store's writer, which logs pages, and what fills the tables
// from them.
package record

import (
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Page is what one commit brings: all of it or nothing. Its parts become rows
// in the order of the fields.
type Page struct {
	Events []Event
	// Deliveries of the events, in the order of their ids. They are copies:
	// dispatch changes the originals.
	Deliveries []store.Delivery
	Slots      []store.Slot
	Changes    []store.Change
}

// Event is an event as the store decided to keep it.
type Event struct {
	store.StoredEvent
	Digest store.Digest
	// Keys are its identity and dedupe keys, one behind the other. A conflict, which
	// is kept as evidence, has none.
	Keys []byte
}

// Reset empties a page to be filled again.
func (p *Page) Reset() {
	clear(p.Events)
	clear(p.Deliveries)
	clear(p.Slots)
	clear(p.Changes)
	p.Events, p.Deliveries, p.Slots, p.Changes = p.Events[:0], p.Deliveries[:0], p.Slots[:0], p.Changes[:0]
}

// Empty tells that there is nothing to log.
func (p *Page) Empty() bool { return len(p.Events)+len(p.Slots)+len(p.Changes) == 0 }

// Event finds an event of the page by its id.
func (p *Page) Event(seq int64) *Event {
	if n := len(p.Events); n == 0 || seq < p.Events[0].Seq || seq > p.Events[n-1].Seq {
		return nil
	}
	for i := range p.Events {
		if p.Events[i].Seq == seq {
			return &p.Events[i]
		}
	}
	return nil
}

// Micros is a time as the store keeps it: Unix microseconds, 0 for none.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the reverse of Micros, in UTC.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
