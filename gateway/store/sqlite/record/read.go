package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

var errShort = errors.New("ends too early")

// Read reads a page as it was appended. All that it returns is its own.
func Read(b []byte) (*Page, error) {
	r, p := reader{b: b}, &Page{}
	for len(r.b) > 0 && r.err == nil {
		switch kind := r.byte(); kind {
		case kindEvent, kindConflict:
			r.event(p, kind == kindConflict)
		case kindSlot:
			p.Slots = append(p.Slots, store.Slot{Schedule: r.text(), Spec: r.text(), At: r.moment()})
		case kindChange:
			p.Changes = append(p.Changes, r.change())
		case kindStart:
			r.start(p)
		default:
			r.fail(fmt.Errorf("unknown kind %d", kind))
		}
	}
	return p, r.err
}

// reader takes fields off the front; after an error all are zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) event(p *Page, conflict bool) {
	seq, now := int64(r.uvarint()), r.moment()
	e := Event{StoredEvent: store.StoredEvent{Seq: seq, Conflict: conflict, Event: &event.Event{
		ID: r.text(), Source: r.text(), Type: r.text(), Subject: r.text(), Time: r.moment(), ContentType: r.text(),
		Headers: r.texts(), Query: r.texts(), Extensions: r.texts(), Body: r.blob(),
	}}}
	e.Revision = r.text()
	copy(e.Digest[:], r.take(len(e.Digest)))
	e.Keys = r.blob()
	n := r.count()
	for i := range n {
		d := store.Delivery{
			Seq: seq + 1 + int64(i), EventSeq: seq, EventID: e.Event.ID, Event: e.Event,
			Route: r.text(), Engine: r.text(), Workflow: r.text(), Key: r.text(),
			Input: r.optional(),
		}
		d.State, d.Gather = r.standing()
		d.Due = r.moment()
		if d.Due.IsZero() {
			d.Due = now
		}
		if !conflict && r.err == nil {
			p.Deliveries = append(p.Deliveries, d)
			e.Deliveries++
		}
	}
	if conflict {
		e.Keys = nil
	}
	p.Events = append(p.Events, e)
}

func (r *reader) change() store.Change {
	c := store.Change{
		Delivery: &store.Delivery{Seq: int64(r.uvarint())},
		State:    r.state(), AttemptEnded: r.byte() != 0,
		Due: r.moment(), FirstAttemptAt: r.moment(), Attempts: int(r.varint()), Throttled: int(r.varint()),
		RunID: r.text(),
	}
	c.Attempt = store.Attempt{
		Number: int(r.varint()), Started: r.moment(), Ended: r.moment(), Outcome: r.text(), Message: r.text(),
		Output: r.optional(), Process: r.text(),
	}
	return c
}

func (r *reader) start(p *Page) {
	s := &store.Start{Route: r.text(), At: r.moment(), Window: time.Duration(r.varint())}
	if len(p.Changes) == 0 {
		r.fail(errors.New("a start without its change"))
		return
	}
	p.Changes[len(p.Changes)-1].Start = s
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) standing() (state store.State, gather bool) {
	b := r.byte()
	return r.known(b &^ gathers), b&gathers != 0
}

func (r *reader) state() store.State { return r.known(r.byte()) }

func (r *reader) known(b byte) store.State {
	s := store.State(b)
	if s > store.Merged {
		r.fail(fmt.Errorf("unknown state %d", s))
		return 0
	}
	return s
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of things that follow: no more than there are bytes.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

func (r *reader) blob() []byte { return r.take(r.count()) }

func (r *reader) text() string { return string(r.blob()) }

func (r *reader) optional() []byte {
	if r.byte() == 0 {
		return nil
	}
	return r.blob()
}

func (r *reader) texts() map[string]string {
	n := r.count()
	if n == 0 {
		return nil
	}
	m := make(map[string]string, min(n, 64))
	for range n {
		k := r.text()
		m[k] = r.text()
	}
	return m
}

func (r *reader) moment() time.Time { return Time(r.varint()) }
