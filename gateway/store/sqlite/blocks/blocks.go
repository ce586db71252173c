// Package blocks keeps the events of the embedded store, many of them in one row. It
// stands between what fills the tables and all that reads events, or lets them go.
package blocks

import (
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Table is where they are. A block's key, upto, is the newest id of its events and
// their deliveries; events tells which are there, sum has a checksum of that and
// another of data, which are the events.
const Table = `
CREATE TABLE blocks (
	upto   INTEGER PRIMARY KEY,
	events BLOB NOT NULL,
	sum    INTEGER NOT NULL,
	data   BLOB NOT NULL
);
-- Which events are replays, and of which event: a small part of them.
CREATE TABLE replays (
	seq INTEGER PRIMARY KEY,
	of  TEXT NOT NULL
);
CREATE INDEX replays_of ON replays (of)`

// Files lets large blocks have their data beside the database. file is the number of
// the file, and data where it is in it.
const Files = `
ALTER TABLE blocks ADD COLUMN file INTEGER;
CREATE INDEX blocks_file ON blocks (file) WHERE file IS NOT NULL`

var table = pack.NewTable("blocks", "events", "file")

// keyless is the note of an event to which nothing leads that would have to leave
// after it.
func keyless(m pack.Mark) bool { return m.Note }

// Writer puts events into blocks. They come in the order of their ids, and it keeps
// its room.
type Writer struct {
	// Beside: large blocks go beside the database.
	Beside bool
	block  pack.Writer
}

// Add keeps an event, with the transaction that writes its block: at the latest with
// Flush.
func (w *Writer) Add(c *conn.Conn, e *record.Event) error {
	m := pack.Mark{Seq: e.Seq, Note: len(e.Keys) == 0}
	w.block.Make(m, func(b []byte) []byte { return record.Stored(b, e) })
	w.block.Upto = e.Seq + int64(e.Deliveries)
	if of, _, is := store.ReplayOf(e.Event.ID); is {
		if _, err := c.Exec("INSERT INTO replays (seq,of) VALUES (?,?)", e.Seq, of); err != nil {
			return err
		}
	}
	if !w.block.Full() {
		return nil
	}
	return w.Flush(c)
}

// Flush writes what has been added since the last time.
func (w *Writer) Flush(c *conn.Conn) error {
	if w.block.Empty() {
		return nil
	}
	defer w.Reset()
	row := w.block.Row()
	if data := row[3].([]byte); w.Beside && len(data) >= large {
		file, where, err := c.Files().Put(data)
		if err != nil {
			return err
		}
		row[3] = where
		_, err = c.Exec("INSERT INTO blocks (upto,events,sum,data,file) VALUES (?,?,?,?,?)", append(row, file)...)
		return err
	}
	return put(c, "INSERT", row)
}

// large is how many bytes are not worth SQLite's while. Those of a transaction that
// hardly anything is in stay in it, which saves a sync.
const large = 16 << 10

// put writes a block with a verb that says whether it may be there already.
func put(c *conn.Conn, verb string, row []driver.Value) error {
	_, err := c.Exec(verb+" INTO blocks (upto,events,sum,data) VALUES (?,?,?,?)", row...)
	return err
}

// Reset forgets what has not been written.
func (w *Writer) Reset() { w.block.Reset() }
