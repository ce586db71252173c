package sqlite

import (
	"context"
	"errors"
	"sync"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// pendingEntry is an entry on its way through the writer, and its answer.
type pendingEntry struct {
	*store.Entry
	// keys are its identity and its Keys; joined as the tables have them.
	keys   []store.Key
	joined []byte
	// record is what the journal keeps of it, as far as it is known by now.
	record []byte
	// first is the event that it repeats; zero for none.
	first   int64
	receipt store.Receipt
	err     error
	done    chan struct{}
	// group are those that it is decided with, itself among them; nil: alone.
	group []*pendingEntry
}

// keepRecord bounds the buffers that are used again.
const keepRecord = 64 << 10

// prepare does what can be done before the writer's turn.
func (p *pendingEntry) prepare() {
	p.keys = append(append(p.keys[:0], store.Identity(p.Event.Source, p.Event.ID)), p.Keys...)
	p.joined = keys.Joined(p.keys)
	p.record = record.Entry(p.record[:0], p.Entry, p.joined)
}

// forget makes it ready for another entry.
func (p *pendingEntry) forget() {
	p.Entry, p.joined, p.first, p.receipt, p.err = nil, nil, 0, store.Receipt{}, nil
	if cap(p.record) > keepRecord {
		p.record = nil
	}
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
	p.Entry = e
	p.prepare()
	if !s.enqueue(op{entry: p}) {
		return store.Receipt{}, store.ErrFailed
	}
	// Not interruptible: once queued, only the commit knows the answer.
	<-p.done
	receipt, err := p.receipt, p.err
	if err == nil && p.first != 0 {
		err = s.repeats(p.first, &receipt)
	}
	p.forget()
	entryPool.Put(p)
	return receipt, err
}

// AppendAll commits several events as Append does one, all of them or none. If
// any of them is a conflict the error is ErrConflict: those that are one are
// kept as evidence, and nothing of the others.
func (s *Store) AppendAll(_ context.Context, es []*store.Entry) ([]store.Receipt, error) {
	if err := s.refuse(); err != nil || len(es) == 0 {
		return nil, err
	}
	group, receipts := make([]*pendingEntry, len(es)), make([]store.Receipt, len(es))
	for i, e := range es {
		group[i] = &pendingEntry{Entry: e, group: group}
		group[i].prepare()
	}
	done := make(chan struct{}, 1)
	group[len(group)-1].done = done // answered last
	if !s.enqueue(op{entry: group[0]}) {
		return nil, store.ErrFailed
	}
	<-done
	for i, p := range group {
		if receipts[i] = p.receipt; p.err == nil && p.first != 0 {
			p.err = s.repeats(p.first, &receipts[i])
		}
		if p.err != nil {
			return nil, p.err
		}
	}
	return receipts, nil
}

// repeats completes the receipt of a duplicate: it names the first event.
// Retention may have taken that before its key, or the disk; then the receipt stays
// as it is.
func (s *Store) repeats(first int64, r *store.Receipt) error {
	if e, found := s.fill.Find(first); found {
		r.EventID, r.EventType, r.Deliveries = e.Event.ID, e.Event.Type, e.Deliveries
		return nil
	}
	from := blocks.Reader{From: s.from(context.Background())}
	e, err := from.Event(first)
	if err == nil {
		r.EventID, r.EventType, r.Deliveries = e.Event.ID, e.Event.Type, e.Deliveries
	} else if unreadable(err) {
		err = nil
	}
	return err
}

// unreadable tells that there is no such event any more, or none that can be read.
func unreadable(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, conn.ErrDamaged)
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
