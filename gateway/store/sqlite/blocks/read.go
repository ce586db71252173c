package blocks

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"slices"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Reader reads single events. It keeps the block it read last: neighbours cost
// little. It is for one goroutine, and for as long as no event leaves.
type Reader struct {
	From  pack.From
	block pack.Reader
}

// NewReader reads what the writer's connection sees.
func NewReader(c *conn.Conn) Reader { return Reader{From: pack.Of(c)} }

// Event finds an event by its id. The error is store.ErrNotFound, conn.ErrDamaged,
// or that of the query.
func (r *Reader) Event(seq int64) (*store.StoredEvent, error) {
	found, err := r.find(seq, own)
	if err == nil && found == nil {
		err = store.ErrNotFound
	}
	return found, err
}

// find reads an event; it is nil if it has left, or not what as makes of it.
func (r *Reader) find(seq int64, as func(stored []byte) (*store.StoredEvent, error)) (found *store.StoredEvent, err error) {
	err = r.block.Find(r.From, table, seq, func(stored []byte) (err error) {
		found, err = as(stored)
		return err
	})
	return found, err
}

// own is an event that shares nothing with its block.
func own(stored []byte) (*store.StoredEvent, error) {
	e, err := record.ReadStored(stored)
	if err != nil {
		return nil, errors.Join(conn.ErrDamaged, err)
	}
	e.Event.Body = bytes.Clone(e.Event.Body)
	return &e.StoredEvent, nil
}

// List finds the events that a filter selects.
func List(from pack.From, f store.EventFilter) (list []store.StoredEvent, err error) {
	add := func(e *store.StoredEvent) bool {
		if len(list) < f.Limit {
			list = append(list, *e)
		}
		return len(list) < f.Limit
	}
	if f.Limit <= 0 {
		return nil, nil
	}
	s := selection{f, pack.RangeOf(f.Page)}
	if !f.Since.IsZero() {
		s.Range.After = max(s.Range.After, store.SeqAt(f.Since)-1)
	}
	if !f.Until.IsZero() {
		s.Range.Before = min(s.Range.Before, store.SeqAt(f.Until))
	}
	if f.ReplayOf != "" {
		err = s.replays(from, add)
	} else {
		err = table.Scan(from, s.Range, func(stored []byte) (bool, error) {
			e, err := s.selected(stored)
			return e == nil || add(e), err
		})
	}
	return list, err
}

// selection is a filter and the bounds of its events' ids.
type selection struct {
	store.EventFilter
	pack.Range
}

func (s *selection) has(g record.Glance) bool {
	return (s.Type == "" || s.Type == string(g.Type)) && (s.Source == "" || s.Source == string(g.Source)) &&
		(s.Routed == nil || *s.Routed == (g.Deliveries > 0))
}

// selected is an event if it is selected.
func (s *selection) selected(stored []byte) (*store.StoredEvent, error) {
	g, err := record.ReadGlance(stored)
	if err != nil || !s.has(g) {
		return nil, err
	}
	return own(stored)
}

// replays goes through the events that replay one.
func (s *selection) replays(from pack.From, yield func(*store.StoredEvent) bool) error {
	var seqs []int64
	err := from.Ask("SELECT seq FROM replays WHERE of=? AND seq>? AND seq<? ORDER BY seq", func(row []driver.Value) error {
		seqs = append(seqs, row[0].(int64))
		return nil
	}, s.ReplayOf, s.Range.After, s.Range.Before)
	if !s.Range.OldestFirst {
		slices.Reverse(seqs)
	}
	r := Reader{From: from}
	for _, seq := range seqs {
		e, failed := r.find(seq, s.selected)
		if err = errors.Join(err, failed); err != nil || e != nil && !yield(e) {
			return err
		}
	}
	return err
}

// Seqs lists events after one id, up to another, oldest first. What is damaged is
// not there.
func Seqs(ask conn.Ask, after, to int64, limit int) (list []int64, err error) {
	for at, more := after, true; more && err == nil; {
		more, err = table.Outlines(ask, at, func(b *pack.Block) bool {
			at = b.Upto
			for _, m := range b.Marks {
				if m.Seq > after && m.Seq <= to && len(list) < limit {
					list = append(list, m.Seq)
				}
			}
			return at < to && len(list) < limit
		})
	}
	return list, err
}

// Count tells how many of some events are there.
func Count(ask conn.Ask, seqs []int64) (n int, err error) {
	seqs = slices.Sorted(slices.Values(seqs))
	for len(seqs) > 0 && err == nil {
		at := seqs[0]
		_, err = table.Outlines(ask, at-1, func(b *pack.Block) bool {
			for ; len(seqs) > 0 && seqs[0] <= b.Upto; seqs = seqs[1:] {
				if b.Has(seqs[0]) {
					n++
				}
			}
			return false
		})
		if len(seqs) > 0 && seqs[0] == at {
			break // no block is left
		}
	}
	return n, err
}

// Keys calls each with the dedupe keys of events after an id, one behind the other,
// and returns where it ended, after some blocks. What is damaged has none: what
// repeats it is new.
func Keys(c *conn.Conn, after int64, each func(seq int64, digest store.Digest, keys []byte)) (last int64, more bool, err error) {
	last = after
	more, err = table.Next(pack.Of(c), after, func(b *pack.Block) {
		last = b.Upto
		_ = b.Each(func(m pack.Mark, stored []byte) error {
			seq, digest, keys, err := record.ReadKeys(stored)
			if err == nil && m.Seq > after {
				each(seq, digest, keys)
			}
			return err
		})
	})
	return last, more, err
}
