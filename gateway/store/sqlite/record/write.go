package record

import (
	"encoding/binary"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// The kinds of items in a page.
const (
	kindEvent byte = iota + 1
	kindConflict
	kindSlot
	kindChange
	kindStart // of the change before it
)

// Entry appends all of an entry that is known before the writer's turn, so
// that every sender's own goroutine does it. Keys are those of Event.
func Entry(b []byte, e *store.Entry, keys []byte) []byte {
	ev := e.Event
	b = text(text(text(text(b, ev.ID), ev.Source), ev.Type), ev.Subject)
	b = text(moment(b, ev.Time), ev.ContentType)
	b = texts(texts(texts(b, ev.Headers), ev.Query), ev.Extensions)
	b = text(blob(b, ev.Body), e.Revision)
	b = blob(append(b, e.Digest[:]...), keys)
	b = binary.AppendUvarint(b, uint64(len(e.Deliveries)))
	for _, d := range e.Deliveries {
		b = text(text(text(text(b, d.Route), d.Engine), d.Workflow), d.Key)
		b = moment(append(optional(b, d.Input), standing(d)), d.Due)
	}
	return b
}

// gathers is the bit beside a delivery's state that tells Gather.
const gathers = 0x80

func standing(d *store.Delivery) byte {
	if d.Gather {
		return byte(d.State) | gathers
	}
	return byte(d.State)
}

// AppendEvent appends an event: what Entry made of it, under the id that the
// writer gave. Its deliveries have the ids that follow; those that have no due
// time are due at once.
func AppendEvent(b []byte, seq int64, now time.Time, conflict bool, entry []byte) []byte {
	kind := kindEvent
	if conflict {
		kind = kindConflict
	}
	b = binary.AppendUvarint(append(b, kind), uint64(seq))
	return append(moment(b, now), entry...)
}

// AppendSlot appends a schedule's slot.
func AppendSlot(b []byte, s *store.Slot) []byte {
	return moment(text(text(append(b, kindSlot), s.Schedule), s.Spec), s.At)
}

// AppendChange appends a change. What only this process knows, such as Claimed,
// is left out.
func AppendChange(b []byte, c *store.Change) []byte {
	b = binary.AppendUvarint(append(b, kindChange), uint64(c.Delivery.Seq))
	b = append(b, byte(c.State), flag(c.AttemptEnded))
	b = moment(moment(b, c.Due), c.FirstAttemptAt)
	b = binary.AppendVarint(binary.AppendVarint(b, int64(c.Attempts)), int64(c.Throttled))
	a := &c.Attempt
	b = binary.AppendVarint(text(b, c.RunID), int64(a.Number))
	b = text(text(moment(moment(b, a.Started), a.Ended), a.Outcome), a.Message)
	b = text(optional(b, a.Output), a.Process)
	if c.Start == nil {
		return b
	}
	b = moment(text(append(b, kindStart), c.Start.Route), c.Start.At)
	return binary.AppendVarint(b, int64(c.Start.Window))
}

func text(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

func blob(b, v []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(v))), v...) }

// optional keeps nil apart from what is empty.
func optional(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return blob(append(b, 1), v)
}

func texts(b []byte, m map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for k, v := range m {
		b = text(text(b, k), v)
	}
	return b
}

func moment(b []byte, t time.Time) []byte { return binary.AppendVarint(b, Micros(t)) }

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}
