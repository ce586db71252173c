package blocks

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"math"
	"slices"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Reader reads single events. It keeps the block it read last: neighbours cost
// little. It is for one goroutine, and for as long as no event leaves.
type Reader struct {
	Ask  conn.Ask
	last block
	room []byte
}

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
	if err := r.load(seq); err != nil {
		return nil, err
	}
	err = r.last.each(func(m mark, stored []byte) (err error) {
		if m.seq == seq {
			found, err = as(stored)
		}
		return err
	})
	return found, err
}

// load reads the block that an event must be in.
func (r *Reader) load(seq int64) error {
	if len(r.last.marks) > 0 && seq >= r.last.marks[0].seq && seq <= r.last.upto {
		return nil
	}
	r.last = block{}
	err := r.Ask("SELECT "+columns+" FROM blocks WHERE upto>=? ORDER BY upto LIMIT 1", func(row []driver.Value) error {
		r.last = read(row, r.room)
		return nil
	}, seq)
	if cap(r.last.data) <= keepRoom {
		r.room = r.last.data
	}
	return err
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
func List(ask conn.Ask, f store.EventFilter) (list []store.StoredEvent, err error) {
	add := func(e *store.StoredEvent) bool {
		if len(list) < f.Limit {
			list = append(list, *e)
		}
		return len(list) < f.Limit
	}
	if f.Limit <= 0 {
		return nil, nil
	}
	s := selection{EventFilter: f, after: f.After, before: math.MaxInt64}
	if !f.Since.IsZero() {
		s.after = max(s.after, store.SeqAt(f.Since)-1)
	}
	if f.Before != 0 {
		s.before = f.Before
	}
	if !f.Until.IsZero() {
		s.before = min(s.before, store.SeqAt(f.Until))
	}
	if f.ReplayOf != "" {
		err = s.replays(ask, add)
	} else {
		err = s.scan(ask, add)
	}
	return list, err
}

// selection is a filter and the bounds of its events' ids: after and before.
type selection struct {
	store.EventFilter
	after, before int64
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
func (s *selection) replays(ask conn.Ask, yield func(*store.StoredEvent) bool) error {
	var seqs []int64
	err := ask("SELECT seq FROM replays WHERE of=? AND seq>? AND seq<? ORDER BY seq", func(row []driver.Value) error {
		seqs = append(seqs, row[0].(int64))
		return nil
	}, s.ReplayOf, s.after, s.before)
	if !s.OldestFirst {
		slices.Reverse(seqs)
	}
	r := Reader{Ask: ask}
	for _, seq := range seqs {
		e, failed := r.find(seq, s.selected)
		if err = errors.Join(err, failed); err != nil || e != nil && !yield(e) {
			return err
		}
	}
	return err
}

// The next blocks of a scan, by where it stands.
const (
	upwards   = "SELECT " + columns + " FROM blocks WHERE upto>? ORDER BY upto LIMIT ?"
	downwards = "SELECT " + columns + " FROM blocks WHERE upto<? ORDER BY upto DESC LIMIT ?"
)

// scan goes through blocks, some with each query, of which the first are often enough:
// while a query goes on, SQLite's log cannot begin anew.
func (s *selection) scan(ask conn.Ask, yield func(*store.StoredEvent) bool) error {
	next, at := upwards, s.after
	if !s.OldestFirst {
		var err error
		next = downwards
		if at, err = above(ask, s.before); err != nil {
			return err
		}
	}
	var room []byte
	for limit := 1; ; limit = min(2*limit, someBlocks) {
		count, more := 0, true
		err := ask(next, func(row []driver.Value) (err error) {
			if !more {
				return nil
			}
			b := read(row, room)
			count++
			at, room = b.upto, b.data
			more, err = s.block(&b, yield)
			return err
		}, at, int64(limit))
		if err != nil || !more || count < limit {
			return err
		}
	}
}

// above is what the block that an id may be in is below of.
func above(ask conn.Ask, seq int64) (at int64, err error) {
	at = math.MaxInt64
	err = ask("SELECT min(upto) FROM blocks WHERE upto>=?", func(row []driver.Value) error {
		if upto, ok := row[0].(int64); ok {
			at = upto + 1
		}
		return nil
	}, seq)
	return at, err
}

// block goes through one; more tells whether to go on.
func (s *selection) block(b *block, yield func(*store.StoredEvent) bool) (more bool, err error) {
	var found []*store.StoredEvent
	err = b.each(func(m mark, stored []byte) error {
		if m.seq <= s.after || m.seq >= s.before {
			return nil
		}
		e, err := s.selected(stored)
		if e != nil {
			found = append(found, e)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	if !s.OldestFirst {
		slices.Reverse(found)
	}
	for _, e := range found {
		if !yield(e) {
			return false, nil
		}
	}
	if s.OldestFirst {
		return b.marks[0].seq < s.before, nil
	}
	return b.marks[0].seq > s.after, nil
}

// someBlocks are read with one query.
const someBlocks = 64

// Seqs lists events after one id, up to another, oldest first. What is damaged is
// not there.
func Seqs(ask conn.Ask, after, to int64, limit int) (list []int64, err error) {
	for at, count := after, someBlocks; count == someBlocks && at < to && err == nil && len(list) < limit; {
		count = 0
		err = ask("SELECT "+outline+" FROM blocks WHERE upto>? ORDER BY upto LIMIT ?", func(row []driver.Value) error {
			b := read(row, nil)
			count++
			at = b.upto
			for _, m := range b.marks {
				if m.seq > after && m.seq <= to && len(list) < limit {
					list = append(list, m.seq)
				}
			}
			return nil
		}, at, int64(someBlocks))
	}
	return list, err
}

// Count tells how many of some events are there.
func Count(ask conn.Ask, seqs []int64) (n int, err error) {
	var b block
	seqs = slices.Sorted(slices.Values(seqs))
	for _, seq := range seqs {
		if seq > b.upto {
			b = block{upto: math.MaxInt64}
			err = ask("SELECT "+outline+" FROM blocks WHERE upto>=? ORDER BY upto LIMIT 1", func(row []driver.Value) error {
				b = read(row, nil)
				return nil
			}, seq)
		}
		if err != nil {
			return n, err
		}
		if b.has(seq) {
			n++
		}
	}
	return n, nil
}

// Keys calls each with the dedupe keys of events after an id, one behind the other,
// and returns where it ended, after some blocks. What is damaged has none: what
// repeats it is new.
func Keys(ask conn.Ask, after int64, each func(seq int64, digest store.Digest, keys []byte)) (last int64, more bool, err error) {
	last, count := after, 0
	var room []byte
	err = ask("SELECT "+columns+" FROM blocks WHERE upto>? ORDER BY upto LIMIT ?", func(row []driver.Value) error {
		b := read(row, room)
		count++
		last, room = b.upto, b.data
		_ = b.each(func(m mark, stored []byte) error {
			seq, digest, keys, err := record.ReadKeys(stored)
			if err == nil && m.seq > after {
				each(seq, digest, keys)
			}
			return err
		})
		return nil
	}, after, int64(someBlocks))
	return last, count == someBlocks, err
}
