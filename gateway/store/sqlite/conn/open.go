package conn

import (
	"database/sql"
	"database/sql/driver"
	"errors"

	sqlite "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"
)

// Open opens a connection; options are the driver's, as in a URL's query.
func Open(path, options string) (*Conn, error) {
	raw, err := dial(path + "?" + options)
	if err != nil {
		return nil, err
	}
	return New(raw)
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
func Full(err error) bool { return codeOf(err) == code.SQLITE_FULL }
