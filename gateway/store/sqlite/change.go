package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// Record queues what became of a delivery. It returns at once unless the
// queue is full; Change.Committed tells when it is on disk.
func (s *Store) Record(c *store.Change) { s.enqueue(op{change: c}) }

var insertAttempts = conn.NewBulk(`INSERT OR REPLACE INTO attempts
(delivery,number,started,ended,outcome,message,process) VALUES `, 7)

const updateDelivery = `UPDATE deliveries SET state=?2, claimed=?3, due=?4, attempt=?5, throttled=?6, first_at=?7,
run_id=?8, started=?9, ended=?10, outcome=?11, message=?12, output=?13, process=?14 WHERE seq=?1 AND state<=2`

// updateSucceeded is updateDelivery for the usual end: the first attempt
// succeeded and there is nothing more to say.
const updateSucceeded = `UPDATE deliveries SET state=3, claimed=0, attempt=1, first_at=?2, started=?2, ended=?3,
outcome='succeeded', process=?4 WHERE seq=?1 AND state<=2`

// plain tells whether updateSucceeded says all that a change does.
func plain(c *store.Change) bool {
	a := &c.Attempt
	return c.State == store.Succeeded && c.Attempts == 1 && c.Throttled == 0 && c.RunID == "" && a.Outcome == "succeeded" &&
		a.Message == "" && a.Output == nil && a.Started.Equal(c.FirstAttemptAt)
}

// update writes one change and tells how many rows it found.
func update(on *conn.Conn, c *store.Change) (int64, error) {
	if plain(c) {
		return on.Exec(updateSucceeded, c.Delivery.Seq, micros(c.Attempt.Started), micros(c.Attempt.Ended), c.Attempt.Process)
	}
	return on.Exec(updateDelivery, changeRow(c)...)
}

func (s *Store) writeChanges(b *batch) error {
	changes := b.changes
	if len(changes) == 0 {
		return nil
	}
	var attempts []driver.Value
	for _, c := range changes {
		if c.AttemptEnded && c.State.Open() {
			attempts = append(attempts, attemptRow(c.Delivery.Seq, c.Attempt)...)
		}
		changed, err := update(s.conn, c)
		if err != nil {
			return err
		}
		if !c.State.Open() {
			b.ended += changed // none where a person has ended it before
		}
	}
	return insertAttempts.Exec(s.conn, attempts)
}

func attemptRow(seq int64, a store.Attempt) []driver.Value {
	return []driver.Value{
		seq, int64(a.Number), micros(a.Started), micros(a.Ended), a.Outcome, a.Message, a.Process,
	}
}

func changeRow(c *store.Change) []driver.Value {
	a := c.Attempt
	return []driver.Value{
		c.Delivery.Seq, int64(c.State), c.Claimed, micros(c.Due), int64(c.Attempts), int64(c.Throttled), micros(c.FirstAttemptAt),
		c.RunID, micros(a.Started), micros(a.Ended), a.Outcome, a.Message, optional(a.Output), a.Process,
	}
}

// do runs a task and waits for its commit. It is not interruptible: once
// queued, only the commit knows what became of it.
func (s *Store) do(ctx context.Context, run func(*conn.Conn) error) error {
	if err := errors.Join(ctx.Err(), s.Err()); err != nil {
		return err
	}
	done := make(chan error, 1)
	if !s.enqueue(op{task: &task{run: run, done: func(err error) { done <- err }}}) {
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
		may: func(d *store.Delivery) bool { return d.State != store.Succeeded && !d.Claimed },
	})
}

// Discard ends an open or dead delivery by hand.
func (s *Store) Discard(ctx context.Context, seq int64) (*store.Delivery, error) {
	return s.operate(ctx, seq, operation{
		to:  store.Discarded,
		sql: "UPDATE deliveries SET state=5, claimed=0, ended=?2 WHERE seq=?1",
		may: func(d *store.Delivery) bool { return d.State != store.Succeeded && d.State != store.Discarded },
	})
}

// operation is what a person may do with a delivery. sql takes its id and the
// time.
type operation struct {
	to  store.State
	sql string
	may func(*store.Delivery) bool
}

// operate returns the delivery as it was before.
func (s *Store) operate(ctx context.Context, seq int64, o operation) (*store.Delivery, error) {
	var d *store.Delivery
	var refused error
	err := s.do(ctx, func(c *conn.Conn) error {
		err := c.Query("SELECT "+deliveryColumns+" FROM deliveries d WHERE seq=?", func(row []driver.Value) error {
			d = deliveryOf(row)
			return nil
		}, seq)
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
		_, err = c.Exec(o.sql, seq, micros(time.Now()))
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
