package schema

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// moveRows are read with one query.
const moveRows = 4096

// eventsIntoBlocks moves the rows of events of before into blocks. One that is
// damaged stops it: in a block it would be as good as any.
func eventsIntoBlocks(c *conn.Conn) error {
	var w blocks.Writer
	for after, more := int64(0), true; more; {
		list, err := oldEvents(c, after)
		if err != nil {
			return err
		}
		for i := range list {
			after = list[i].Seq
			if err := w.Add(c, &list[i]); err != nil {
				return err
			}
		}
		more = len(list) == moveRows
	}
	if err := w.Flush(c); err != nil {
		return err
	}
	return c.Script("DROP TABLE events")
}

func oldEvents(c *conn.Conn, after int64) (list []record.Event, err error) {
	err = c.Query(`SELECT seq,id,source,type,subject,time,content_type,meta,body,revision,deliveries,conflict,sum,digest,keys
FROM events WHERE seq>? ORDER BY seq LIMIT ?`, func(row []driver.Value) error {
		e, err := oldEvent(row)
		if err == nil {
			list = append(list, e)
		}
		return err
	}, after, int64(moveRows))
	return list, err
}

func oldEvent(row []driver.Value) (e record.Event, err error) {
	ev := &event.Event{
		ID: row[1].(string), Source: row[2].(string), Type: row[3].(string), Subject: row[4].(string),
		Time: record.Time(row[5].(int64)), ContentType: row[6].(string), Body: row[8].([]byte),
	}
	e = record.Event{
		StoredEvent: store.StoredEvent{
			Seq: row[0].(int64), Event: ev, Revision: row[9].(string), Deliveries: int(row[10].(int64)), Conflict: row[11].(int64) != 0,
		},
		Digest: store.Digest(row[13].([]byte)), Keys: row[14].([]byte),
	}
	meta := row[7].(string)
	if sum := row[12].(int64); sum != 0 && sum != new(record.Summer).Event(&e.StoredEvent, meta) {
		return e, fmt.Errorf("event %s of %s: %w: delete its row with sqlite3, or restore the folder from a copy", ev.ID, ev.Source, conn.ErrDamaged)
	}
	return e, readMeta(meta, ev)
}

// readMeta reads what of an event had no column of its own.
func readMeta(text string, ev *event.Event) error {
	if text == "" {
		return nil
	}
	var m struct{ Headers, Query, Extensions map[string]string }
	err := json.Unmarshal([]byte(text), &m)
	ev.Headers, ev.Query, ev.Extensions = m.Headers, m.Query, m.Extensions
	return err
}
