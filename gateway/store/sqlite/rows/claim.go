package rows

import (
	"database/sql/driver"
	"encoding/json"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// claimed is what a claim found. Lost are deliveries whose event cannot be
// read: no retry helps those, and they must not stand in others' way.
type claimed struct {
	store.Claimed
	lost []loss
}

type loss struct {
	seq   int64
	cause error
}

// Claim marks pending deliveries of one route as held in memory and reads them.
// lost is how many were given up instead.
func Claim(c *conn.Conn, want store.Claim) (got store.Claimed, lost int, err error) {
	found, err := claimRows(c, want)
	if err != nil {
		return got, 0, err
	}
	got = found.Claimed
	for _, d := range got.Deliveries {
		if _, err := c.Exec("UPDATE deliveries SET claimed=1 WHERE seq=?", d.Seq); err != nil {
			return got, 0, err
		}
	}
	for _, l := range found.lost {
		if _, err := c.Exec("UPDATE deliveries SET state=4, ended=?2, outcome='permanent', message=?3 WHERE seq=?1",
			l.seq, record.Micros(time.Now()), "it or its event cannot be read: "+l.cause.Error()); err != nil {
			return got, 0, err
		}
		if err := Seal(c, l.seq); err != nil {
			return got, 0, err
		}
	}
	err = c.Query("SELECT min(due) FROM deliveries WHERE claimed=0 AND route=? AND state<=2 AND gather="+flag(want.Gather), func(row []driver.Value) error {
		if due, ok := row[0].(int64); ok {
			got.NextDue = record.Time(due)
		}
		return nil
	}, want.Route)
	return got, len(found.lost), err
}

// claimRows reads the deliveries and, once each, their events.
func claimRows(c *conn.Conn, want store.Claim) (got claimed, err error) {
	var found []*store.Delivery
	sql, vals := claimSQL(want)
	err = c.Query(sql, func(row []driver.Value) error {
		d, err := Delivery(row)
		if err != nil {
			got.lost = append(got.lost, loss{d.Seq, err})
			return nil
		}
		found = append(found, d)
		return nil
	}, vals...)
	if err != nil {
		return got, err
	}
	got.More = len(found)+len(got.lost) >= want.Limit
	events, from := map[int64]*store.StoredEvent{}, blocks.NewReader(c)
	size := 0
	for _, d := range found {
		if size > want.MaxBytes && want.MaxBytes > 0 {
			got.More = true
			break
		}
		ev := events[d.EventSeq]
		if ev == nil {
			if ev, err = from.Event(d.EventSeq); err != nil && conn.Harmless(err) {
				got.lost = append(got.lost, loss{d.Seq, err})
				err = nil
				continue
			} else if err != nil {
				return got, err
			}
			events[d.EventSeq] = ev
			size += len(ev.Event.Body)
		}
		size += len(d.Input)
		d.Event, d.EventID, d.Claimed = ev.Event, ev.Event.ID, true
		got.Deliveries = append(got.Deliveries, d)
	}
	return got, err
}

// claimSQL names the index: without, a strict route's whole backlog would be
// sorted for every claim.
func claimSQL(want store.Claim) (string, []driver.Value) {
	index, order := "deliveries_open", "due"
	switch {
	case want.Gather:
		index, order = "deliveries_gathering", "seq"
	case want.InOrder:
		index, order = "deliveries_unclaimed", "seq"
	}
	sql := "SELECT " + DeliveryColumns + " FROM deliveries d INDEXED BY " + index + " WHERE claimed=0 AND route=? AND state<=2 AND gather=" + flag(want.Gather)
	vals := []driver.Value{want.Route}
	if order == "due" {
		sql += " AND due<=?"
		vals = append(vals, record.Micros(want.Now))
	}
	if len(want.Except) > 0 {
		sql += " AND key NOT IN (SELECT value FROM json_each(?))"
		vals = append(vals, jsonList(want.Except))
	}
	return sql + " ORDER BY " + order + " LIMIT ?", append(vals, int64(want.Limit))
}

// flag is a value that an index needs to see in the text.
func flag(v bool) string {
	if v {
		return "1"
	}
	return "0"
}

func jsonList(list []string) string {
	text, _ := json.Marshal(list)
	return string(text)
}
