package record

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// SQLite has no checksums of its own: a bit that changes on the disk would be
// served as what was written. So each row has one; zero is a row of a time
// before there were any.

// sum adds up fields, each with its length.
type sum struct {
	crc uint32
	b   []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *sum) ints(list ...int64) {
	for _, n := range list {
		s.b = binary.LittleEndian.AppendUint64(s.b, uint64(n))
	}
}

func (s *sum) texts(list ...string) {
	for _, t := range list {
		s.b = append(binary.AppendUvarint(s.b, uint64(len(t))), t...)
	}
}

func (s *sum) blob(b []byte) {
	s.b = binary.AppendUvarint(s.b, uint64(len(b)))
	s.crc = crc32.Update(crc32.Update(s.crc, castagnoli, s.b), castagnoli, b)
	s.b = s.b[:0]
}

// done is never zero.
func (s *sum) done() int64 {
	if n := int64(int32(crc32.Update(s.crc, castagnoli, s.b))); n != 0 {
		return n
	}
	return 1
}

// Sum is the checksum of an event's row, but for its digest and keys. meta is
// what Meta made of it.
func (e *Event) Sum(meta string) int64 {
	return EventSum(e.Seq, e.Event, meta, e.Revision, e.Deliveries, e.Conflict)
}

// EventSum is Sum of an event's parts.
func EventSum(seq int64, ev *event.Event, meta, revision string, deliveries int, conflict bool) int64 {
	var room [1024]byte
	s := sum{b: room[:0]}
	s.ints(seq, Micros(ev.Time), int64(deliveries), int64(flag(conflict)))
	s.texts(ev.ID, ev.Source, ev.Type, ev.Subject, ev.ContentType, meta, revision)
	s.blob(ev.Body)
	return s.done()
}

// FixedSum is the checksum of what never changes in a delivery's row.
func FixedSum(d *store.Delivery) int64 {
	var room [512]byte
	s := sum{b: room[:0]}
	s.ints(d.Seq, d.EventSeq, int64(flag(d.Gather)))
	s.texts(d.Route, d.Engine, d.Workflow, d.Key)
	s.blob(d.Input)
	return s.done()
}

// StateSum is the checksum of what changes, but for Claimed, which no restart
// believes.
func StateSum(d *store.Delivery) int64 {
	var room [512]byte
	s, a := sum{b: room[:0]}, &d.Last
	s.ints(d.Seq, int64(d.State), Micros(d.Due), int64(d.Attempt), int64(d.Throttled), Micros(d.FirstAttemptAt), Micros(a.Started), Micros(a.Ended))
	s.texts(d.RunID, a.Outcome, a.Message, a.Process)
	s.blob(a.Output)
	return s.done()
}
