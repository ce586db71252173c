// Package run is sets of keys that never change once they are written: sorted,
// cut into blocks, each block one row. To write a hundred thousand random keys
// that way costs a few thousand rows, one after the other, where an index of
// single keys would write a page for nearly each of them. It stands below
// package keys, which decides when a run is written, put together with others,
// or leaves.
package run

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// Place is where a key leads.
type Place struct {
	Digest store.Digest
	Event  int64
}

// Entry is a key with its place.
type Entry struct {
	Key store.Key
	Place
}

// Run is a set of keys in the database. Its fields are for reading.
type Run struct {
	ID int64
	// Keys is how many it has.
	Keys int
	// Oldest and Newest are the events that its keys lead to.
	Oldest, Newest int64
	blocks         int64
	filter         filter
}

// ErrGone: the run has left while it was read. Another has its keys, or nobody
// needs them any more.
var ErrGone = errors.New("a run of keys has left")

// Perhaps is false when the key is certainly not in the run.
func (r *Run) Perhaps(k *store.Key) bool { return r.filter.perhaps(k) }

// Find looks for a key.
func (r *Run) Find(ask conn.Ask, k *store.Key) (at Place, found bool, err error) {
	id, gone := idOf(r.ID, blockOf(k, r.blocks)), true
	err = ask("SELECT data FROM key_blocks WHERE id=?", func(row []driver.Value) error {
		gone = false
		b, err := opened(row[0].([]byte), id)
		if err == nil {
			at, found = within(b, k)
		}
		return err
	}, id)
	if err == nil && gone {
		err = ErrGone
	}
	return at, found, err
}

// readBlocks are read with one query: while a query goes on, SQLite's log
// cannot begin anew.
const readBlocks = 256

// some reads the entries of some blocks, one behind the other.
func (r *Run) some(ask conn.Ask, from, to int64) (list []byte, err error) {
	next, end := idOf(r.ID, from), idOf(r.ID, to)
	err = ask("SELECT id,data FROM key_blocks WHERE id>=? AND id<? ORDER BY id", func(row []driver.Value) error {
		if row[0].(int64) != next {
			return ErrGone
		}
		b, err := opened(row[1].([]byte), next)
		list, next = append(list, b...), next+1
		return err
	}, next, end)
	if err == nil && next != end {
		err = ErrGone
	}
	return list, err
}

// Reader goes through a run in the order of its keys.
type Reader struct {
	run  *Run
	ask  conn.Ask
	at   int64
	list []byte
}

// NewReader begins before the first key.
func NewReader(r *Run, ask conn.Ask) *Reader { return &Reader{run: r, ask: ask} }

// Peek is the key that comes next; nil at the end.
func (r *Reader) Peek() (key []byte, err error) {
	for len(r.list) == 0 && r.at < r.run.blocks {
		to := min(r.at+readBlocks, r.run.blocks)
		if r.list, err = r.run.some(r.ask, r.at, to); err != nil {
			return nil, err
		}
		r.at = to
	}
	if len(r.list) == 0 {
		return nil, nil
	}
	return r.list[:keySize], nil
}

// Next is the entry whose key Peek has shown.
func (r *Reader) Next() Entry {
	e := entryAt(r.list)
	r.list = r.list[entrySize:]
	return e
}

// Sample is the entries of a few blocks from all over the run.
func (r *Run) Sample(ask conn.Ask, blocks int64) (list []Entry, err error) {
	step := max(1, r.blocks/blocks)
	for from := int64(0); from < r.blocks; from += step {
		b, err := r.some(ask, from, from+1)
		if err != nil {
			return nil, err
		}
		for ; len(b) > 0; b = b[entrySize:] {
			list = append(list, entryAt(b))
		}
	}
	return list, nil
}

// List reads which runs there are, oldest first, and the ids of what is left of
// others: broken off while it was written, or while it was removed.
func List(ask conn.Ask) (runs []*Run, rests []int64, err error) {
	err = ask("SELECT id,blocks,keys,oldest,newest,filter,sum FROM key_runs ORDER BY newest", func(row []driver.Value) error {
		r := &Run{ID: row[0].(int64), blocks: row[1].(int64), Keys: int(row[2].(int64)), Oldest: row[3].(int64), Newest: row[4].(int64)}
		if r.blocks == 0 {
			rests = append(rests, r.ID)
			return nil
		}
		r.filter = row[5].([]byte)
		if row[6].(int64) != r.sum() || len(r.filter)%lineBytes != 0 {
			return fmt.Errorf("run %d of keys: %w", r.ID, conn.ErrDamaged)
		}
		runs = append(runs, r)
		return nil
	})
	return runs, rests, err
}

// sum is the checksum of a run's own row.
func (r *Run) sum() int64 {
	var b []byte
	for _, n := range []int64{r.blocks, int64(r.Keys), r.Oldest, r.Newest} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return int64(sum(append(b, r.filter...), r.ID))
}

// Leave takes a run out of force, in the transaction under way. Its rows are
// there until Remove.
func (r *Run) Leave(c *conn.Conn) error {
	_, err := c.Exec("UPDATE key_runs SET blocks=0, filter=x'' WHERE id=?", r.ID)
	return err
}

// removeBlocks are removed in one transaction.
const removeBlocks = 2048

// Remove removes what is left of a run.
func Remove(ctx context.Context, do conn.Do, id int64) error {
	for more := true; more; {
		err := do(ctx, func(c *conn.Conn) error {
			n, err := c.Exec(`DELETE FROM key_blocks WHERE id IN
(SELECT id FROM key_blocks WHERE id>=? AND id<? LIMIT ?)`, idOf(id, 0), idOf(id+1, 0), int64(removeBlocks))
			if more = n > 0; err == nil && !more {
				_, err = c.Exec("DELETE FROM key_runs WHERE id=?", id)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
