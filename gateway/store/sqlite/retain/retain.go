// Package retain deletes what is past its time, a little at a time and beside
// the commits of others. It stands beside the store's writer, which runs it.
package retain

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

const (
	every = time.Minute
	// stepRows bounds the rows that are looked at with one query, while which
	// SQLite's log cannot begin anew, and deleted in one transaction; stepBlocks
	// those that hold many.
	stepRows, stepBlocks = 8192, 64
)

// Rounds is retention over an open store.
type Rounds struct {
	// Keep says for how long; zero durations: for ever.
	Keep store.Retain
	// Read runs a query, whose answer has an end, beside the writer.
	Read func(ctx context.Context, query string, args []any, each func([]driver.Value) error) error
	// Do runs a transaction of the writer's.
	Do conn.Do
	// Events lets go those before an id that have no deliveries any more.
	Events func(ctx context.Context, do conn.Do, before int64) error
	// Move brings keys where they outlive the rows of their events; Expire lets go
	// those that are past their time at now.
	Move   func(ctx context.Context) error
	Expire func(ctx context.Context, now time.Time) error
}

// Run makes rounds until ctx ends.
func (r *Rounds) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = r.Round(ctx, time.Now()) // what could not be deleted is the next round's
	}
}

// expiry is one kind of thing that leaves by retention.
type expiry struct {
	keep time.Duration
	// table and its key, which is an id or a rowid; step is how many of its rows.
	table, key string
	step       int
	// old tells of a row whether it is past its time ?1 (Unix microseconds).
	// Whoever deletes asks again: a person may have retried it meanwhile.
	old string
	// after are statements that follow the deletion of rows after ?2, up to ?3.
	after []string
}

// before is the oldest id to keep, from the time ?1.
const before = "((?1/1000-1577836800000)<<22)"

// markNewest keeps the newest id: without it, ids could come again if the
// newest rows leave and the clock goes back.
const markNewest = `INSERT OR REPLACE INTO marks (name,value) SELECT 'newest', max(coalesce((SELECT max(upto) FROM blocks),0),
coalesce((SELECT max(seq) FROM deliveries),0), coalesce((SELECT value FROM marks WHERE name='newest'),0))`

func (r *Rounds) expiries() []expiry {
	ended := func(keep time.Duration, states string) expiry {
		return expiry{
			keep: keep, table: "deliveries", key: "seq", step: stepRows,
			old:   "seq<" + before + " AND state IN (" + states + ") AND ended<?1",
			after: []string{"DELETE FROM attempts WHERE delivery>?2 AND delivery<=?3 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE seq=delivery)"},
		}
	}
	all := []expiry{
		ended(r.Keep.Succeeded, "3,6"),
		ended(r.Keep.Dead, "4,5"),
		{keep: r.Keep.Succeeded, table: "ended", key: "upto", step: stepBlocks, old: "upto<" + before + " AND ended<?1"},
		// Those of routes that start something go before; see fill.
		{keep: store.MaxWindow, table: "starts", key: "rowid", step: stepRows, old: "at<?1"},
	}
	return slices.DeleteFunc(all, func(x expiry) bool { return x.keep <= 0 })
}

// Round deletes what is past its time at now. An event leaves when its last
// delivery has, and its keys after it.
func (r *Rounds) Round(ctx context.Context, now time.Time) error {
	if err := r.Move(ctx); err != nil {
		return fmt.Errorf("retain: %w", err)
	}
	for _, x := range r.expiries() {
		if err := r.expire(ctx, x, now.Add(-x.keep).UnixMicro()); err != nil {
			return fmt.Errorf("retain %s: %w", x.table, err)
		}
	}
	if r.Keep.Unrouted > 0 {
		if err := r.Events(ctx, r.delete, store.SeqAt(now.Add(-r.Keep.Unrouted))); err != nil {
			return fmt.Errorf("retain events: %w", err)
		}
	}
	if err := r.Expire(ctx, now); err != nil {
		return fmt.Errorf("retain keys: %w", err)
	}
	return nil
}

// expire looks through a table in steps, and deletes what it finds step by step:
// ids grow with time, so that what is old lies together, and one statement for a
// stretch costs a fraction of one for each row. What is younger comes last where
// the key is an id: there the first step that finds only such is the last.
func (r *Rounds) expire(ctx context.Context, x expiry, time int64) error {
	bound := ""
	if x.key != "rowid" {
		bound = " AND " + x.key + "<" + before
	}
	look := fmt.Sprintf("SELECT max(k), sum(old) FROM (SELECT %[1]s AS k, %[2]s AS old FROM %[3]s WHERE %[1]s>?2%[4]s ORDER BY %[1]s LIMIT %[5]d)",
		x.key, x.old, x.table, bound, x.step)
	for from := int64(0); ; {
		to, old := from, int64(0)
		err := r.Read(ctx, look, []any{time, from}, func(row []driver.Value) error {
			if row[0] != nil {
				to, old = row[0].(int64), row[1].(int64)
			}
			return nil
		})
		if err != nil || to == from {
			return err
		}
		if old > 0 {
			err = r.delete(ctx, func(c *conn.Conn) error { return x.remove(c, from, to, time) })
		}
		if err != nil {
			return err
		}
		from = to
	}
}

// delete is Do for what deletes rows that have ids.
func (r *Rounds) delete(ctx context.Context, run func(*conn.Conn) error) error {
	return r.Do(ctx, func(c *conn.Conn) error {
		if _, err := c.Exec(markNewest); err != nil {
			return err
		}
		return run(c)
	})
}

// remove deletes what is old of the rows after one key, up to another.
func (x *expiry) remove(c *conn.Conn, from, to, time int64) error {
	for _, sql := range append([]string{"DELETE FROM " + x.table + " WHERE " + x.key + ">?2 AND " + x.key + "<=?3 AND " + x.old}, x.after...) {
		if _, err := c.Exec(sql, time, from, to); err != nil {
			return err
		}
	}
	return nil
}
