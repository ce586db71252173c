package sqlite

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/fill"
	"github.com/event-gateway/gateway/gateway/store/sqlite/journal"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// op is what waits for the writer: exactly one of its fields.
type op struct {
	entry  *pendingEntry
	change *store.Change
	task   *fill.Task
}

func (o op) urgent() bool { return o.change == nil || o.change.Urgent }

// batch is what one commit brings. What goes on to the tables is new each
// time; the rest is used again.
type batch struct {
	*fill.Batch
	entries []*pendingEntry
	changes []*store.Change
	// records are what the journal keeps of Events, one for one.
	records [][]byte
	bytes   int
	taken   []*store.Delivery
}

func (b *batch) change(c *store.Change) {
	b.changes = append(b.changes, c)
	if c.Emit != nil {
		p := &pendingEntry{Entry: c.Emit}
		p.prepare()
		b.entry(p)
	}
}

func (b *batch) entry(p *pendingEntry) {
	b.entries = append(b.entries, p)
	b.bytes += len(p.Event.Body)
}

func (b *batch) size() int { return len(b.entries) + len(b.changes) + len(b.Tasks) }

func (b *batch) full() bool { return b.size() >= maxBatch || b.bytes >= maxBatchBytes }

func (b *batch) reset() {
	clear(b.entries)
	clear(b.changes)
	clear(b.records)
	clear(b.taken)
	b.Batch, b.bytes = fill.NewBatch(), 0
	b.entries, b.changes, b.records, b.taken = b.entries[:0], b.changes[:0], b.records[:0], b.taken[:0]
}

// postponed are changes that met a full disk, in their order: what comes later
// waits behind them, or an older state could be written over a newer one.
type postponed struct {
	changes []*store.Change
	until   time.Time
}

func (p *postponed) add(changes []*store.Change) {
	p.changes = slices.Concat(changes, p.changes)
	p.until = time.Now().Add(againTime)
}

// due moves changes whose time has come into a batch.
func (p *postponed) due(b *batch, now time.Time) {
	if now.Before(p.until) {
		return
	}
	for len(p.changes) > 0 && !b.full() {
		b.change(p.changes[0])
		p.changes = p.changes[1:]
	}
}

// add puts an op in the batch, or in the queue of those that must wait.
func (s *Store) add(b *batch, o op) {
	switch {
	case o.entry != nil && o.entry.group != nil:
		for _, p := range o.entry.group {
			b.entry(p)
		}
	case o.entry != nil:
		b.entry(o.entry)
	case o.task != nil:
		b.Tasks = append(b.Tasks, o.task)
	case len(s.postponed.changes) > 0:
		s.postponed.changes = append(s.postponed.changes, o.change)
	default:
		b.change(o.change)
	}
}

// runWriter is the one goroutine that writes. When ctx ends it finishes what
// is queued; callers that come later are refused.
func (s *Store) runWriter(ctx context.Context) {
	b := batch{Batch: fill.NewBatch()}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for s.first(ctx, &b) {
		if b.size() > 0 {
			s.gather(ctx, &b, timer)
			s.commit(&b)
			b.reset()
		}
		_ = s.fill.Room(ctx) // ctx ends: the loop does
	}
	s.stop()
	s.last(&b)
}

