package record

import (
	"encoding/binary"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Stored appends an event as the tables keep it. First comes what its dedupe keys are
// made of again, and then what it is looked for by.
func Stored(b []byte, e *Event) []byte {
	ev := e.Event
	b = append(binary.AppendUvarint(b, uint64(e.Seq)), flag(e.Conflict))
	b = blob(append(b, e.Digest[:]...), e.Keys)
	b = text(text(binary.AppendUvarint(b, uint64(e.Deliveries)), ev.Source), ev.Type)
	b = text(moment(text(text(b, ev.ID), ev.Subject), ev.Time), ev.ContentType)
	b = text(b, e.Revision)
	b = texts(texts(texts(b, ev.Headers), ev.Query), ev.Extensions)
	return append(b, ev.Body...)
}

// ReadStored reverses Stored. The event's body and keys are the input's.
func ReadStored(b []byte) (*Event, error) {
	r := reader{b: b}
	e := r.keys()
	e.Deliveries = int(r.uvarint())
	e.Event = &event.Event{
		Source: r.text(), Type: r.text(), ID: r.text(), Subject: r.text(), Time: r.moment(), ContentType: r.text(),
	}
	e.Revision = r.text()
	e.Event.Headers, e.Event.Query, e.Event.Extensions = r.texts(), r.texts(), r.texts()
	e.Event.Body = r.b
	return &e, r.err
}

// Glance is what lists select events by, at a fraction of the cost of all of it.
type Glance struct {
	Deliveries   int
	Source, Type []byte
}

// ReadGlance reads it of what Stored made. What it returns is the input's.
func ReadGlance(b []byte) (Glance, error) {
	r := reader{b: b}
	r.keys()
	g := Glance{Deliveries: int(r.uvarint()), Source: r.blob(), Type: r.blob()}
	return g, r.err
}

// ReadKeys reads of what Stored made only the id and what tells repetitions.
func ReadKeys(b []byte) (seq int64, digest store.Digest, keys []byte, err error) {
	r := reader{b: b}
	e := r.keys()
	return e.Seq, e.Digest, e.Keys, r.err
}

func (r *reader) keys() (e Event) {
	e.Seq, e.Conflict = int64(r.uvarint()), r.byte() != 0
	copy(e.Digest[:], r.take(len(e.Digest)))
	e.Keys = r.blob()
	return e
}
