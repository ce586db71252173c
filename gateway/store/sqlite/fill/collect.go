package fill

import (
	"sort"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/ended"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

var insertAttempts = conn.NewBulk(`INSERT OR REPLACE INTO attempts
(delivery,number,started,ended,outcome,message,process) VALUES `, "(?,?,?,?,?,?,?)")

// collector collects the new rows of a transaction. Deliveries stay open to changes
// until they are flushed.
type collector struct {
	events     blocks.Writer
	ended      ended.Writer
	others     rows.Inserter
	sums       record.Summer
	deliveries []store.Delivery
	// sources that the table has.
	sources map[string]bool
}

// reset forgets a transaction that failed.
func (r *collector) reset() {
	r.sources = nil
	r.clear()
}

func (r *collector) clear() {
	r.events.Reset()
	r.ended.Reset()
	r.others.Reset()
	clear(r.deliveries)
	r.deliveries = r.deliveries[:0]
}

// page applies a page and tells how many of its changes ended nothing.
func (r *collector) page(c *conn.Conn, p *record.Page) (vain int64, err error) {
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

func (r *collector) event(c *conn.Conn, e *record.Event) error {
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
func (r *collector) flush(c *conn.Conn) error {
	if err := r.events.Flush(c); err != nil {
		return err
	}
	defer r.clear()
	for i := range r.deliveries {
		d := &r.deliveries[i]
		if !ended.Fits(d) {
			r.others.Add(d)
		} else if err := r.ended.Add(c, d); err != nil {
			return err
		}
	}
	if err := r.ended.Flush(c); err != nil {
		return err
	}
	return r.others.Flush(c)
}

// collected finds a delivery that has not been flushed.
func (r *collector) collected(seq int64) *store.Delivery {
	i := sort.Search(len(r.deliveries), func(i int) bool { return r.deliveries[i].Seq >= seq })
	if i < len(r.deliveries) && r.deliveries[i].Seq == seq {
		return &r.deliveries[i]
	}
	return nil
}

// change applies a change and tells whether its delivery was open.
func (r *collector) change(c *conn.Conn, ch *store.Change) (found bool, err error) {
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
