package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// rows runs a query over all that has been committed before.
func (s *Store) rows(ctx context.Context, query string, args []any, each func([]driver.Value) error) error {
	if err := s.fill.Wait(ctx); err != nil {
		return err
	}
	return s.query(ctx, query, args, each)
}

// query runs a query of the readers' pool over what the tables have by now.
func (s *Store) query(ctx context.Context, query string, args []any, each func([]driver.Value) error) error {
	return queryOf(ctx, s.reads, query, args, each)
}

// queryer is a pool of connections, or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func queryOf(ctx context.Context, of queryer, query string, args []any, each func([]driver.Value) error) (err error) {
	rows, err := of.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	defer func() { err = errors.Join(err, conn.Damaged(recover())) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	row, cells, into := make([]driver.Value, len(columns)), make([]any, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range cells {
			row[i] = cells[i]
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Events lists events, newest first.
func (s *Store) Events(ctx context.Context, f store.EventFilter) ([]store.StoredEvent, error) {
	if err := s.fill.Wait(ctx); err != nil {
		return nil, err
	}
	return blocks.List(s.from(ctx), f)
}

// EventByID finds the newest event with that id, and its deliveries.
func (s *Store) EventByID(ctx context.Context, id string) (*store.StoredEvent, []*store.Delivery, error) {
	seq, err := s.newest(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	from := blocks.Reader{From: s.from(ctx)}
	found, err := from.Event(seq)
	if err == nil && found.Event.ID != id {
		err = store.ErrNotFound // of another one with the same key
	}
	if err != nil {
		return nil, nil, err
	}
	list, err := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{
		After: found.Seq, Before: found.Seq + int64(found.Deliveries) + 1, OldestFirst: true, Limit: 10000,
	}})
	return found, list, err
}

// newest finds the newest event with that id, whatever its source; zero is none.
func (s *Store) newest(ctx context.Context, id string) (int64, error) {
	if err := s.fill.Wait(ctx); err != nil {
		return 0, err
	}
	return s.keys.Newest(s.asker(ctx), id)
}

// asker is the readers' way to ask.
func (s *Store) asker(ctx context.Context) conn.Ask { return askerOf(ctx, s.reads) }

// from is where they read blocks from.
func (s *Store) from(ctx context.Context) pack.From {
	return pack.From{Ask: s.asker(ctx), Files: s.conn.Files()}
}

func askerOf(ctx context.Context, of queryer) conn.Ask {
	return func(query string, each func([]driver.Value) error, args ...driver.Value) error {
		list := make([]any, len(args))
		for i := range args {
			list[i] = args[i]
		}
		return queryOf(ctx, of, query, list, each)
	}
}

// Deliveries lists deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, f store.DeliveryFilter) ([]*store.Delivery, error) {
	if err := s.fill.Wait(ctx); err != nil {
		return nil, err
	}
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	list, err := rows.List(askerOf(ctx, tx), f)
	if err = errors.Join(err, tx.Rollback()); err != nil {
		return nil, err
	}
	return list, s.name(ctx, list)
}

// name tells deliveries the ids of their events. Of one that has left, or cannot be
// read, a delivery is still what it is.
func (s *Store) name(ctx context.Context, list []*store.Delivery) error {
	from := blocks.Reader{From: s.from(ctx)}
	for _, d := range list {
		switch e, err := from.Event(d.EventSeq); {
		case err == nil:
			d.EventID = e.Event.ID
		case !unreadable(err):
			return err
		}
	}
	return nil
}

// Delivery finds one delivery with all its attempts, oldest first.
func (s *Store) Delivery(ctx context.Context, seq int64) (*store.Delivery, []store.Attempt, error) {
	list, err := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{After: seq - 1, Before: seq + 1, Limit: 1}})
	if err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, store.ErrNotFound
	}
	var attempts []store.Attempt
	err = s.rows(ctx, "SELECT number,started,ended,outcome,message,process FROM attempts WHERE delivery=? ORDER BY number", []any{seq},
		func(row []driver.Value) error {
			attempts = append(attempts, store.Attempt{
				Number: int(row[0].(int64)), Started: record.Time(row[1].(int64)), Ended: record.Time(row[2].(int64)),
				Outcome: row[3].(string), Message: row[4].(string), Process: row[5].(string),
			})
			return nil
		})
	if last := list[0].Last; !last.Started.IsZero() && (len(attempts) == 0 || attempts[len(attempts)-1].Number < last.Number) {
		attempts = append(attempts, last)
	}
	return list[0], attempts, err
}

// Gathering are the routes of which something waits here to be gathered.
func (s *Store) Gathering(ctx context.Context) (routes []string, err error) {
	err = s.rows(ctx, "SELECT DISTINCT route FROM deliveries INDEXED BY deliveries_gathering WHERE claimed=0 AND gather=1 AND state<=2", nil,
		func(row []driver.Value) error {
			routes = append(routes, row[0].(string))
			return nil
		})
	return routes, err
}

// Backlog tells for every route what is open.
func (s *Store) Backlog(ctx context.Context) ([]store.Backlog, error) {
	var list []store.Backlog
	err := s.rows(ctx, `SELECT route,engine,count(*),min(seq) FROM deliveries WHERE state<=2 GROUP BY route,engine ORDER BY route`, nil,
		func(row []driver.Value) error {
			list = append(list, store.Backlog{
				Route: row[0].(string), Engine: row[1].(string), Pending: int(row[2].(int64)), Oldest: store.TimeOf(row[3].(int64)),
			})
			return nil
		})
	return list, err
}
