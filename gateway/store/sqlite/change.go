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

// again tries a change once more that met a full disk. Space comes back by
// retention or by a person; a second is soon enough.
func (s *Store) again(c *store.Change) {
	time.AfterFunc(time.Second, func() { s.enqueue(op{change: c}) })
}

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

// Claim takes due deliveries of one route out of the store's hands: it marks
// them as held in memory and passes them to then, which is called by the
// writer after the commit and must not block.
func (s *Store) Claim(c store.Claim, then func(store.Claimed, error)) {
	var got store.Claimed
	t := &task{
		run:  func(on *conn.Conn) (err error) { got, err = claim(on, c); return err },
		done: func(err error) { then(got, err) },
	}
	if !s.enqueue(op{task: t}) {
		then(store.Claimed{}, store.ErrFailed)
	}
}

func claim(c *conn.Conn, want store.Claim) (store.Claimed, error) {
	got, err := claimRows(c, want)
	if err != nil {
		return got, err
	}
	for _, d := range got.Deliveries {
		if _, err := c.Exec("UPDATE deliveries SET claimed=1 WHERE seq=?", d.Seq); err != nil {
			return got, err
		}
	}
	err = c.Query("SELECT min(due) FROM deliveries WHERE claimed=0 AND route=? AND state<=2", func(row []driver.Value) error {
		if due, ok := row[0].(int64); ok {
			got.NextDue = fromMicros(due)
		}
		return nil
	}, want.Route)
	return got, err
}

// claimRows reads the deliveries and, once each, their events.
func claimRows(c *conn.Conn, want store.Claim) (got store.Claimed, err error) {
	sql, vals := claimSQL(want)
	err = c.Query(sql, func(row []driver.Value) error {
		got.Deliveries = append(got.Deliveries, deliveryOf(row))
		return nil
	}, vals...)
	if err != nil {
		return got, err
	}
	got.More = len(got.Deliveries) >= want.Limit
	events := map[int64]*store.StoredEvent{}
	size := 0
	for i, d := range got.Deliveries {
		if size > want.MaxBytes && want.MaxBytes > 0 {
			got.Deliveries, got.More = got.Deliveries[:i], true
			break
		}
		if events[d.EventSeq] == nil {
			if events[d.EventSeq], err = eventBySeq(c, d.EventSeq); err != nil {
				return got, err
			}
			size += len(events[d.EventSeq].Event.Body)
		}
		d.Event, d.Claimed = events[d.EventSeq].Event, true
		d.EventID = d.Event.ID
	}
	return got, nil
}

func claimSQL(want store.Claim) (string, []driver.Value) {
	sql := "SELECT " + deliveryColumns + " FROM deliveries d WHERE claimed=0 AND route=? AND state<=2"
	vals := []driver.Value{want.Route}
	if !want.InOrder {
		sql += " AND due<=?"
		vals = append(vals, micros(want.Now))
	}
	if len(want.Except) > 0 {
		sql += " AND key NOT IN (SELECT value FROM json_each(?))"
		vals = append(vals, jsonList(want.Except))
	}
	if want.InOrder {
		sql += " ORDER BY seq"
	} else {
		sql += " ORDER BY due"
	}
	return sql + " LIMIT ?", append(vals, int64(want.Limit))
}

// do runs a task and waits for its commit.
func (s *Store) do(ctx context.Context, run func(*conn.Conn) error) error {
	if err := s.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	if !s.enqueue(op{task: &task{run: run, done: func(err error) { done <- err }}}) {
		return store.ErrFailed
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
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
