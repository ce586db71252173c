package record

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/event-gateway/gateway/gateway/store"
)

// SQLite has no checksums of its own: a bit that changes on the disk would be
// served as what was written. So each row has one; zero is a row of a time
// before there were any.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Summer makes checksums of rows. It is for one goroutine, and keeps its room.
type Summer struct{ room []byte }

// of is the checksum of a row's fields and its one large value. It is never
// zero.
func (s *Summer) of(fields, large []byte) int64 {
	s.room = fields
	crc := crc32.Update(crc32.Update(0, castagnoli, fields), castagnoli, large)
	if n := int64(int32(crc)); n != 0 {
		return n
	}
	return 1
}

func numbers(b []byte, list ...int64) []byte {
	for _, n := range list {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// Event is the checksum of an event where it was a row, but for its digest and keys.
// meta is the text that its row had.
func (s *Summer) Event(e *store.StoredEvent, meta string) int64 {
	ev := e.Event
	b := numbers(s.room[:0], e.Seq, Micros(ev.Time), int64(e.Deliveries), int64(flag(e.Conflict)), int64(len(ev.Body)))
	b = text(text(text(text(b, ev.ID), ev.Source), ev.Type), ev.Subject)
	return s.of(text(text(text(b, ev.ContentType), meta), e.Revision), ev.Body)
}

// Fixed is the checksum of what never changes in a delivery's row.
func (s *Summer) Fixed(d *store.Delivery) int64 {
	b := numbers(s.room[:0], d.Seq, d.EventSeq, int64(flag(d.Gather)), int64(len(d.Input)))
	return s.of(text(text(text(text(b, d.Route), d.Engine), d.Workflow), d.Key), d.Input)
}

// State is the checksum of what changes, but for Claimed, which no restart
// believes.
func (s *Summer) State(d *store.Delivery) int64 {
	a := &d.Last
	b := numbers(s.room[:0], d.Seq, int64(d.State), int64(d.Attempt), int64(d.Throttled), int64(len(a.Output)))
	b = numbers(b, Micros(d.Due), Micros(d.FirstAttemptAt), Micros(a.Started), Micros(a.Ended))
	return s.of(text(text(text(text(b, d.RunID), a.Outcome), a.Message), a.Process), a.Output)
}
