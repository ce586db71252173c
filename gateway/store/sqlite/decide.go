package sqlite

import (
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// decider decides for each entry of a commit what it is: new, a duplicate or a
// conflict. It is the writer's; what it holds is used again for the next commit.
type decider struct {
	store *Store
	// asks is a connection that only reads: what is in the table of keys.
	asks *conn.Conn
	now  time.Time
	seen map[store.Key]keys.Place
}

// decide fills the batch's page from its entries.
func (d *decider) decide(b *batch) error {
	if len(b.entries) == 0 {
		return nil
	}
	d.now = time.Now()
	if err := d.look(b.entries); err != nil {
		return err
	}
	for _, e := range b.entries {
		if e.group == nil {
			d.one(b, e)
		} else if e == e.group[0] {
			d.together(b, e.group)
		}
	}
	return nil
}

// together decides a group, in which one conflict is everybody's.
func (d *decider) together(b *batch, group []*pendingEntry) {
	mine, conflict := map[store.Key]keys.Place{}, false
	for _, e := range group {
		for _, k := range e.keys {
			first, ok := d.first(k)
			if !ok {
				first, ok = mine[k]
			}
			if !ok {
				mine[k] = keys.Place{Digest: e.Digest}
			} else if first.Digest != e.Digest {
				d.repeated(b, e, first)
				conflict = true
				break
			}
		}
	}
	for _, e := range group {
		if conflict {
			e.err = store.ErrConflict
		} else {
			d.one(b, e)
		}
	}
}

// look finds the keys of the entries in memory, then in the table: what is
// moved from there to here meanwhile is found in both, never in neither.
func (d *decider) look(entries []*pendingEntry) error {
	clear(d.seen)
	for _, e := range entries {
		for _, k := range e.keys {
			at, found := d.store.keys.Recent(k, d.now)
			if !found && d.store.keys.Perhaps(k) {
				var err error
				if at, found, err = d.store.keys.Stored(d.asks.Query, k, d.now); err != nil {
					return err
				}
			}
			if found {
				d.seen[k] = at
			}
		}
	}
	return nil
}

func (d *decider) one(b *batch, e *pendingEntry) {
	if e.Slot != nil {
		b.Slots = append(b.Slots, *e.Slot)
	}
	for _, k := range e.keys {
		if first, ok := d.first(k); ok {
			d.repeated(b, e, first)
			return
		}
	}
	seq := d.store.seq.Next(d.now, 1+len(e.Deliveries))
	e.receipt = store.Receipt{EventID: e.Event.ID, EventType: e.Event.Type, Deliveries: len(e.Deliveries)}
	d.store.keys.Add(e.keys, keys.Place{Digest: e.Digest, Event: seq})
	d.store.keys.Source(e.Event.Source)
	b.Events = append(b.Events, record.Event{
		StoredEvent: store.StoredEvent{Seq: seq, Event: e.Event, Revision: e.Revision, Deliveries: len(e.Deliveries)},
		Digest:      e.Digest, Keys: e.joined,
	})
	b.records = append(b.records, e.record)
	for i, del := range e.Deliveries {
		d.delivery(b, e, del, seq, seq+1+int64(i))
	}
}

// first finds what came first with a key, in this commit or before.
func (d *decider) first(k store.Key) (keys.Place, bool) {
	if at, ok := d.seen[k]; ok {
		return at, true
	}
	return d.store.keys.Recent(k, d.now)
}

func (d *decider) delivery(b *batch, e *pendingEntry, del *store.Delivery, event, seq int64) {
	del.Seq, del.EventSeq, del.EventID, del.Event = seq, event, e.Event.ID, e.Event
	if del.Due.IsZero() {
		del.Due = d.now
	}
	taker := d.store.opts.Taker
	del.Claimed = taker != nil && taker.Room(del)
	b.Deliveries = append(b.Deliveries, *del)
}

// repeated answers for an event whose key came before. A conflict is kept as
// evidence: stored, but with no deliveries.
func (d *decider) repeated(b *batch, e *pendingEntry, first keys.Place) {
	if first.Digest == e.Digest {
		e.first = first.Event
		e.receipt = store.Receipt{EventID: e.Event.ID, EventType: e.Event.Type, Duplicate: true}
		return
	}
	e.err = store.ErrConflict
	b.Events = append(b.Events, record.Event{
		StoredEvent: store.StoredEvent{Seq: d.store.seq.Next(d.now, 1), Event: e.Event, Revision: e.Revision, Conflict: true},
		Digest:      e.Digest,
	})
	b.records = append(b.records, e.record)
}
