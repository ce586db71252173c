package rows

import (
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

var insert = conn.NewBulk(`INSERT INTO deliveries
(seq,event,route,engine,workflow,input,key,state,claimed,due,
attempt,throttled,first_at,run_id,started,ended,outcome,message,output,process,sum,state_sum,gather) VALUES `, "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")

// Inserter inserts deliveries, with the transaction in which Flush is called. It
// keeps its room.
type Inserter struct {
	values []driver.Value
	sums   record.Summer
}

// Add adds one.
func (i *Inserter) Add(d *store.Delivery) {
	a := &d.Last
	i.values = append(i.values, d.Seq, d.EventSeq, d.Route, d.Engine, d.Workflow, Optional(d.Input), d.Key, int64(d.State), d.Claimed,
		record.Micros(d.Due), int64(d.Attempt), int64(d.Throttled), record.Micros(d.FirstAttemptAt), d.RunID,
		record.Micros(a.Started), record.Micros(a.Ended), a.Outcome, a.Message, Optional(a.Output), a.Process, i.sums.Fixed(d), i.sums.State(d), d.Gather)
}

// Flush inserts what has been added.
func (i *Inserter) Flush(c *conn.Conn) error {
	defer i.Reset()
	return insert.Exec(c, i.values)
}

// Reset forgets what has been added.
func (i *Inserter) Reset() {
	clear(i.values)
	i.values = i.values[:0]
}

// Optional is the value of a column that may be NULL.
func Optional(b []byte) driver.Value {
	if b == nil {
		return nil
	}
	return b
}
