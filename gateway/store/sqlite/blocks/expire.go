package blocks

import (
	"context"
	"database/sql/driver"
	"slices"
	"sort"

	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/ended"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
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
	blocks           []pack.Block
	// deliveries that are there, of the events in blocks; moved is up to where keys are.
	deliveries []int64
	ended      ended.Stretch
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
	_, err := table.Outlines(ask, s.from, func(b *pack.Block) bool {
		if b.Err != nil && b.Upto >= s.before || b.Err == nil && b.Marks[0].Seq >= s.before {
			return false
		}
		s.blocks, s.to = append(s.blocks, *b), b.Upto
		return true
	})
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
	if s.ended, err = ended.Between(ask, s.from, s.to); err != nil {
		return err
	}
	return ask("SELECT value FROM marks WHERE name='keys'", func(row []driver.Value) error {
		s.moved = row[0].(int64)
		return nil
	})
}

// fate tells which events of a block cannot leave, and whether others, or all that
// may be in a damaged one, do.
func (s *step) fate(i int) (stay []pack.Mark, leaving bool) {
	b := &s.blocks[i]
	if b.Err != nil {
		return nil, !s.has(s.start(i), b.Upto+1)
	}
	for j, m := range b.Marks {
		next := b.Upto + 1
		if j+1 < len(b.Marks) {
			next = b.Marks[j+1].Seq
		}
		if m.Seq >= s.before || !keyless(m) && m.Seq > s.moved || s.has(m.Seq, next) {
			stay = append(stay, m)
		}
	}
	return stay, len(stay) < len(b.Marks)
}

// start is the id after which a block's may begin.
func (s *step) start(i int) int64 {
	if i > 0 {
		return s.blocks[i-1].Upto
	}
	return s.from
}

// has tells whether there are deliveries between two ids.
func (s *step) has(after, before int64) bool {
	i := sort.Search(len(s.deliveries), func(i int) bool { return s.deliveries[i] > after })
	return i < len(s.deliveries) && s.deliveries[i] < before || s.ended.Has(after, before)
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
			err = shrink(c, s.blocks[i].Upto, stay)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *step) drop(c *conn.Conn, i int) error {
	upto := s.blocks[i].Upto
	if _, err := c.Exec("DELETE FROM replays WHERE seq>? AND seq<=?", s.start(i), upto); err != nil {
		return err
	}
	_, err := c.Exec("DELETE FROM blocks WHERE upto=?", upto)
	return err
}

// shrink writes a block anew with what stays in it. Rows of replays leave with all
// of the block.
func shrink(c *conn.Conn, upto int64, stay []pack.Mark) error {
	var r pack.Reader
	b, err := r.Block(pack.Of(c), table, upto)
	if err != nil {
		return err
	}
	if b.Err != nil {
		return nil // it leaves with the rest
	}
	w := pack.Writer{Upto: upto}
	err = b.Each(func(m pack.Mark, stored []byte) error {
		if slices.Contains(stay, m) {
			w.Add(m, stored)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return put(c, "REPLACE", w.Row())
}
