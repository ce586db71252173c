package fill

import (
	"database/sql/driver"
	"sort"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

var (
	insertDeliveries = conn.NewBulk(`INSERT INTO deliveries
(seq,event,route,engine,workflow,input,key,state,claimed,due,
attempt,throttled,first_at,run_id,started,ended,outcome,message,output,process,sum,state_sum,gather) VALUES `, "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
	// insertSucceeded is insertDeliveries for the usual end, of which most is
	// always the same: to bind a value costs as much as to store it.
	insertSucceeded = conn.NewBulk(`INSERT INTO deliveries
(seq,event,route,engine,workflow,input,key,due,first_at,started,ended,process,sum,state_sum,
state,claimed,attempt,throttled,run_id,outcome,message,output) VALUES `, "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,3,0,1,0,'','succeeded','',NULL)")
	insertAttempts = conn.NewBulk(`INSERT OR REPLACE INTO attempts
(delivery,number,started,ended,outcome,message,process) VALUES `, "(?,?,?,?,?,?,?)")
)

// rows collects the new rows of a transaction. Deliveries stay open to changes
// until they are flushed.
type rows struct {
	events     blocks.Writer
	values     []driver.Value
	sums       record.Summer
	deliveries []store.Delivery
	// sources that the table has.
	sources map[string]bool
}

// reset forgets a transaction that failed.
func (r *rows) reset() {
	r.sources = nil
	r.clear()
}

func (r *rows) clear() {
	r.events.Reset()
	clear(r.deliveries)
	r.deliveries = r.deliveries[:0]
}

// page applies a page and tells how many of its changes ended nothing.
func (r *rows) page(c *conn.Conn, p *record.Page) (vain int64, err error) {
	for i := range p.Events {
		if err := r.event(c, &p.Events[i]); err != nil {
			return 0, err
		}
	}
	r.deliveries = append(r.deliveries, p.Deliveries...)
	for i := range p.Slots {
		if err := putSlot(c, &p.Slots[i]); err != nil {
			return 0, err
		}
	}
	for i := range p.Changes {
		ch := &p.Changes[i]
		if err := putStart(c, ch.Start); err != nil {
			return 0, err
		}
		found, err := r.change(c, ch)
		if err != nil {
			return 0, err
		}
		if !found && !ch.State.Open() {
			vain++
		}
	}
	return vain, nil
}

func (r *rows) event(c *conn.Conn, e *record.Event) error {
	if err := r.events.Add(c, e); err != nil {
		return err
	}
	source := e.Event.Source
	if r.sources[source] {
		return nil
	}
	if r.sources == nil {
		r.sources = map[string]bool{}
	}
	r.sources[source] = true
	_, err := c.Exec("INSERT OR IGNORE INTO sources (name) VALUES (?)", source)
	return err
}

func putSlot(c *conn.Conn, s *store.Slot) error {
	_, err := c.Exec(`INSERT INTO schedules (name,spec,slot) VALUES (?,?,?)
ON CONFLICT (name) DO UPDATE SET spec=excluded.spec, slot=excluded.slot`, s.Schedule, s.Spec, record.Micros(s.At))
	return err
}

// putStart keeps a start and drops those of its route that no longer count.
func putStart(c *conn.Conn, s *store.Start) error {
	if s == nil {
		return nil
	}
	if _, err := c.Exec("DELETE FROM starts WHERE route=? AND at<=?", s.Route, record.Micros(s.At.Add(-s.Window))); err != nil {
		return err
	}
	_, err := c.Exec("INSERT INTO starts (route,at) VALUES (?,?)", s.Route, record.Micros(s.At))
	return err
}

// flush writes the rows collected so far.
func (r *rows) flush(c *conn.Conn) error {
	if err := r.events.Flush(c); err != nil {
		return err
	}
	err := r.insert(c, insertSucceeded, true, r.appendSucceeded)
	if err == nil {
		err = r.insert(c, insertDeliveries, false, r.appendDelivery)
	}
	r.clear()
	return err
}

// insert writes the deliveries that ended in the usual way, or the others.
func (r *rows) insert(c *conn.Conn, into *conn.Bulk, usual bool, row func([]driver.Value, *store.Delivery) []driver.Value) error {
	r.values = r.values[:0]
	for i := range r.deliveries {
		if d := &r.deliveries[i]; usualEnd(d) == usual {
			r.values = row(r.values, d)
		}
	}
	defer clear(r.values)
	return into.Exec(c, r.values)
}

func (r *rows) appendSucceeded(vals []driver.Value, d *store.Delivery) []driver.Value {
	return append(vals, d.Seq, d.EventSeq, d.Route, d.Engine, d.Workflow, optional(d.Input), d.Key, record.Micros(d.Due),
		record.Micros(d.FirstAttemptAt), record.Micros(d.Last.Started), record.Micros(d.Last.Ended), d.Last.Process, r.sums.Fixed(d), r.sums.State(d))
}

func (r *rows) appendDelivery(vals []driver.Value, d *store.Delivery) []driver.Value {
	a := &d.Last
	return append(vals, d.Seq, d.EventSeq, d.Route, d.Engine, d.Workflow, optional(d.Input), d.Key, int64(d.State), d.Claimed,
		record.Micros(d.Due), int64(d.Attempt), int64(d.Throttled), record.Micros(d.FirstAttemptAt), d.RunID,
		record.Micros(a.Started), record.Micros(a.Ended), a.Outcome, a.Message, optional(a.Output), a.Process, r.sums.Fixed(d), r.sums.State(d), d.Gather)
}

// collected finds a delivery that has not been flushed.
func (r *rows) collected(seq int64) *store.Delivery {
	i := sort.Search(len(r.deliveries), func(i int) bool { return r.deliveries[i].Seq >= seq })
	if i < len(r.deliveries) && r.deliveries[i].Seq == seq {
		return &r.deliveries[i]
	}
	return nil
}

// change applies a change and tells whether its delivery was open.
func (r *rows) change(c *conn.Conn, ch *store.Change) (found bool, err error) {
	if ch.AttemptEnded && ch.State.Open() {
		if err := insertAttempts.Exec(c, attemptRow(ch)); err != nil {
			return false, err
		}
	}
	if d := r.collected(ch.Delivery.Seq); d != nil {
		if !d.State.Open() {
			return false, nil
		}
		settle(d, ch)
		return true, nil
	}
	n, err := update(c, ch, &r.sums)
	return n > 0, err
}

// settle does to a row in memory what update does to one in the table.
func settle(d *store.Delivery, c *store.Change) {
	d.State, d.Claimed, d.Due, d.RunID = c.State, c.Claimed, c.Due, c.RunID
	d.Attempt, d.Throttled, d.FirstAttemptAt, d.Last = c.Attempts, c.Throttled, c.FirstAttemptAt, c.Attempt
}

func optional(b []byte) driver.Value {
	if b == nil {
		return nil
	}
	return b
}
