// Package blocks keeps the events of the embedded store: many of them in one row,
// compressed, since events of one sender are much alike, and since what a row costs
// is hardly its bytes. It stands between what fills the tables and all that reads
// events, or lets them go.
package blocks

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"

	"github.com/klauspost/compress/s2"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Table is where they are. A block's key, upto, is the newest id of its events and
// their deliveries, and stays what it is when some of them leave: so the block of an
// event is the first that is not before it. events tells which are there; sum has a
// checksum of that and another of data, which are the events.
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

// What read takes.
const (
	columns = "upto,events,sum,data"
	outline = "upto,events,sum"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mark is what a block tells of an event without its data.
type mark struct {
	seq int64
	// keyless: nothing leads to it that would have to leave after it.
	keyless bool
}

func appendMarks(b []byte, marks []mark) []byte {
	before := int64(0)
	for _, m := range marks {
		v := uint64(m.seq-before) << 1
		if m.keyless {
			v |= 1
		}
		b, before = binary.AppendUvarint(b, v), m.seq
	}
	return b
}

func readMarks(b []byte) (marks []mark) {
	before := int64(0)
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil
		}
		before += int64(v >> 1)
		marks, b = append(marks, mark{seq: before, keyless: v&1 != 0}), b[n:]
	}
	return marks
}

// sum is the two checksums of a row. No data, no second one: see outline.
func sum(upto int64, events, data []byte) int64 {
	key := binary.LittleEndian.AppendUint64(make([]byte, 0, 8), uint64(upto))
	first := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, events)
	return int64(uint64(first)<<32 | uint64(crc32.Update(first, castagnoli, data)))
}

// block is a row that has been read. Of one that is damaged only upto is known.
type block struct {
	upto  int64
	marks []mark
	// data are its events, each behind its length; nil of an outline.
	data []byte
	err  error
}

// read makes a block of a row of columns or of outline; room is for its data.
func read(row []driver.Value, room []byte) (b block) {
	var events, data []byte
	var want int64
	b.upto, _ = row[0].(int64)
	events, _ = row[1].([]byte)
	want, _ = row[2].(int64)
	whole := len(row) > 3
	if whole {
		data, _ = row[3].([]byte)
	}
	got := sum(b.upto, events, data)
	if !whole {
		got, want = got>>32, want>>32
	}
	if b.marks = readMarks(events); got != want || len(b.marks) == 0 {
		return b.damaged(errors.New("checksum"))
	}
	if !whole {
		return b
	}
	var err error
	if b.data, err = s2.Decode(room[:cap(room)], data); err != nil {
		return b.damaged(err)
	}
	return b
}

func (b block) damaged(why error) block {
	return block{upto: b.upto, err: fmt.Errorf("events up to %s: %w: %w", store.FormatID(b.upto), conn.ErrDamaged, why)}
}

// each calls do with every event, as it is kept.
func (b *block) each(do func(m mark, stored []byte) error) error {
	if b.err != nil {
		return b.err
	}
	rest := b.data
	for _, m := range b.marks {
		n, k := binary.Uvarint(rest)
		if k <= 0 || n > uint64(len(rest)-k) {
			return b.damaged(errors.New("events are missing")).err
		}
		if err := do(m, rest[k:k+int(n)]); err != nil {
			return err
		}
		rest = rest[k+int(n):]
	}
	return nil
}

// has tells whether an event is there.
func (b *block) has(seq int64) bool {
	i := sort.Search(len(b.marks), func(i int) bool { return b.marks[i].seq >= seq })
	return i < len(b.marks) && b.marks[i].seq == seq
}

// Writer puts events into blocks. They come in the order of their ids, and it keeps
// its room.
type Writer struct {
	marks                []mark
	data, packed, events []byte
	room                 []byte
	upto                 int64
}

// full is how large a block's events become, in bytes: larger ones compress hardly
// better, and whoever reads one event reads its block.
const full = 64 << 10

// Add keeps an event, with the transaction that writes its block: at the latest with
// Flush.
func (w *Writer) Add(c *conn.Conn, e *record.Event) error {
	w.room = record.Stored(w.room[:0], e)
	w.add(mark{seq: e.Seq, keyless: len(e.Keys) == 0}, w.room)
	w.upto = e.Seq + int64(e.Deliveries)
	if of, _, is := store.ReplayOf(e.Event.ID); is {
		if _, err := c.Exec("INSERT INTO replays (seq,of) VALUES (?,?)", e.Seq, of); err != nil {
			return err
		}
	}
	if len(w.data) < full {
		return nil
	}
	return w.Flush(c)
}

func (w *Writer) add(m mark, stored []byte) {
	w.marks = append(w.marks, m)
	w.data = append(binary.AppendUvarint(w.data, uint64(len(stored))), stored...)
}

// Flush writes what has been added since the last time.
func (w *Writer) Flush(c *conn.Conn) error {
	if len(w.marks) == 0 {
		return nil
	}
	defer w.Reset()
	return w.put(c, "INSERT")
}

// put writes the block with a verb that says whether it may be there already.
func (w *Writer) put(c *conn.Conn, verb string) error {
	w.events = appendMarks(w.events[:0], w.marks)
	if n := s2.MaxEncodedLen(len(w.data)); cap(w.packed) < n {
		w.packed = make([]byte, n)
	}
	w.packed = s2.Encode(w.packed[:cap(w.packed)], w.data)
	_, err := c.Exec(verb+" INTO blocks ("+columns+") VALUES (?,?,?,?)", w.upto, w.events, sum(w.upto, w.events, w.packed), w.packed)
	return err
}

// keepRoom bounds the room that is used again.
const keepRoom = 1 << 20

// Reset forgets what has not been written.
func (w *Writer) Reset() {
	w.marks, w.data = w.marks[:0], w.data[:0]
	if cap(w.data) > keepRoom {
		w.data, w.packed, w.room = nil, nil, nil
	}
}
