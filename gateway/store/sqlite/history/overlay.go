package history

import (
	"context"
	"database/sql/driver"
	"strings"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// Overlay lists what was made while the gateway ran, oldest first.
func (h History) Overlay(ctx context.Context) (list []store.OverlayEntry, err error) {
	err = h.Read(ctx, "SELECT name,text,at FROM overlay ORDER BY n", nil, func(row []driver.Value) error {
		list = append(list, store.OverlayEntry{Name: row[0].(string), Text: rows.Blob(row[1]), At: record.Time(row[2].(int64))})
		return nil
	})
	return list, err
}

// PutOverlay keeps an entry, in the place of one of the same name. It is on
// stable storage when this returns.
func (h History) PutOverlay(ctx context.Context, e store.OverlayEntry) error {
	return h.Do(ctx, func(c *conn.Conn) error {
		_, err := c.Exec("INSERT INTO overlay (name,text,at) VALUES (?1,?2,?3) ON CONFLICT (name) DO UPDATE SET text=?2, at=?3",
			e.Name, append([]byte{}, e.Text...), record.Micros(e.At))
		return err
	})
}

// DropOverlay forgets an entry for good; without one it is store.ErrNotFound.
// With a schedule goes how far it had come: another one of that name is new.
func (h History) DropOverlay(ctx context.Context, name string) error {
	return h.Do(ctx, func(c *conn.Conn) error {
		n, err := c.Exec("DELETE FROM overlay WHERE name=?", name)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrNotFound
		}
		if schedule, ok := strings.CutPrefix(name, "schedules."); ok {
			_, err = c.Exec("DELETE FROM schedules WHERE name=?", schedule)
		}
		return err
	})
}
