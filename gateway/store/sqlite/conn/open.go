package conn

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"syscall"

	sqlite "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"github.com/event-gateway/gateway/gateway/store/sqlite/blob"
)

// Open opens a connection to a database and to the values in its folder; options are
// the driver's, as in a URL's query.
func Open(path, options string) (*Conn, error) {
	raw, err := dial(path + "?" + options)
	if err != nil {
		return nil, err
	}
	files, err := blob.Open(filepath.Dir(path))
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return New(raw, files)
}

func dial(dsn string) (driver.Conn, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Driver().Open(dsn)
}

// Readers opens a pool of connections that only read.
func Readers(path string, most int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err == nil {
		db.SetMaxOpenConns(most)
	}
	return db, err
}

// codeOf is the primary code of an error of SQLite; zero of every other.
func codeOf(err error) int {
	var coded *sqlite.Error
	if errors.As(err, &coded) {
		return coded.Code() & 0xff
	}
	return 0
}

// Full tells whether the disk had no room, which passes.
func Full(err error) bool {
	return codeOf(err) == code.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Harmless tells of an error of one statement that it says nothing about the
// disk: the statement did nothing and the transaction can go on.
func Harmless(err error) bool {
	switch codeOf(err) {
	case 0, code.SQLITE_ERROR, code.SQLITE_CONSTRAINT, code.SQLITE_MISMATCH, code.SQLITE_TOOBIG, code.SQLITE_RANGE:
		return true
	}
	return false
}

// Checkpoint copies what nobody reads any more from the WAL into the database,
// waiting for no one, and returns the pages that the WAL holds. What passes by
// itself is no error: the pages stay in the WAL until the next time.
func (c *Conn) Checkpoint() (pages int64, err error) {
	err = c.Query("PRAGMA wal_checkpoint(PASSIVE)", func(row []driver.Value) error {
		pages, _ = row[1].(int64)
		return nil
	})
	switch codeOf(err) {
	case code.SQLITE_BUSY, code.SQLITE_LOCKED, code.SQLITE_FULL, code.SQLITE_NOMEM:
		return pages, nil
	}
	return pages, err
}
