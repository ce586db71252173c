package memory

import (
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Page is what one commit writes.
type Page struct {
	Events     []*Event
	Deliveries []*store.Delivery
	Slots      []store.Slot
	Changes    []store.Change
}

// Event is an event on the disk.
type Event struct {
	store.StoredEvent
	Digest store.Digest
	keys   []store.Key
}

// place is where a key leads.
type place struct {
	digest store.Digest
	event  int64
}

// decide fills the page: what of a batch is new, and whether memory has room for
// it. Only the writer writes, so nothing changes until the page is on disk.
func (s *Store) decide(b *batch) {
	s.disk.mu.Lock()
	d := decision{store: s, batch: b, now: time.Now(), keys: map[store.Key]place{}}
	for _, p := range b.entries {
		if p == p.group[0] {
			d.together(p.group)
		}
	}
	s.disk.mu.Unlock()
	for _, c := range b.changes {
		b.page.Changes = append(b.page.Changes, *c)
		for _, other := range c.Also {
			b.page.Changes = append(b.page.Changes, *other)
		}
	}
	if s.opts.Taker != nil { // without the lock: it has one of its own
		for i, del := range d.fresh {
			del.Claimed = s.opts.Taker.Room(del)
			b.page.Deliveries[i].Claimed = del.Claimed
		}
	}
	if s.opts.Forget != nil {
		s.opts.Forget(&b.page)
	}
	s.mu.Lock()
	if !s.dead {
		s.page = &b.page
	}
	s.mu.Unlock()
}

type decision struct {
	store *Store
	batch *batch
	now   time.Time
	keys  map[store.Key]place // new in this page
	fresh []*store.Delivery
}

func keysOf(p *pending) []store.Key {
	return append([]store.Key{store.Identity(p.Event.Source, p.Event.ID)}, p.Keys...)
}

// first finds what came first with a key, in its window.
func (d *decision) first(k store.Key) (place, bool) {
	if at, ok := d.keys[k]; ok {
		return at, true
	}
	at, ok := d.store.disk.keys[k]
	window := d.store.opts.Retain.Dedupe
	return at, ok && (window <= 0 || at.event >= store.SeqAt(d.now.Add(-window)))
}

// together decides a group, in which one conflict is everybody's.
func (d *decision) together(group []*pending) {
	mine, conflict := map[store.Key]place{}, false
	for _, p := range group {
		for _, k := range keysOf(p) {
			first, ok := d.first(k)
			if !ok {
				first, ok = mine[k]
			}
			if !ok {
				mine[k] = place{digest: p.Digest}
			} else if first.digest != p.Digest {
				d.conflict(p)
				conflict = true
				break
			}
		}
	}
	for _, p := range group {
		if conflict {
			p.err = store.ErrConflict
		} else {
			d.one(p)
		}
	}
}

// conflict is kept as evidence.
func (d *decision) conflict(p *pending) {
	d.add(p, true)
}

func (d *decision) one(p *pending) {
	if p.Slot != nil {
		d.batch.page.Slots = append(d.batch.page.Slots, *p.Slot)
	}
	for _, k := range keysOf(p) {
		if first, ok := d.first(k); ok {
			d.repeated(p, first.event)
			return
		}
	}
	seq := d.add(p, false)
	p.receipt = store.Receipt{EventID: p.Event.ID, EventType: p.Event.Type, Deliveries: len(p.Deliveries)}
	for i, del := range p.Deliveries {
		del.Seq, del.EventSeq, del.EventID, del.Event = seq+1+int64(i), seq, p.Event.ID, p.Event
		if del.Due.IsZero() {
			del.Due = d.now
		}
		row := *del
		row.Due, row.Event = micros(row.Due), nil
		d.batch.page.Deliveries = append(d.batch.page.Deliveries, &row)
		d.fresh = append(d.fresh, del)
	}
}

func (d *decision) add(p *pending, conflict bool) (seq int64) {
	e := &Event{Digest: p.Digest}
	e.Event, e.Revision, e.Conflict = clone(p.Event), p.Revision, conflict
	n := 1
	if !conflict {
		e.Deliveries, e.keys, n = len(p.Deliveries), keysOf(p), 1+len(p.Deliveries)
	}
	e.Seq = d.store.disk.seq.Next(d.now, n)
	for _, k := range e.keys {
		d.keys[k] = place{p.Digest, e.Seq}
	}
	d.batch.page.Events = append(d.batch.page.Events, e)
	return e.Seq
}

// repeated answers with the first one's receipt.
func (d *decision) repeated(p *pending, seq int64) {
	p.receipt = store.Receipt{EventID: p.Event.ID, EventType: p.Event.Type, Duplicate: true}
	for _, list := range [][]*Event{d.store.disk.events, d.batch.page.Events} {
		for _, e := range list {
			if e.Seq == seq {
				p.receipt.EventID, p.receipt.EventType, p.receipt.Deliveries = e.Event.ID, e.Event.Type, e.Deliveries
			}
		}
	}
}

// clone is what comes back from a disk: the same fact, nothing shared that has
// been decoded.
func clone(e *event.Event) *event.Event {
	return &event.Event{
		ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: micros(e.Time), ContentType: e.ContentType,
		Headers: e.Headers, Query: e.Query, Extensions: e.Extensions, Body: e.Body,
	}
}

// micros is a time as disks have it.
func micros(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}
