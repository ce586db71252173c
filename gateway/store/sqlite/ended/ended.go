// Package ended keeps the deliveries of the embedded store that had ended, and well,
// when they came into its tables: nearly all do. Many are in one row, and none of them
// changes there: one that is to run again leaves for a row of its own. It stands
// between what fills the tables and all that reads deliveries, or lets them go.
package ended

import (
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Table is where they are, in blocks. ended is when the last of them did, in Unix
// microseconds: they leave together.
const Table = `
CREATE TABLE ended (
	upto       INTEGER PRIMARY KEY,
	deliveries BLOB NOT NULL,
	sum        INTEGER NOT NULL,
	ended      INTEGER NOT NULL,
	data       BLOB NOT NULL
)`

var table = pack.NewTable("ended", "deliveries", "NULL")

// Fits tells of a delivery that has ended whether it can be kept here: its first
// attempt succeeded.
func Fits(d *store.Delivery) bool {
	a := &d.Last
	return d.State == store.Succeeded && !d.Gather && d.Attempt == 1 && d.Throttled == 0 &&
		a.Outcome == "succeeded" && a.Started.Equal(d.FirstAttemptAt)
}

// Writer puts deliveries into blocks. They come in the order of their ids, and it
// keeps its room.
type Writer struct {
	block pack.Writer
	ended int64
}

// Add keeps a delivery that Fits, with the transaction that writes its block: at the
// latest with Flush.
func (w *Writer) Add(c *conn.Conn, d *store.Delivery) error {
	w.block.Make(pack.Mark{Seq: d.Seq}, func(b []byte) []byte { return record.Succeeded(b, d) })
	w.ended = max(w.ended, record.Micros(d.Last.Ended))
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
	_, err := c.Exec("INSERT INTO ended (upto,deliveries,sum,data,ended) VALUES (?,?,?,?,?)", append(w.block.Row(), w.ended)...)
	return err
}

// Reset forgets what has not been written.
func (w *Writer) Reset() {
	w.block.Reset()
	w.ended = 0
}

// Remove takes a delivery out of its block.
func Remove(c *conn.Conn, seq int64) error {
	var r pack.Reader
	b, err := r.Block(pack.From{Ask: c.Query}, table, seq)
	if err != nil {
		return err
	}
	w := pack.Writer{Upto: b.Upto}
	err = b.Each(func(m pack.Mark, stored []byte) error {
		if m.Seq != seq {
			w.Add(m, stored)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if w.Empty() {
		_, err = c.Exec("DELETE FROM ended WHERE upto=?", b.Upto)
		return err
	}
	row := w.Row()
	_, err = c.Exec("UPDATE ended SET deliveries=?2, sum=?3, data=?4 WHERE upto=?1", row...)
	return err
}
