package sqlite

import (
	"context"
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Starts tells when runs of routes with a rate were started, oldest first: at
// least all that still count.
func (s *Store) Starts(ctx context.Context) (list []store.Start, err error) {
	err = s.rows(ctx, "SELECT route,at FROM starts ORDER BY at", nil, func(row []driver.Value) error {
		list = append(list, store.Start{Route: row[0].(string), At: record.Time(row[1].(int64))})
		return nil
	})
	return list, err
}
