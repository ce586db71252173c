// Package rows reads events and deliveries out of the tables of the embedded
// store, for lists as for dispatch, which claims what it reads.
package rows

import (
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// What Event and Delivery read, of events and of deliveries d.
const (
	EventColumns    = "seq,id,source,type,subject,time,content_type,meta,body,revision,deliveries,conflict"
	DeliveryColumns = "d.seq,d.event,d.route,d.engine,d.workflow,d.input,d.key,d.state,d.claimed,d.due," +
		"d.attempt,d.throttled,d.first_at,d.run_id,d.started,d.ended,d.outcome,d.message,d.output,d.process,d.gather"
)

// Event reads a row of EventColumns.
func Event(row []driver.Value) (*store.StoredEvent, error) {
	ev := &event.Event{
		ID: row[1].(string), Source: row[2].(string), Type: row[3].(string), Subject: row[4].(string),
		Time: record.Time(row[5].(int64)), ContentType: row[6].(string), Body: Blob(row[8]),
	}
	if err := record.ReadMeta(row[7].(string), ev); err != nil {
		return nil, err
	}
	return &store.StoredEvent{
		Seq: row[0].(int64), Event: ev, Revision: row[9].(string), Deliveries: int(row[10].(int64)), Conflict: row[11].(int64) != 0,
	}, nil
}

// Delivery reads a row of DeliveryColumns.
func Delivery(row []driver.Value) *store.Delivery {
	d := &store.Delivery{
		Seq: row[0].(int64), EventSeq: row[1].(int64),
		Route: row[2].(string), Engine: row[3].(string), Workflow: row[4].(string),
		Input: Blob(row[5]), Key: row[6].(string), State: store.State(row[7].(int64)),
		Claimed: row[8].(int64) != 0, Due: record.Time(row[9].(int64)),
		Attempt: int(row[10].(int64)), Throttled: int(row[11].(int64)),
		FirstAttemptAt: record.Time(row[12].(int64)), RunID: row[13].(string), Gather: row[20].(int64) != 0,
	}
	d.Last = store.Attempt{
		Number: d.Attempt, Started: record.Time(row[14].(int64)), Ended: record.Time(row[15].(int64)),
		Outcome: row[16].(string), Message: row[17].(string), Output: Blob(row[18]), Process: row[19].(string),
	}
	if !d.Last.Started.IsZero() && d.Last.Outcome == "" {
		d.Last.Number++ // it has not ended, or a person ended it: d.Attempt does not count it
	}
	return d
}

// Blob reads a column that may be NULL.
func Blob(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}

// EventBySeq fails with store.ErrNotFound.
func EventBySeq(c *conn.Conn, seq int64) (found *store.StoredEvent, err error) {
	err = c.Query("SELECT "+EventColumns+" FROM events WHERE seq=?", func(row []driver.Value) error {
		found, err = Event(row)
		return err
	}, seq)
	if err == nil && found == nil {
		err = store.ErrNotFound
	}
	return found, err
}
