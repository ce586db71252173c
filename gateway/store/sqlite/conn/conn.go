// Package conn is the store's connections to its SQLite file and to what lies beside
// it: the one of the writer, used without database/sql in between, and what its errors
// mean. It
// stands below everything in the store that writes SQL.
package conn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/event-gateway/gateway/gateway/store/sqlite/blob"
)

// Conn is a connection for one goroutine at a time, used without database/sql in between: the
// pool, its locks and its conversions cost as much as SQLite itself here, and
// there is only ever one user.
type Conn struct {
	raw   rawConn
	files *blob.Files
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// Do runs something in a transaction of the writer's, with others' work, and
// returns when it has been committed.
type Do func(ctx context.Context, run func(*Conn) error) error

// Ask runs a query and calls each with every row, whose slice is used again.
type Ask func(query string, each func([]driver.Value) error, args ...driver.Value) error

// Transact is a Do of the connection's own, for when nobody else uses it.
func (c *Conn) Transact(_ context.Context, run func(*Conn) error) error {
	if _, err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := run(c)
	if err == nil {
		err = c.Commit()
	}
	if err != nil {
		c.Rollback()
	}
	return err
}

// Commit ends a transaction. Values beside the database last before it does.
func (c *Conn) Commit() error {
	if err := c.files.Sync(); err != nil {
		return err
	}
	if _, err := c.Exec("COMMIT"); err != nil {
		return err
	}
	c.files.Keep()
	return nil
}

// Rollback ends a transaction that failed.
func (c *Conn) Rollback() {
	_, _ = c.Exec("ROLLBACK") // SQLite may have rolled back by itself
	c.files.Forget()
}

// Files are the values beside the database.
func (c *Conn) Files() *blob.Files { return c.files }

// rawConn is what the driver's connection can do.
type rawConn interface {
	driver.Conn
	driver.ExecerContext
}

// New makes a connection of what a driver opened, and of the files beside it.
func New(raw driver.Conn, files *blob.Files) (*Conn, error) {
	c, ok := raw.(rawConn)
	if !ok {
		return nil, errors.New("sqlite: driver connection without exec")
	}
	return &Conn{raw: c, files: files, stmts: map[string]driver.Stmt{}}, nil
}

// Close finalises all statements and closes the connection.
func (c *Conn) Close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// Script runs statements that take no arguments.
func (c *Conn) Script(sql string) error {
	_, err := c.raw.ExecContext(context.Background(), sql, nil)
	return err
}

func (c *Conn) stmt(sql string) (driver.Stmt, error) {
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
func (c *Conn) values(vals []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range vals {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// Exec runs one statement, prepared once, and returns the rows it changed.
func (c *Conn) Exec(sql string, vals ...driver.Value) (int64, error) {
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

// ErrDamaged: what is read is not what was written: its disk has changed it.
var ErrDamaged = errors.New("damaged on disk")

// Damaged is what a panic says that a value of another kind than its column's, or
// of another length, has caused; nil for none. Any other goes on.
func Damaged(p any) error {
	if p == nil {
		return nil
	}
	err, ok := p.(runtime.Error)
	if _, kind := p.(*runtime.TypeAssertionError); kind || ok && strings.Contains(err.Error(), "cannot convert slice") {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	panic(p)
}

// Query calls each with every row. The slice is reused from row to row. Each may
// take the kinds of the values for granted: where the disk has changed one, the
// error is ErrDamaged.
func (c *Conn) Query(sql string, each func(row []driver.Value) error, vals ...driver.Value) (err error) {
	s, err := c.stmt(sql)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.values(vals))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	defer func() {
		err = errors.Join(err, Damaged(recover()))
	}()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
}
