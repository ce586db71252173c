// Package integrity asks SQLite whether the pages of the embedded store are
// whole. Rows have checksums, which are looked at whenever one is read; a page
// that has lost rows can only be found by looking at all of them. It stands
// beside the store, which asks at each start.
package integrity

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

const (
	// first is the size of a file, in bytes, that is checked before anything
	// else: that takes a fraction of a second.
	first = 16 << 20
	// most is the largest that is checked, beside the work. What takes minutes
	// would be in the way of SQLite's log above all, which cannot begin anew
	// meanwhile.
	most = 1 << 30
)

// Check is of one file.
type Check struct {
	// Size of the file.
	Size int64
	// Read runs a query beside the writer.
	Read func(ctx context.Context, query string, args []any, each func([]driver.Value) error) error
}

// First checks a small file, at the start.
func (c Check) First() error {
	if c.Size > first {
		return nil
	}
	return c.pages(context.Background())
}

// settles is how long a start has to itself: there is a backlog to be read.
const settles = time.Minute

// Later checks a larger one, a while after the start, and tells fail of what is
// damaged.
func (c Check) Later(ctx context.Context, fail func(error) error) {
	if c.Size <= first || c.Size > most {
		return
	}
	select {
	case <-time.After(settles):
	case <-ctx.Done():
		return
	}
	if err := c.pages(ctx); errors.Is(err, rows.ErrDamaged) {
		_ = fail(err) // whoever runs the store is told
	}
}

func (c Check) pages(ctx context.Context) error {
	return c.Read(ctx, "PRAGMA integrity_check(1)", nil, func(row []driver.Value) error {
		if found, _ := row[0].(string); found != "ok" {
			return fmt.Errorf("%w: %s: restore the folder from a copy, or have sqlite3 recover what it can", rows.ErrDamaged, found)
		}
		return nil
	})
}
