package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// pendingEntry is an entry on its way through the writer, and its answer.
type pendingEntry struct {
	*store.Entry
	seq     int64
	receipt store.Receipt
	err     error
	done    chan struct{}
}

var entryPool = sync.Pool{New: func() any { return &pendingEntry{done: make(chan struct{}, 1)} }}

// Append commits an event with its deliveries and returns when both are on
// disk. A repeated event answers with the first one's receipt; ErrConflict,
// ErrFull, ErrBacklog and ErrFailed mean that nothing was started.
func (s *Store) Append(_ context.Context, e *store.Entry) (store.Receipt, error) {
	if err := s.refuse(); err != nil {
		return store.Receipt{}, err
	}
	p := entryPool.Get().(*pendingEntry)
	p.Entry, p.receipt, p.err = e, store.Receipt{}, nil
	if !s.enqueue(op{entry: p}) {
		return store.Receipt{}, store.ErrFailed
	}
	// Not interruptible: once queued, only the commit knows the answer.
	<-p.done
	receipt, err := p.receipt, p.err
	p.Entry = nil
	entryPool.Put(p)
	return receipt, err
}

// enqueue hands an op to the writer; false when it has stopped.
func (s *Store) enqueue(o op) bool {
	select {
	case <-s.closed:
		return false
	default:
	}
	select {
	case s.queue <- o:
		return true
	case <-s.closed:
		return false
	}
}

var (
	insertEvents = newBulk(`INSERT INTO events
(seq,id,source,type,subject,time,content_type,meta,body,revision,deliveries,conflict) VALUES `, "", 12)
	insertDeliveries = newBulk(`INSERT INTO deliveries
(seq,event,route,engine,workflow,input,key,state,claimed,due) VALUES `, "", 10)
	insertKeys = newBulk(`INSERT INTO dedupe (key,digest,event) VALUES `, "", 3)
)

func (s *Store) writeEntries(entries []*pendingEntry) error {
	if len(entries) == 0 {
		return nil
	}
	w := entryWriter{store: s, now: time.Now(), fresh: map[store.Key]*pendingEntry{}}
	if err := w.known(entries); err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.add(e); err != nil {
			return err
		}
	}
	return w.flush()
}

// entryWriter collects the rows of a batch of entries.
type entryWriter struct {
	store *Store
	now   time.Time
	// seen are keys that the table has; fresh are this batch's own.
	seen  map[store.Key]seenKey
	fresh map[store.Key]*pendingEntry

	events, deliveries, keys []driver.Value
}

type seenKey struct {
	digest store.Digest
	event  int64
}

// known looks all keys of the batch up at once.
func (w *entryWriter) known(entries []*pendingEntry) error {
	var vals []driver.Value
	for _, e := range entries {
		for i := range e.Keys {
			vals = append(vals, e.Keys[i][:])
		}
	}
	return lookup(w.store.conn, vals, func(row []driver.Value) error {
		if w.seen == nil {
			w.seen = map[store.Key]seenKey{}
		}
		w.seen[store.Key(row[0].([]byte))] = seenKey{store.Digest(row[1].([]byte)), row[2].(int64)}
		return nil
	})
}

