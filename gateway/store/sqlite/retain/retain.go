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
	// lookRows bounds the rows that are looked at with one query: while a
	// query goes on the WAL cannot start again. chunkRows bounds the rows
	// deleted in one transaction.
	lookRows, chunkRows = 5000, 1000
)

// Rounds is retention over an open store.
type Rounds struct {
	// Keep says for how long; zero durations: for ever.
	Keep store.Retain
	// Read runs a query, whose answer has an end, beside the writer.
	Read func(ctx context.Context, query string, args []any, each func([]driver.Value) error) error
	// Do runs a transaction of the writer's.
	Do conn.Do
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
	// table and its key, from below the first.
	table, key string
	from       any
	// old tells of a row whether it is past its time ?1 (Unix microseconds).
	// Whoever deletes asks again: a person may have retried it meanwhile.
	old string
	// after are statements for a row's key that follow its deletion.
	after []string
}

// before is the oldest id to keep, from the time ?1.
const before = "((?1/1000-1577836800000)<<22)"

// moved tells that the keys of an event, if it has any, are not in its row alone.
const moved = "(seq<=coalesce((SELECT value FROM marks WHERE name='keys'),0) OR keys=x'')"

// markNewest keeps the newest id: without it, ids could come again if the
// newest rows leave and the clock goes back.
const markNewest = `INSERT OR REPLACE INTO marks (name,value) SELECT 'newest', max(coalesce((SELECT max(seq) FROM events),0),
coalesce((SELECT max(seq) FROM deliveries),0), coalesce((SELECT value FROM marks WHERE name='newest'),0))`

func (r *Rounds) expiries() []expiry {
	ended := func(keep time.Duration, states string) expiry {
		return expiry{
			keep: keep, table: "deliveries", key: "seq", from: int64(0),
			old:   "seq<" + before + " AND state IN (" + states + ") AND ended<?1",
			after: []string{"DELETE FROM attempts WHERE delivery=?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE seq=?1)"},
		}
	}
	events := func(keep time.Duration, which string) expiry {
		return expiry{keep: keep, table: "events", key: "seq", from: int64(0), old: "seq<" + before + " AND " + moved + " AND " + which}
	}
	all := []expiry{
		ended(r.Keep.Succeeded, "3,6"),
		ended(r.Keep.Dead, "4,5"),
		events(r.Keep.Unrouted, `NOT EXISTS
(SELECT 1 FROM deliveries d WHERE d.seq>events.seq AND d.seq<=events.seq+events.deliveries)`),
		// Those of routes that start something go before; see fill.
		{keep: store.MaxWindow, table: "starts", key: "rowid", from: int64(0), old: "at<?1"},
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
	if err := r.Expire(ctx, now); err != nil {
		return fmt.Errorf("retain keys: %w", err)
	}
	return nil
}

// expire looks through a table in steps. What is younger comes last where the
// key is an id: there the first step that finds only such is the last.
func (r *Rounds) expire(ctx context.Context, x expiry, time int64) error {
	bound := ""
	if x.key == "seq" {
		bound = " AND seq<" + before
	}
	look := fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s>?2%s ORDER BY %s LIMIT %d", x.key, x.old, x.table, x.key, bound, x.key, lookRows)
	for from := x.from; from != nil; {
		var old []driver.Value
		next := any(nil)
		err := r.Read(ctx, look, []any{time, from}, func(row []driver.Value) error {
			next = row[0]
			if row[1].(int64) != 0 {
				old = append(old, row[0])
			}
			return nil
		})
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(old, chunkRows) {
			if err := r.Do(ctx, func(c *conn.Conn) error { return x.remove(c, chunk, time) }); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

func (x *expiry) remove(c *conn.Conn, keys []driver.Value, time int64) error {
	if _, err := c.Exec(markNewest); err != nil {
		return err
	}
	for _, key := range keys {
		if _, err := c.Exec("DELETE FROM "+x.table+" WHERE "+x.key+"=?2 AND "+x.old, time, key); err != nil {
			return err
		}
		for _, sql := range x.after {
			if _, err := c.Exec(sql, key); err != nil {
				return err
			}
		}
	}
	return nil
}
