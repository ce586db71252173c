// Package pack keeps many records in one row of a table of the embedded store,
// compressed: records that come together are much alike, and what a row costs is
// hardly its bytes. What they are records of, and when they leave, is for the packages
// above it.
package pack

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
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Mark is what a block tells of a record without its data.
type Mark struct {
	Seq int64
	// Note has a meaning of the table's own.
	Note bool
}

func appendMarks(b []byte, marks []Mark) []byte {
	before := int64(0)
	for _, m := range marks {
		v := uint64(m.Seq-before) << 1
		if m.Note {
			v |= 1
		}
		b, before = binary.AppendUvarint(b, v), m.Seq
	}
	return b
}

func readMarks(b []byte) (marks []Mark) {
	before := int64(0)
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil
		}
		before += int64(v >> 1)
		marks, b = append(marks, Mark{Seq: before, Note: v&1 != 0}), b[n:]
	}
	return marks
}

// sum is the two checksums of a row. No data, no second one: see outline.
func sum(upto int64, marks, data []byte) int64 {
	key := binary.LittleEndian.AppendUint64(make([]byte, 0, 8), uint64(upto))
	first := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, marks)
	return int64(uint64(first)<<32 | uint64(crc32.Update(first, castagnoli, data)))
}

// Block is a row that has been read. Its records have ids up to Upto, which stays what
// it is when some of them leave: so the block of a record is the first that is not
// before it. Of one that is damaged, which Err tells, nothing else is known.
type Block struct {
	Upto  int64
	Marks []Mark
	Err   error
	// data are its records, each behind its length; nil of an outline.
	data []byte
	of   string
}

// outline makes a block of a row without data.
func (t *Table) outline(row []driver.Value) Block {
	b, marks, want := t.head(row)
	if sum(b.Upto, marks, nil)>>32 != want>>32 || len(b.Marks) == 0 {
		return b.damaged(errors.New("checksum"))
	}
	return b
}

// head reads what a row tells without its data.
func (t *Table) head(row []driver.Value) (b Block, marks []byte, want int64) {
	b.of = t.of
	b.Upto, _ = row[0].(int64)
	marks, _ = row[1].([]byte)
	want, _ = row[2].(int64)
	b.Marks = readMarks(marks)
	return b, marks, want
}

// read makes a block of a whole row; room is for its data.
func (f From) read(t *Table, row []driver.Value, room []byte) Block {
	b, marks, want := t.head(row)
	data, _ := row[3].([]byte)
	var err error
	decode := func(data []byte) {
		if sum(b.Upto, marks, data) != want || len(b.Marks) == 0 {
			err = errors.New("checksum")
			return
		}
		b.data, err = s2.Decode(room[:cap(room)], data)
	}
	if file, beside := row[4].(int64); beside {
		if failed := f.Files.Read(file, data, decode); failed != nil {
			err = failed
		}
	} else {
		decode(data)
	}
	if err != nil {
		return b.damaged(err)
	}
	return b
}

func (b *Block) damaged(why error) Block {
	return Block{Upto: b.Upto, Err: fmt.Errorf("%s up to %s: %w: %w", b.of, store.FormatID(b.Upto), conn.ErrDamaged, why)}
}

// Each calls do with every record.
func (b *Block) Each(do func(m Mark, stored []byte) error) error {
	if b.Err != nil {
		return b.Err
	}
	rest := b.data
	for _, m := range b.Marks {
		n, k := binary.Uvarint(rest)
		if k <= 0 || n > uint64(len(rest)-k) {
			return b.damaged(errors.New("some are missing")).Err
		}
		if err := do(m, rest[k:k+int(n)]); err != nil {
			return err
		}
		rest = rest[k+int(n):]
	}
	return nil
}

// Has tells whether a record is there.
func (b *Block) Has(seq int64) bool {
	i := sort.Search(len(b.Marks), func(i int) bool { return b.Marks[i].Seq >= seq })
	return i < len(b.Marks) && b.Marks[i].Seq == seq
}

// Writer puts records into a block. They come in the order of their ids, and it keeps
// its room.
type Writer struct {
	marks                      []Mark
	data, packed, column, room []byte
	// Upto of the block: at least the newest id.
	Upto int64
}

// full is how large a block's records become, in bytes: larger ones compress hardly
// better, and whoever reads one record reads its block.
const full = 64 << 10

// Add adds a record.
func (w *Writer) Add(m Mark, stored []byte) {
	w.marks = append(w.marks, m)
	w.data = append(binary.AppendUvarint(w.data, uint64(len(stored))), stored...)
	w.Upto = max(w.Upto, m.Seq)
}

// Make adds a record that encode appends to its argument.
func (w *Writer) Make(m Mark, encode func(b []byte) []byte) {
	w.room = encode(w.room[:0])
	w.Add(m, w.room)
}

// Full tells that it is time to write the block.
func (w *Writer) Full() bool { return len(w.data) >= full }

// Empty tells that nothing has been added.
func (w *Writer) Empty() bool { return len(w.marks) == 0 }

// Row is what has been added, as a table keeps it: upto, marks, sum, data.
func (w *Writer) Row() []driver.Value {
	w.column = appendMarks(w.column[:0], w.marks)
	if n := s2.MaxEncodedLen(len(w.data)); cap(w.packed) < n {
		w.packed = make([]byte, n)
	}
	w.packed = s2.Encode(w.packed[:cap(w.packed)], w.data)
	return []driver.Value{w.Upto, w.column, sum(w.Upto, w.column, w.packed), w.packed}
}

// keepRoom bounds the room that is used again.
const keepRoom = 1 << 20

// Reset forgets what has been added.
func (w *Writer) Reset() {
	w.marks, w.data, w.Upto = w.marks[:0], w.data[:0], 0
	if cap(w.data) > keepRoom {
		w.data, w.packed, w.room = nil, nil, nil
	}
}
