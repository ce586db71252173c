package blocks

import (
	"context"
	"database/sql/driver"
	"slices"
	"sort"

	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// Expire lets events before an id go that have no deliveries any more. An event with
// keys stays until they are where they outlive it.
func Expire(ctx context.Context, ask conn.Ask, do conn.Do, before int64) error {
	for from, more := int64(0), true; more; {
		at := step{from: from, before: before}
		leaving, err := at.look(ask)
		if err != nil {
			return err
		}
		if leaving {
			// Looked at again: what leaves now is what has no deliveries now.
			err = do(ctx, func(c *conn.Conn) error { return at.remove(c) })
		}
		if err != nil {
			return err
		}
		more, from = at.to > from, at.to
	}
	return nil
}

// step is a stretch of blocks: those after from that begin before an id, up to to.
type step struct {
	from, to, before int64
	blocks           []block
	// deliveries that are there, of the events in blocks; moved is up to where keys are.
	deliveries []int64
	moved      int64
}

// look reads what there is, and tells whether any event can leave.
func (s *step) look(ask conn.Ask) (leaving bool, err error) {
	if err = s.read(ask); err != nil {
		return false, err
	}
	for i := range s.blocks {
		if _, leaving := s.fate(i); leaving {
			return true, nil
		}
	}
	return false, nil
}

func (s *step) read(ask conn.Ask) error {
	s.blocks, s.deliveries, s.to = s.blocks[:0], s.deliveries[:0], s.from
	err := ask("SELECT "+outline+" FROM blocks WHERE upto>? ORDER BY upto LIMIT ?", func(row []driver.Value) error {
		b := read(row, nil)
		if b.err != nil && b.upto >= s.before || b.err == nil && b.marks[0].seq >= s.before {
			return nil
		}
		s.blocks, s.to = append(s.blocks, b), b.upto
		return nil
	}, s.from, int64(someBlocks))
	if err != nil || len(s.blocks) == 0 {
		return err
	}
	err = ask("SELECT seq FROM deliveries WHERE seq>? AND seq<=? ORDER BY seq", func(row []driver.Value) error {
		s.deliveries = append(s.deliveries, row[0].(int64))
		return nil
	}, s.from, s.to)
	if err != nil {
		return err
	}
	return ask("SELECT value FROM marks WHERE name='keys'", func(row []driver.Value) error {
		s.moved = row[0].(int64)
		return nil
	})
}

// fate tells which events of a block cannot leave, and whether others, or all that
// may be in a damaged one, do.
func (s *step) fate(i int) (stay []mark, leaving bool) {
	b := &s.blocks[i]
	if b.err != nil {
		return nil, !s.has(s.start(i), b.upto+1)
	}
	for j, m := range b.marks {
		next := b.upto + 1
		if j+1 < len(b.marks) {
			next = b.marks[j+1].seq
		}
		if m.seq >= s.before || !m.keyless && m.seq > s.moved || s.has(m.seq, next) {
			stay = append(stay, m)
		}
	}
	return stay, len(stay) < len(b.marks)
}

// start is the id after which a block's may begin.
func (s *step) start(i int) int64 {
	if i > 0 {
		return s.blocks[i-1].upto
	}
	return s.from
}

// has tells whether there are deliveries between two ids.
func (s *step) has(after, before int64) bool {
	i := sort.Search(len(s.deliveries), func(i int) bool { return s.deliveries[i] > after })
	return i < len(s.deliveries) && s.deliveries[i] < before
}

// remove lets go what can leave of the stretch that look has read.
func (s *step) remove(c *conn.Conn) error {
	if err := s.read(c.Query); err != nil {
		return err
	}
	for i := range s.blocks {
		stay, leaving := s.fate(i)
		var err error
		if leaving && len(stay) == 0 {
			err = s.drop(c, i)
		} else if leaving {
			err = shrink(c, s.blocks[i].upto, stay)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *step) drop(c *conn.Conn, i int) error {
	upto := s.blocks[i].upto
	if _, err := c.Exec("DELETE FROM replays WHERE seq>? AND seq<=?", s.start(i), upto); err != nil {
		return err
	}
	_, err := c.Exec("DELETE FROM blocks WHERE upto=?", upto)
	return err
}

// shrink writes a block anew with what stays in it. Rows of replays leave with all
// of the block.
func shrink(c *conn.Conn, upto int64, stay []mark) error {
	w, r := Writer{upto: upto}, Reader{Ask: c.Query}
	if err := r.load(upto); err != nil {
		return err
	}
	if r.last.err != nil {
		return nil // it leaves with the rest
	}
	err := r.last.each(func(m mark, stored []byte) error {
		if slices.Contains(stay, m) {
			w.add(m, stored)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.put(c, "REPLACE")
}
