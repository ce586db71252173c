// Package rows reads deliveries out of the tables of the embedded
// store, for lists as for dispatch, which claims what it reads.
package rows

import (
	"database/sql/driver"
	"fmt"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// DeliveryColumns are what Delivery reads, of deliveries d.
const DeliveryColumns = "d.seq,d.event,d.route,d.engine,d.workflow,d.input,d.key,d.state,d.claimed,d.due," +
	"d.attempt,d.throttled,d.first_at,d.run_id,d.started,d.ended,d.outcome,d.message,d.output,d.process,d.sum,d.state_sum,d.gather"

// ErrDamaged: a row is not what was written.
var ErrDamaged = conn.ErrDamaged

// Delivery reads a row of DeliveryColumns. It returns one that is damaged, too.
func Delivery(row []driver.Value) (*store.Delivery, error) {
	d := &store.Delivery{
		Seq: number(row[0]), EventSeq: number(row[1]),
		Route: text(row[2]), Engine: text(row[3]), Workflow: text(row[4]),
		Input: Blob(row[5]), Key: text(row[6]), State: store.State(number(row[7])),
		Claimed: number(row[8]) != 0, Due: record.Time(number(row[9])),
		Attempt: int(number(row[10])), Throttled: int(number(row[11])),
		FirstAttemptAt: record.Time(number(row[12])), RunID: text(row[13]), Gather: number(row[22]) != 0,
	}
	d.Last = store.Attempt{
		Number: d.Attempt, Started: record.Time(number(row[14])), Ended: record.Time(number(row[15])),
		Outcome: text(row[16]), Message: text(row[17]), Output: Blob(row[18]), Process: text(row[19]),
	}
	var sums record.Summer
	sound := is(row[20], sums.Fixed(d)) && is(row[21], sums.State(d))
	if !d.Last.Started.IsZero() && d.Last.Outcome == "" {
		d.Last.Number++ // it has not ended, or a person ended it: d.Attempt does not count it
	}
	if !sound {
		return d, fmt.Errorf("delivery %s: %w", d.ID(), ErrDamaged)
	}
	return d, nil
}

// is tells whether a column has a checksum, or is of a time before there were
// any.
func is(column driver.Value, sum int64) bool {
	n, ok := column.(int64)
	return ok && (n == 0 || n == sum)
}

// number and text read columns. A damaged row may have anything in them, which
// its checksum tells.
func number(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// Seal gives a delivery its checksums after a statement that changed a part of
// it. One that was damaged is by then a dead letter, whose message tells that.
func Seal(c *conn.Conn, seq int64) error {
	var d *store.Delivery
	err := c.Query("SELECT "+DeliveryColumns+" FROM deliveries d WHERE seq=?", func(row []driver.Value) error {
		d, _ = Delivery(row) // its checksum is not right yet
		return nil
	}, seq)
	if err == nil && d != nil {
		_, err = c.Exec("UPDATE deliveries SET sum=?, state_sum=? WHERE seq=?", new(record.Summer).Fixed(d), new(record.Summer).State(d), seq)
	}
	return err
}

// Blob reads a column that may be NULL.
func Blob(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}
