package fill

import (
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/ended"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

const updateDelivery = `UPDATE deliveries SET state=?2, claimed=?3, due=?4, attempt=?5, throttled=?6, first_at=?7,
run_id=?8, started=?9, ended=?10, outcome=?11, message=?12, output=?13, process=?14, state_sum=?15 WHERE seq=?1 AND state<=2`

// updateSucceeded is updateDelivery for the usual end.
const updateSucceeded = `UPDATE deliveries SET state=3, claimed=0, attempt=1, first_at=?2, started=?2, ended=?3,
outcome='succeeded', process=?4, state_sum=?5 WHERE seq=?1 AND state<=2`

// usualEnd: the first attempt succeeded and there is nothing more to say.
func usualEnd(d *store.Delivery) bool {
	return ended.Fits(d) && d.RunID == "" && d.Last.Message == "" && d.Last.Output == nil
}

// update writes one change and tells how many rows it found.
func update(on *conn.Conn, c *store.Change, sums *record.Summer) (int64, error) {
	d := store.Delivery{Seq: c.Delivery.Seq}
	settle(&d, c)
	sum := sums.State(&d)
	if usualEnd(&d) {
		return on.Exec(updateSucceeded, c.Delivery.Seq, record.Micros(c.Attempt.Started), record.Micros(c.Attempt.Ended), c.Attempt.Process, sum)
	}
	return on.Exec(updateDelivery, append(changeRow(c), sum)...)
}

func changeRow(c *store.Change) []driver.Value {
	a := &c.Attempt
	return []driver.Value{
		c.Delivery.Seq, int64(c.State), c.Claimed, record.Micros(c.Due), int64(c.Attempts), int64(c.Throttled),
		record.Micros(c.FirstAttemptAt), c.RunID, record.Micros(a.Started), record.Micros(a.Ended), a.Outcome, a.Message,
		rows.Optional(a.Output), a.Process,
	}
}

func attemptRow(c *store.Change) []driver.Value {
	a := &c.Attempt
	return []driver.Value{
		c.Delivery.Seq, int64(a.Number), record.Micros(a.Started), record.Micros(a.Ended), a.Outcome, a.Message, a.Process,
	}
}
