package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

// conn is the writer's connection, used without database/sql in between: the
// pool, its locks and its conversions cost as much as SQLite itself here, and
// there is only ever one user.
type conn struct {
	raw   rawConn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// rawConn is what the driver's connection can do.
type rawConn interface {
	driver.Conn
	driver.ExecerContext
}

func newConn(raw driver.Conn) (*conn, error) {
	c, ok := raw.(rawConn)
	if !ok {
		return nil, errors.New("sqlite: driver connection without exec")
	}
	return &conn{raw: c, stmts: map[string]driver.Stmt{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// script runs statements that take no arguments.
func (c *conn) script(sql string) error {
	_, err := c.raw.ExecContext(context.Background(), sql, nil)
	return err
}

func (c *conn) stmt(sql string) (driver.Stmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	s, err := c.raw.Prepare(sql)
	if err == nil {
		c.stmts[sql] = s
	}
	return s, err
}

// values puts arguments into the connection's reused slice.
func (c *conn) values(vals []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range vals {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// exec runs one statement, prepared once, and returns the rows it changed.
func (c *conn) exec(sql string, vals ...driver.Value) (int64, error) {
	s, err := c.stmt(sql)
	if err != nil {
		return 0, err
	}
	r, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.values(vals))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query calls each with every row. The slice is reused from row to row.
func (c *conn) query(sql string, each func(row []driver.Value) error, vals ...driver.Value) (err error) {
	s, err := c.stmt(sql)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.values(vals))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// bulk is one multi-row statement in several prepared sizes: inserting 32
// rows at once costs a fraction of inserting 32 times one.
type bulk struct {
	before, row, after string
	columns            int
	sizes              []int
	sql                map[int]string
}

func newBulk(before, after string, columns int) *bulk {
	b := &bulk{
		before: before, after: after, columns: columns,
		row:   "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")",
		sizes: []int{64, 16, 4, 1},
		sql:   map[int]string{},
	}
	for _, n := range b.sizes {
		b.sql[n] = fmt.Sprint(b.before, strings.TrimSuffix(strings.Repeat(b.row+",", n), ","), b.after)
	}
	return b
}

// exec runs the statement over all rows; vals holds them one after another.
func (b *bulk) exec(c *conn, vals []driver.Value) error {
	for _, n := range b.sizes {
		for width := n * b.columns; len(vals) >= width; vals = vals[width:] {
			if _, err := c.exec(b.sql[n], vals[:width]...); err != nil {
				return err
			}
		}
	}
	return nil
}