// lookup selects keys from the dedupe table, some dozens at a time; the last
// group is filled up by repeating a key, so that few statements are prepared.
func lookup(c *conn, keys []driver.Value, each func([]driver.Value) error) error {
	for len(keys) > 0 {
		size := 64
		if len(keys) <= 8 {
			size = 8
		}
		n := min(size, len(keys))
		group := append(make([]driver.Value, 0, size), keys[:n]...)
		for len(group) < size {
			group = append(group, keys[0])
		}
		if err := c.query(lookupSQL[size], each, group...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

var lookupSQL = map[int]string{8: lookupFor(8), 64: lookupFor(64)}

func lookupFor(n int) string {
	return "SELECT key,digest,event FROM dedupe WHERE key IN (?" + strings.Repeat(",?", n-1) + ")"
}

// add decides what an entry is: new, a duplicate or a conflict.
func (w *entryWriter) add(e *pendingEntry) error {
	for _, k := range e.Keys {
		if first, ok := w.fresh[k]; ok {
			return w.repeated(e, first.Digest, first.seq)
		}
		if seen, ok := w.seen[k]; ok {
			return w.repeated(e, seen.digest, seen.event)
		}
	}
	e.seq = w.store.seq.Next(w.now, 1+len(e.Deliveries))
	e.receipt = store.Receipt{EventID: e.Event.ID, EventType: e.Event.Type, Deliveries: len(e.Deliveries)}
	for _, k := range e.Keys {
		w.fresh[k] = e
		w.keys = append(w.keys, bytes.Clone(k[:]), e.Digest[:], e.seq)
	}
	w.event(e, false)
	for i, d := range e.Deliveries {
		w.delivery(e, d, i)
	}
	return w.slot(e.Slot)
}

// repeated answers for an event whose key came before. A conflict is kept as
// evidence: stored, but with no deliveries.
func (w *entryWriter) repeated(e *pendingEntry, digest store.Digest, first int64) error {
	if err := w.slot(e.Slot); err != nil {
		return err
	}
	if digest != e.Digest {
		e.err = store.ErrConflict
		e.seq = w.store.seq.Next(w.now, 1)
		w.event(e, true)
		return nil
	}
	e.receipt.Duplicate = true
	for _, own := range w.fresh {
		if own.seq == first {
			e.receipt.EventID, e.receipt.EventType, e.receipt.Deliveries = own.Event.ID, own.Event.Type, len(own.Deliveries)
			return nil
		}
	}
	// Retention may have taken the event before its key: then it is named as
	// the sender names it.
	e.receipt.EventID, e.receipt.EventType = e.Event.ID, e.Event.Type
	return w.store.conn.query("SELECT id,type,deliveries FROM events WHERE seq=?", func(row []driver.Value) error {
		e.receipt.EventID, e.receipt.EventType = row[0].(string), row[1].(string)
		e.receipt.Deliveries = int(row[2].(int64))
		return nil
	}, first)
}

func (w *entryWriter) event(e *pendingEntry, conflict bool) {
	ev, n := e.Event, len(e.Deliveries)
	if conflict {
		n = 0
	}
	w.events = append(w.events, e.seq, ev.ID, ev.Source, ev.Type, ev.Subject, micros(ev.Time),
		ev.ContentType, meta(ev), notNil(ev.Body), e.Revision, int64(n), conflict)
}

func (w *entryWriter) delivery(e *pendingEntry, d *store.Delivery, i int) {
	d.Seq, d.EventSeq, d.EventID, d.Event = e.seq+1+int64(i), e.seq, e.Event.ID, e.Event
	if d.Due.IsZero() {
		d.Due = w.now
	}
	d.Claimed = w.store.opts.Taker != nil && w.store.opts.Taker.Room(d)
	w.deliveries = append(w.deliveries, d.Seq, e.seq, d.Route, d.Engine, d.Workflow, optional(d.Input),
		d.Key, int64(d.State), d.Claimed, micros(d.Due))
}

func (w *entryWriter) slot(slot *store.Slot) error {
	if slot == nil {
		return nil
	}
	_, err := w.store.conn.exec(`INSERT INTO schedules (name,spec,slot) VALUES (?,?,?)
ON CONFLICT (name) DO UPDATE SET spec=excluded.spec, slot=excluded.slot`, slot.Schedule, slot.Spec, micros(slot.At))
	return err
}

func (w *entryWriter) flush() error {
	if err := insertKeys.exec(w.store.conn, w.keys); err != nil {
		return err
	}
	if err := insertEvents.exec(w.store.conn, w.events); err != nil {
		return err
	}
	return insertDeliveries.exec(w.store.conn, w.deliveries)
}

// metadata is what of an event has no column of its own.
type metadata struct {
	Headers    map[string]string `json:"headers,omitempty"`
	Query      map[string]string `json:"query,omitempty"`
	Extensions map[string]string `json:"extensions,omitempty"`
}

func meta(ev *event.Event) string {
	if len(ev.Headers)+len(ev.Query)+len(ev.Extensions) == 0 {
		return ""
	}
	// Maps of strings always marshal.
	text, _ := json.Marshal(metadata{ev.Headers, ev.Query, ev.Extensions})
	return string(text)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func optional(b []byte) driver.Value {
	if b == nil {
		return nil
	}
	return b
}
