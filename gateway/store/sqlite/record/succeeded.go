package record

import (
	"bytes"
	"encoding/binary"

	"github.com/event-gateway/gateway/gateway/store"
)

// Succeeded appends a delivery whose first attempt succeeded, as the tables keep it:
// first what it is looked for by. Times are apart from each other and from its id,
// since that makes them short and alike.
func Succeeded(b []byte, d *store.Delivery) []byte {
	b = text(text(b, d.Route), d.Engine)
	b = binary.AppendVarint(binary.AppendVarint(b, d.Seq), d.Seq-d.EventSeq)
	b = optional(text(text(b, d.Workflow), d.Key), d.Input)
	before := Micros(store.TimeOf(d.Seq))
	for _, t := range []int64{Micros(d.Due), Micros(d.Last.Started), Micros(d.Last.Ended)} {
		b, before = binary.AppendVarint(b, t-before), t
	}
	return optional(text(text(text(b, d.RunID), d.Last.Process), d.Last.Message), d.Last.Output)
}

// ReadSucceeded reverses Succeeded. All that it returns is its own.
func ReadSucceeded(b []byte) (*store.Delivery, error) {
	r := reader{b: b}
	d := &store.Delivery{Route: r.text(), Engine: r.text(), State: store.Succeeded, Attempt: 1}
	d.Seq = r.varint()
	d.EventSeq = d.Seq - r.varint()
	d.Workflow, d.Key, d.Input = r.text(), r.text(), bytes.Clone(r.optional())
	due := Micros(store.TimeOf(d.Seq)) + r.varint()
	started := due + r.varint()
	ended := started + r.varint()
	d.Due, d.FirstAttemptAt, d.RunID = Time(due), Time(started), r.text()
	d.Last = store.Attempt{
		Number: 1, Started: Time(started), Ended: Time(ended), Outcome: "succeeded",
		Process: r.text(), Message: r.text(), Output: bytes.Clone(r.optional()),
	}
	return d, r.err
}

// ReadParty reads of what Succeeded made only the route and the engine. They are the
// input's.
func ReadParty(b []byte) (route, engine []byte, err error) {
	r := reader{b: b}
	route, engine = r.blob(), r.blob()
	return route, engine, r.err
}
