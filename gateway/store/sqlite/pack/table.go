package pack

import (
	"database/sql/driver"
	"fmt"
	"math"
	"slices"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blob"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// Table is a table of blocks, with the columns upto, its key; one of marks, which has
// the name of what it keeps; sum; and data, which may be in a file beside the database.
type Table struct {
	of string
	// The queries of it.
	first, next, before, above, outlines string
}

// From is where blocks are read from: what answers queries, and the files beside it,
// which a table may do without.
type From struct {
	Ask   conn.Ask
	Files *blob.Files
}

// Of is what a connection reads.
func Of(c *conn.Conn) From { return From{Ask: c.Query, Files: c.Files()} }

// whole runs a query of whole rows. Their data stays where it is meanwhile.
func (f From) whole(query string, each func([]driver.Value) error, args ...driver.Value) error {
	if f.Files != nil {
		defer f.Files.Hold()()
	}
	return f.Ask(query, each, args...)
}

// NewTable names a table and what it keeps. file is the column with the number of the
// file that a row's data is in, if it is in one; NULL without.
func NewTable(name, of, file string) *Table {
	outline := fmt.Sprintf("SELECT upto,%s,sum FROM %s WHERE ", of, name)
	whole := fmt.Sprintf("SELECT upto,%s,sum,data,%s FROM %s WHERE ", of, file, name)
	return &Table{
		of:       of,
		first:    whole + "upto>=? ORDER BY upto LIMIT 1",
		next:     whole + "upto>? ORDER BY upto LIMIT ?",
		before:   whole + "upto<? ORDER BY upto DESC LIMIT ?",
		above:    fmt.Sprintf("SELECT min(upto) FROM %s WHERE upto>=?", name),
		outlines: outline + "upto>? ORDER BY upto LIMIT ?",
	}
}

// Some blocks are read with one query: while it goes on, SQLite's log cannot begin
// anew.
const Some = 64

// Outlines reads the next blocks after an id without their data, and tells whether
// there may be more. do tells whether it wants to go on.
func (t *Table) Outlines(ask conn.Ask, after int64, do func(b *Block) bool) (more bool, err error) {
	count, wants := 0, true
	err = ask(t.outlines, func(row []driver.Value) error {
		if wants {
			b := t.outline(row)
			count++
			wants = do(&b)
		}
		return nil
	}, after, int64(Some))
	return wants && count == Some, err
}

// Next reads the next blocks after an id, and tells whether there may be more.
func (t *Table) Next(from From, after int64, do func(b *Block)) (more bool, err error) {
	count := 0
	var room []byte
	err = from.whole(t.next, func(row []driver.Value) error {
		b := from.read(t, row, room)
		count++
		room = b.data
		do(&b)
		return nil
	}, after, int64(Some))
	return count == Some, err
}

// Reader reads single records. It keeps the block it read last: neighbours cost
// little. It is for one goroutine, one table, and for as long as no record leaves.
type Reader struct {
	last Block
	room []byte
}

// Block is the one that a record must be in; it has no marks if there is none.
func (r *Reader) Block(from From, t *Table, seq int64) (*Block, error) {
	if len(r.last.Marks) > 0 && seq >= r.last.Marks[0].Seq && seq <= r.last.Upto {
		return &r.last, nil
	}
	r.last = Block{}
	err := from.whole(t.first, func(row []driver.Value) error {
		r.last = from.read(t, row, r.room)
		return nil
	}, seq)
	if cap(r.last.data) <= keepRoom {
		r.room = r.last.data
	}
	return &r.last, err
}

// Find calls do with a record, if it is there.
func (r *Reader) Find(from From, t *Table, seq int64, do func(stored []byte) error) error {
	b, err := r.Block(from, t, seq)
	if err != nil {
		return err
	}
	return b.Each(func(m Mark, stored []byte) error {
		if m.Seq == seq {
			return do(stored)
		}
		return nil
	})
}

// Range is records after one id and before another.
type Range struct {
	After, Before int64
	OldestFirst   bool
}

// RangeOf is that of a page.
func RangeOf(p store.Page) Range {
	r := Range{After: p.After, Before: p.Before, OldestFirst: p.OldestFirst}
	if r.Before == 0 {
		r.Before = math.MaxInt64
	}
	return r
}

// Scan goes through records until do wants no more. What do is given is for that call.
func (t *Table) Scan(from From, r Range, do func(stored []byte) (more bool, err error)) error {
	next, at := t.next, r.After
	if !r.OldestFirst {
		var err error
		next = t.before
		if at, err = t.over(from.Ask, r.Before); err != nil {
			return err
		}
	}
	s := scan{Range: r, do: do}
	for limit := 1; ; limit = min(2*limit, Some) {
		count, more := 0, true
		err := from.whole(next, func(row []driver.Value) (err error) {
			if !more {
				return nil
			}
			b := from.read(t, row, s.room)
			count++
			at, s.room = b.Upto, b.data
			more, err = s.block(&b)
			return err
		}, at, int64(limit))
		if err != nil || !more || count < limit {
			return err
		}
	}
}

// over is what the block that an id may be in is below of.
func (t *Table) over(ask conn.Ask, seq int64) (at int64, err error) {
	at = math.MaxInt64
	err = ask(t.above, func(row []driver.Value) error {
		if upto, ok := row[0].(int64); ok {
			at = upto + 1
		}
		return nil
	}, seq)
	return at, err
}

// scan is one under way, with room for a block and for what is wanted of it.
type scan struct {
	Range
	do   func(stored []byte) (more bool, err error)
	room []byte
	list [][]byte
}

// block goes through one; more tells whether to go on.
func (s *scan) block(b *Block) (more bool, err error) {
	s.list = s.list[:0]
	err = b.Each(func(m Mark, stored []byte) error {
		if m.Seq > s.After && m.Seq < s.Before {
			s.list = append(s.list, stored)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if !s.OldestFirst {
		slices.Reverse(s.list)
	}
	for _, stored := range s.list {
		if more, err := s.do(stored); err != nil || !more {
			return false, err
		}
	}
	if s.OldestFirst {
		return b.Marks[0].Seq < s.Before, nil
	}
	return b.Marks[0].Seq > s.After, nil
}
