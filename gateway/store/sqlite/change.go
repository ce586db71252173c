package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/fill"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// Record queues what became of a delivery. It returns at once unless the
// queue is full; Change.Committed tells when it is on disk.
func (s *Store) Record(c *store.Change) { s.enqueue(op{change: c}) }

// do runs a task and waits for its commit. It is not interruptible: once
// queued, only the commit knows what became of it.
func (s *Store) do(ctx context.Context, run func(*conn.Conn) error) error {
	return s.run(ctx, fill.Task{Run: run, Lasting: true})
}

// lazily is do for what nobody waits for and nobody was promised.
func (s *Store) lazily(ctx context.Context, run func(*conn.Conn) error) error {
	return s.run(ctx, fill.Task{Run: run, Lazy: true})
}

func (s *Store) run(ctx context.Context, t fill.Task) error {
	if err := errors.Join(ctx.Err(), s.Err()); err != nil {
		return err
	}
	done := make(chan error, 1)
	t.Done = func(err error) { done <- err }
	if !s.enqueue(op{task: &t}) {
		return store.ErrFailed
	}
	return <-done
}

// Retry makes a dead or discarded delivery pending again, or one that waits
// for its next attempt due now. It keeps its id and its history; the attempts
// that may fail count anew.
func (s *Store) Retry(ctx context.Context, seq int64) (*store.Delivery, error) {
	return s.operate(ctx, seq, operation{
		to:  store.Pending,
		sql: "UPDATE deliveries SET state=0, claimed=0, due=?2, throttled=attempt, first_at=0 WHERE seq=?1",
		may: func(d *store.Delivery) bool {
			return d.State != store.Succeeded && d.State != store.Merged && !d.Claimed
		},
	})
}

// Again makes a delivery pending that ended before some time, also one that
// succeeded. It keeps its id and its history; the attempts count anew. Whoever
// asks once more with the same time, after a crash perhaps, is told ErrState.
func (s *Store) Again(ctx context.Context, seq int64, before time.Time) (*store.Delivery, error) {
	return s.operate(ctx, seq, operation{
		to:  store.Pending,
		sql: "UPDATE deliveries SET state=0, claimed=0, due=?2, throttled=attempt, first_at=0, run_id='' WHERE seq=?1",
		may: func(d *store.Delivery) bool {
			return (d.State == store.Succeeded || d.State == store.Dead) && d.Last.Ended.Before(before)
		},
	})
}

// Discard ends an open or dead delivery by hand.
func (s *Store) Discard(ctx context.Context, seq int64) (*store.Delivery, error) {
	return s.operate(ctx, seq, operation{
		to:  store.Discarded,
		sql: "UPDATE deliveries SET state=5, claimed=0, ended=?2 WHERE seq=?1",
		may: func(d *store.Delivery) bool { return d.State.Open() || d.State == store.Dead },
	})
}

// operation is what a person may do with a delivery. sql takes its id and the
// time.
type operation struct {
	to  store.State
	sql string
	may func(*store.Delivery) bool
}

// keepAttempt keeps the attempt that ended a delivery: the row is about to hold
// another one.
const keepAttempt = `INSERT OR IGNORE INTO attempts SELECT seq,attempt,started,ended,outcome,message,process
FROM deliveries WHERE seq=? AND attempt>0`

// operate returns the delivery as it was before.
func (s *Store) operate(ctx context.Context, seq int64, o operation) (*store.Delivery, error) {
	var d *store.Delivery
	var refused error
	err := s.do(ctx, func(c *conn.Conn) error {
		var packed bool
		var err error
		d, packed, err = rows.Find(c, seq)
		switch {
		case err != nil:
			return err
		case d == nil:
			refused = store.ErrNotFound
			return nil
		case !o.may(d):
			refused = store.ErrState
			return nil
		}
		if packed {
			err = rows.Unpack(c, d)
		}
		if err == nil {
			_, err = c.Exec(keepAttempt, seq)
		}
		if err == nil {
			_, err = c.Exec(o.sql, seq, record.Micros(time.Now()))
		}
		if err == nil {
			err = rows.Seal(c, seq)
		}
		return err
	})
	if err = errors.Join(err, refused); err != nil {
		return d, err
	}
	if was, is := d.State.Open(), o.to.Open(); was && !is {
		s.open.Add(-1)
	} else if is && !was {
		s.open.Add(1)
	}
	return d, nil
}
