// Package history is the configurations that were in force, and what was laid
// over them, in the tables of the embedded store. It stands beside the store's
// writer, which runs it, and reads also where there is none: of a gateway that
// does not start.
package history

import (
	"context"
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// Whoever subscribes over the API makes a revision: of what nobody will look at
// any more there is an end.
const (
	maxRevisions = 1000
	maxBytes     = 64 << 20
)

// History is that of an open store.
type History struct {
	// Read runs a query beside the writer.
	Read func(ctx context.Context, query string, args []any, each func([]driver.Value) error) error
	// Do runs a transaction of the writer's.
	Do conn.Do
}

const (
	columns = "n,hash,at,difference,reason,author,changes"
	insert  = `INSERT INTO revisions (hash,at,difference,reason,author,changes,content) SELECT ?1,?2,?3,?4,?5,?6,?7
WHERE ?1 IS NOT (SELECT hash FROM revisions ORDER BY n DESC LIMIT 1)`
	// The two newest stay however large they are.
	forget = `DELETE FROM revisions WHERE n IN (SELECT n FROM (
	SELECT n, row_number() OVER (ORDER BY n DESC) AS place, sum(length(content)+length(changes)) OVER (ORDER BY n DESC) AS bytes FROM revisions
) WHERE place>?1 OR place>2 AND bytes>?2)`
)

// AddRevision appends one, unless the newest is the same, and forgets what is too
// much.
func (h History) AddRevision(ctx context.Context, r store.Revision) error {
	return h.Do(ctx, func(c *conn.Conn) error {
		added, err := c.Exec(insert, r.Hash, record.Micros(r.At), r.Difference, r.Reason, r.Author, blob(r.Changes), blob(r.Content))
		if err != nil || added == 0 {
			return err
		}
		_, err = c.Exec(forget, int64(maxRevisions), int64(maxBytes))
		return err
	})
}

// blob is never NULL.
func blob(text []byte) []byte { return append([]byte{}, text...) }

// Revisions lists them without their content.
func (h History) Revisions(ctx context.Context, p store.Page) (list []store.Revision, err error) {
	err = h.Read(ctx, "SELECT "+columns+",NULL FROM revisions WHERE ?1=0 OR n<?1 ORDER BY n DESC LIMIT ?2", []any{p.Before, int64(max(0, p.Limit))},
		func(row []driver.Value) error {
			list = append(list, revision(row))
			return nil
		})
	return list, err
}

// Revision finds the newest one of which a text is the beginning; of an empty
// one, the newest of all.
func (h History) Revision(ctx context.Context, hash string) (found store.Revision, err error) {
	err = store.ErrNotFound
	failed := h.Read(ctx, "SELECT "+columns+",content FROM revisions WHERE substr(hash,1,length(?1))=?1 ORDER BY n DESC LIMIT 1", []any{hash},
		func(row []driver.Value) error {
			found, err = revision(row), nil
			return nil
		})
	if failed != nil {
		return found, failed
	}
	return found, err
}

func revision(row []driver.Value) store.Revision {
	return store.Revision{
		N: row[0].(int64), Hash: row[1].(string), At: record.Time(row[2].(int64)), Difference: row[3].(string),
		Reason: row[4].(string), Author: row[5].(string), Changes: rows.Blob(row[6]), Content: rows.Blob(row[7]),
	}
}

// Of is the history in a file that a gateway need not have open, to be read
// alone; it is closed with the function returned.
func Of(path string) (h History, shut func() error, err error) {
	c, err := conn.Open(path, "_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return h, nil, err
	}
	h.Read = func(_ context.Context, query string, args []any, each func([]driver.Value) error) error {
		values := make([]driver.Value, len(args))
		for i := range args {
			values[i] = args[i]
		}
		return c.Query(query, each, values...)
	}
	return h, c.Close, nil
}
