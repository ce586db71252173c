package sqlite

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// op is what waits for the writer: exactly one of its first three fields.
type op struct {
	entry  *pendingEntry
	change *store.Change
	task   *task
}

// task is any other writing; done is called after the commit.
type task struct {
	run  func(*conn.Conn) error
	done func(error)
}

func (o op) urgent() bool { return o.change == nil || o.change.Urgent }

// batch is what one transaction writes.
type batch struct {
	entries []*pendingEntry
	changes []*store.Change
	tasks   []*task
	// ended counts the deliveries that it ends, taken are those handed over.
	ended int64
	taken []*store.Delivery
}

func (b *batch) add(o op) {
	switch {
	case o.entry != nil:
		b.entries = append(b.entries, o.entry)
	case o.change != nil:
		b.changes = append(b.changes, o.change)
		if e := o.change.Emit; e != nil {
			p := &pendingEntry{Entry: e}
			p.identify()
			b.entries = append(b.entries, p)
		}
	default:
		b.tasks = append(b.tasks, o.task)
	}
}

func (b *batch) size() int { return len(b.entries) + len(b.changes) + len(b.tasks) }

func (b *batch) reset() {
	clear(b.entries)
	clear(b.changes)
	clear(b.tasks)
	clear(b.taken)
	b.ended, b.taken = 0, b.taken[:0]
	b.entries, b.changes, b.tasks = b.entries[:0], b.changes[:0], b.tasks[:0]
}

// runWriter is the one goroutine that writes. When ctx ends it finishes what
// is queued; callers that come later are refused.
func (s *Store) runWriter(ctx context.Context) {
	var b batch
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		b.reset()
		if !s.first(ctx, &b) {
			return
		}
		s.gather(ctx, &b, timer)
		s.commit(&b)
		if s.emptyWAL.Swap(false) {
			_ = s.conn.Script("PRAGMA wal_checkpoint(PASSIVE)")
		}
	}
}

// first waits for something to write.
func (s *Store) first(ctx context.Context, b *batch) bool {
	select {
	case o := <-s.queue:
		b.add(o)
		if !o.urgent() {
			return true
		}
	default:
		select {
		case o := <-s.queue:
			b.add(o)
		case <-ctx.Done():
			return s.last(b)
		}
	}
	return true
}

// last takes what was queued when the end came.
func (s *Store) last(b *batch) bool {
	select {
	case o := <-s.queue:
		b.add(o)
		return true
	default:
		s.once.Do(func() { close(s.closed) })
		return false
	}
}

// maxYields is how often the writer lets others run before it commits. Those
// that are about to queue something join this commit instead of waiting for
// its end; when nobody is, it costs nothing.
const maxYields = 3

// gather adds whatever else waits. Outcomes alone are no reason to flush yet:
// they wait a moment for an event whose commit they can ride.
func (s *Store) gather(ctx context.Context, b *batch, timer *time.Timer) {
	urgent := len(b.entries)+len(b.tasks) > 0 || b.changes[0].Urgent
	var ride <-chan time.Time
	yields := 0
	for b.size() < maxBatch {
		select {
		case o := <-s.queue:
			urgent = urgent || o.urgent()
			b.add(o)
			continue
		default:
		}
		if urgent {
			if yields == maxYields {
				break
			}
			yields++
			runtime.Gosched()
			continue
		}
		if ride == nil {
			timer.Reset(rideTime)
			ride = timer.C
		}
		select {
		case o := <-s.queue:
			urgent = o.urgent()
			b.add(o)
		case <-ride:
			return
		case <-ctx.Done():
			urgent = true
		}
	}
	timer.Stop()
}

// commit writes a batch in one transaction and answers everybody in it.
func (s *Store) commit(b *batch) {
	err := s.Err()
	if err == nil {
		start := time.Now()
		err = s.classify(s.transact(b))
		s.commitNanos.Add(uint64(time.Since(start)))
	}
	if err == nil {
		s.count(b)
	}
	s.answer(b, err)
}

func (s *Store) transact(b *batch) error {
	if _, err := s.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := s.write(b)
	if err == nil {
		_, err = s.conn.Exec("COMMIT")
	}
	s.keys.Settle(err == nil)
	if err != nil {
		// SQLite may have rolled back by itself: then this only says so.
		_, _ = s.conn.Exec("ROLLBACK")
	}
	return err
}

func (s *Store) write(b *batch) error {
	if err := s.writeEntries(b.entries); err != nil {
		return err
	}
	if err := s.writeChanges(b); err != nil {
		return err
	}
	for _, t := range b.tasks {
		if err := t.run(s.conn); err != nil {
			return err
		}
	}
	return nil
}

// classify tells a full disk, which passes, from every other error of a
// commit. After those nobody knows what is on disk: acknowledging ends here.
func (s *Store) classify(err error) error {
	if err == nil {
		return nil
	}
	if conn.Full(err) {
		return errors.Join(store.ErrFull, err)
	}
	return s.fail(err)
}

func (s *Store) count(b *batch) {
	s.commits.Add(1)
	s.entries.Add(uint64(len(b.entries)))
	s.changes.Add(uint64(len(b.changes)))
	for _, e := range b.entries {
		if !e.receipt.Duplicate && e.err == nil {
			s.open.Add(int64(len(e.Deliveries)))
		}
	}
	s.open.Add(-b.ended)
}

// answer hands committed deliveries over, then wakes the callers, in commit
// order. A change that did not commit was no success: the process is about to
// end, or the disk is full and the run will be found again at the next start.
func (s *Store) answer(b *batch, err error) {
	for _, e := range b.entries {
		if err != nil {
			e.err = err
		} else if e.err == nil && !e.receipt.Duplicate {
			b.taken = append(b.taken, e.Deliveries...)
		}
	}
	if s.opts.Taker != nil && len(b.taken) > 0 {
		s.opts.Taker.Take(b.taken)
	}
	for _, e := range b.entries {
		if e.done != nil {
			e.done <- struct{}{}
		}
	}
	for _, c := range b.changes {
		switch {
		case err == nil && c.Committed != nil:
			c.Committed()
		case errors.Is(err, store.ErrFull):
			s.again(c)
		}
	}
	for _, t := range b.tasks {
		t.done(err)
	}
}
