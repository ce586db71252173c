package sqlite

import (
	"context"
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Positions tells how far schedules had come, each that is remembered.
func (s *Store) Positions(ctx context.Context) (list []store.Position, err error) {
	err = s.rows(ctx, "SELECT name,spec,slot,since,seen,paused FROM schedules ORDER BY name", nil, func(row []driver.Value) error {
		list = append(list, store.Position{
			Schedule: row[0].(string), Spec: row[1].(string), Last: record.Time(row[2].(int64)),
			Since: record.Time(row[3].(int64)), Seen: record.Time(row[4].(int64)), Paused: row[5].(int64) != 0,
		})
		return nil
	})
	return list, err
}

// KeepPosition remembers all of a position but its Last, which goes with the
// event that was fired.
func (s *Store) KeepPosition(ctx context.Context, p store.Position) error {
	return s.do(ctx, func(c *conn.Conn) error {
		_, err := c.Exec(`INSERT INTO schedules (name,spec,slot,since,seen,paused) VALUES (?1,?2,0,?3,?4,?5)
ON CONFLICT (name) DO UPDATE SET spec=?2, since=?3, seen=?4, paused=?5`,
			p.Schedule, p.Spec, record.Micros(p.Since), record.Micros(p.Seen), p.Paused)
		return err
	})
}

// ForgetPosition forgets a schedule: another one of that name is new.
func (s *Store) ForgetPosition(ctx context.Context, name string) error {
	return s.do(ctx, func(c *conn.Conn) error {
		_, err := c.Exec("DELETE FROM schedules WHERE name=?", name)
		return err
	})
}
