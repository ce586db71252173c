package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys"
)

// pendingEntry is an entry on its way through the writer, and its answer.
type pendingEntry struct {
	*store.Entry
	// keys are its identity and its Keys.
	keys    []store.Key
	seq     int64
	receipt store.Receipt
	err     error
	done    chan struct{}
}

// identify works out the keys of the entry, before the writer's turn.
func (p *pendingEntry) identify() {
	p.keys = append(append(p.keys[:0], store.Identity(p.Event.Source, p.Event.ID)), p.Keys...)
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
	p.identify()
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

// enqueue hands an op to the writer; false when it has stopped. What it has
// handed over is answered.
func (s *Store) enqueue(o op) bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
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

// stop refuses what comes from now on. What came before is in the queue when
// it returns: whoever is still queueing holds the gate.
func (s *Store) stop() {
	s.once.Do(func() { close(s.closed) })
	s.gate.Lock()
	defer s.gate.Unlock()
}

var (
	insertEvents = conn.NewBulk(`INSERT INTO events
(seq,id,source,type,subject,time,content_type,meta,body,revision,deliveries,conflict,digest,keys) VALUES `, 14)
	insertDeliveries = conn.NewBulk(`INSERT INTO deliveries
(seq,event,route,engine,workflow,input,key,state,claimed,due) VALUES `, 10)
)

func (s *Store) writeEntries(entries []*pendingEntry) error {
	if len(entries) == 0 {
		return nil
	}
	w := &s.entering
	w.now, w.events, w.deliveries = time.Now(), w.events[:0], w.deliveries[:0] // a batch that failed may have left some
	w.asked = w.asked[:0]
	for _, e := range entries {
		for i := range e.keys {
			if s.keys.Perhaps(e.keys[i]) {
				w.asked = append(w.asked, e.keys[i][:])
			}
		}
	}
	seen, err := s.keys.Stored(s.conn, w.asked, w.now)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.add(e, seen); err != nil {
			return err
		}
	}
	return w.flush()
}

// entryWriter collects the rows of a batch of entries; its slices are used
// again for the next.
type entryWriter struct {
	store              *Store
	now                time.Time
	events, deliveries []driver.Value
	asked              []driver.Value // those of the batch's keys that the table may have
}

// add decides what an entry is: new, a duplicate or a conflict.
func (w *entryWriter) add(e *pendingEntry, seen map[store.Key]keys.Place) error {
	for _, k := range e.keys {
		if first, ok := seen[k]; ok {
			return w.repeated(e, first)
		}
		if first, ok := w.store.keys.Recent(k, w.now); ok {
			return w.repeated(e, first)
		}
	}
	if err := w.store.keys.Source(w.store.conn, e.Event.Source); err != nil {
		return err
	}
	e.seq = w.store.seq.Next(w.now, 1+len(e.Deliveries))
	e.receipt = store.Receipt{EventID: e.Event.ID, EventType: e.Event.Type, Deliveries: len(e.Deliveries)}
	w.event(e, false)
	for i, d := range e.Deliveries {
		w.delivery(e, d, i)
	}
	return w.slot(e.Slot)
}

// repeated answers for an event whose key came before. A conflict is kept as
// evidence: stored, but with no deliveries.
func (w *entryWriter) repeated(e *pendingEntry, first keys.Place) error {
	if err := w.slot(e.Slot); err != nil {
		return err
	}
	if first.Digest != e.Digest {
		e.err = store.ErrConflict
		e.seq = w.store.seq.Next(w.now, 1)
		w.event(e, true)
		return nil
	}
	// Rows of this very batch are looked for below as well.
	if err := w.flush(); err != nil {
		return err
	}
	// Retention may have taken the event before its key: then it is named as
	// the sender names it.
	e.receipt = store.Receipt{EventID: e.Event.ID, EventType: e.Event.Type, Duplicate: true}
	return w.store.conn.Query("SELECT id,type,deliveries FROM events WHERE seq=?", func(row []driver.Value) error {
		e.receipt.EventID, e.receipt.EventType = row[0].(string), row[1].(string)
		e.receipt.Deliveries = int(row[2].(int64))
		return nil
	}, first.Event)
}

func (w *entryWriter) event(e *pendingEntry, conflict bool) {
	ev, n, known := e.Event, len(e.Deliveries), e.keys
	if conflict {
		n, known = 0, nil
	}
	w.store.keys.Add(known, keys.Place{Digest: e.Digest, Event: e.seq})
	w.events = append(w.events, e.seq, ev.ID, ev.Source, ev.Type, ev.Subject, micros(ev.Time),
		ev.ContentType, meta(ev), notNil(ev.Body), e.Revision, int64(n), conflict, e.Digest[:], keys.Joined(known))
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
	_, err := w.store.conn.Exec(`INSERT INTO schedules (name,spec,slot) VALUES (?,?,?)
ON CONFLICT (name) DO UPDATE SET spec=excluded.spec, slot=excluded.slot`, slot.Schedule, slot.Spec, micros(slot.At))
	return err
}

func (w *entryWriter) flush() error {
	if err := insertEvents.Exec(w.store.conn, w.events); err != nil {
		return err
	}
	err := insertDeliveries.Exec(w.store.conn, w.deliveries)
	clear(w.events)
	clear(w.deliveries)
	w.events, w.deliveries = w.events[:0], w.deliveries[:0]
	return err
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
	b := append(make([]byte, 0, 256), '{')
	b = appendMap(b, `"headers":`, ev.Headers)
	b = appendMap(b, `"query":`, ev.Query)
	b = appendMap(b, `"extensions":`, ev.Extensions)
	return string(append(b, '}'))
}

// appendMap writes a member of a JSON object. encoding/json takes several
// times as long for what every event has.
func appendMap(b []byte, name string, m map[string]string) []byte {
	if len(m) == 0 {
		return b
	}
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, name...), '{')
	for k, v := range m {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendText(append(appendText(b, k), ':'), v)
	}
	return append(b, '}')
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
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