// first waits for something to write; false when the end has come.
func (s *Store) first(ctx context.Context, b *batch) bool {
	if ctx.Err() != nil {
		return false
	}
	if len(s.postponed.changes) > 0 {
		return s.firstOrPostponed(ctx, b)
	}
	select {
	case o := <-s.queue:
		s.add(b, o)
	default:
		select {
		case o := <-s.queue:
			s.add(b, o)
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (s *Store) firstOrPostponed(ctx context.Context, b *batch) bool {
	if s.postponed.due(b, time.Now()); b.size() > 0 {
		return true
	}
	wait := time.NewTimer(time.Until(s.postponed.until))
	defer wait.Stop()
	select {
	case o := <-s.queue:
		s.add(b, o)
	case <-wait.C:
		s.postponed.due(b, time.Now())
	case <-ctx.Done():
		return false
	}
	return true
}

// last commits what was queued when the end came. What waited for a full disk
// is tried once more; if in vain, the next start finds those runs again.
func (s *Store) last(b *batch) {
	late := s.postponed.changes
	s.postponed.changes = nil
	for _, c := range late {
		b.change(c)
	}
	for {
		for len(s.queue) > 0 && !b.full() {
			s.add(b, <-s.queue)
		}
		if b.size() == 0 {
			return
		}
		s.commit(b)
		b.reset()
	}
}

// maxYields is how often the others may run before a commit: those that are
// about to queue something join it instead of waiting for its end, and when
// nobody is, it costs nothing.
const maxYields = 3

// gather adds whatever else waits. Outcomes alone are no reason to flush yet:
// they wait a moment for an event whose commit they can ride.
func (s *Store) gather(ctx context.Context, b *batch, timer *time.Timer) {
	defer timer.Stop()
	urgent := len(b.entries)+len(b.Tasks) > 0 || b.changes[0].Urgent
	if !urgent && !s.ride(ctx, b, timer) {
		return
	}
	for yields := 0; yields < maxYields && !b.full(); {
		if !s.queued(b) {
			yields++
			runtime.Gosched()
		}
	}
}

// queued adds what is queued now, if anything is.
func (s *Store) queued(b *batch) bool {
	select {
	case o := <-s.queue:
		s.add(b, o)
		return true
	default:
		return false
	}
}

// ride waits for something urgent; false when the time for that has passed.
func (s *Store) ride(ctx context.Context, b *batch, timer *time.Timer) bool {
	timer.Reset(rideTime)
	for !b.full() {
		select {
		case o := <-s.queue:
			s.add(b, o)
			if o.urgent() {
				return true
			}
		case <-timer.C:
			return false
		case <-ctx.Done():
			return true
		}
	}
	return true
}

// commit logs a batch in one record and answers everybody in it.
func (s *Store) commit(b *batch) {
	err := s.Err()
	if err == nil {
		start := time.Now()
		err = s.classify(s.log(b))
		s.commitNanos.Add(uint64(time.Since(start)))
	}
	if err == nil {
		s.count(b)
	}
	s.answer(b, err)
}

// log decides what is new and writes it to the journal.
func (s *Store) log(b *batch) (err error) {
	if err = s.deciding.decide(b); err == nil {
		for _, c := range b.changes {
			b.Changes = append(b.Changes, *c)
			for _, other := range c.Also {
				b.Changes = append(b.Changes, *other)
			}
		}
		if !b.Empty() {
			b.Number, err = s.journal.Append(func(rec []byte) []byte { return s.record(rec, b) })
		}
	}
	s.keys.Settle(err == nil)
	return err
}

func (s *Store) record(rec []byte, b *batch) []byte {
	for i := range b.Events {
		e := &b.Events[i]
		rec = record.AppendEvent(rec, e.Seq, s.deciding.now, e.Conflict, b.records[i])
	}
	for i := range b.Slots {
		rec = record.AppendSlot(rec, &b.Slots[i])
	}
	for i := range b.Changes {
		rec = record.AppendChange(rec, &b.Changes[i])
	}
	return rec
}

// classify tells a full disk, which passes, from every other error of a
// commit. After those nobody knows what is on disk: acknowledging ends here.
func (s *Store) classify(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, journal.ErrFull) {
		return errors.Join(store.ErrFull, err)
	}
	return s.fail(err)
}

func (s *Store) count(b *batch) {
	s.commits.Add(1)
	s.entries.Add(uint64(len(b.entries)))
	s.changes.Add(uint64(len(b.Changes)))
	open := int64(len(b.Deliveries))
	for i := range b.Changes {
		if !b.Changes[i].State.Open() {
			open-- // unless a person has ended it before: the tables will tell
		}
	}
	s.open.Add(open)
}

// answer hands committed deliveries over, then wakes the callers, in commit
// order. A change that did not commit was no success: the process is about to
// end, or the disk is full and it is tried again.
func (s *Store) answer(b *batch, err error) {
	for _, e := range b.entries {
		if err != nil {
			e.err = err
		} else if e.err == nil && !e.receipt.Duplicate {
			b.taken = append(b.taken, e.Deliveries...)
		}
	}
	s.hand(b, err)
	if s.opts.Taker != nil && len(b.taken) > 0 {
		s.opts.Taker.Take(b.taken)
	}
	for _, e := range b.entries {
		if e.done != nil {
			e.done <- struct{}{}
		}
	}
	switch {
	case err == nil:
		for _, c := range b.changes {
			if c.Committed != nil {
				c.Committed()
			}
		}
	case errors.Is(err, store.ErrFull):
		s.postponed.add(b.changes)
	}
}

// hand passes a page on to the tables, before anybody is told of it: who is
// told must find it. Without its page, tasks still run on a full disk.
func (s *Store) hand(b *batch, err error) {
	if err != nil {
		b.Reset()
	}
	if err != nil && !errors.Is(err, store.ErrFull) {
		for _, t := range b.Tasks {
			t.Done(err)
		}
		return
	}
	if !b.Empty() || len(b.Tasks) > 0 {
		s.fill.Add(b.Batch)
	}
}
