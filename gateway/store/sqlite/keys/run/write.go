package run

import (
	"context"
	"database/sql/driver"
	"iter"

	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// writeBlocks are written in one transaction, a megabyte or so.
const writeBlocks = 1024

var insertBlocks = conn.NewBulk("INSERT INTO key_blocks (id,data) VALUES ", "(?,?)")

// Write writes a run of entries that come in the order of their keys, each key
// once, at most so many. The run is in force with the last transaction, in which
// also does what has to happen together. With an error it returns what is left to
// be removed, if anything.
func Write(ctx context.Context, do conn.Do, most int, entries iter.Seq2[Entry, error], also func(*conn.Conn) error) (*Run, error) {
	w := &writer{do: do, run: &Run{blocks: int64(max(1, most/perBlock)), filter: newFilter(most)}}
	if err := do(ctx, w.begin); err != nil {
		return w.run, err
	}
	err := w.all(ctx, entries)
	if err == nil {
		err = do(ctx, func(c *conn.Conn) error { return w.end(c, also) })
	}
	if err != nil {
		return w.run, err
	}
	return w.run, nil
}

type writer struct {
	do   conn.Do
	run  *Run
	rows []driver.Value
	// at is the block that is being made, of which this is made.
	at    int64
	block []byte
}

func (w *writer) begin(c *conn.Conn) error {
	if _, err := c.Exec("INSERT INTO key_runs (blocks,keys,oldest,newest,filter,sum) VALUES (0,0,0,0,x'',0)"); err != nil {
		return err
	}
	return c.Query("SELECT last_insert_rowid()", func(row []driver.Value) error {
		w.run.ID = row[0].(int64)
		return nil
	})
}

func (w *writer) all(ctx context.Context, entries iter.Seq2[Entry, error]) error {
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := w.to(ctx, blockOf(&e.Key, w.run.blocks)); err != nil {
			return err
		}
		w.block = appendEntry(w.block, &e)
		w.run.add(&e)
	}
	if err := w.to(ctx, w.run.blocks); err != nil {
		return err
	}
	return w.flush(ctx)
}

func (r *Run) add(e *Entry) {
	r.filter.add(&e.Key)
	if r.Keys == 0 || e.Event < r.Oldest {
		r.Oldest = e.Event
	}
	r.Keys++
	r.Newest = max(r.Newest, e.Event)
}

// to ends the blocks before one; those without entries are rows too: one that is
// missing tells that the run has left.
func (w *writer) to(ctx context.Context, block int64) error {
	for ; w.at < block; w.at++ {
		id := idOf(w.run.ID, w.at)
		w.rows = append(w.rows, id, seal(w.block, id))
		w.block = make([]byte, 0, (perBlock+perBlock/2)*entrySize+sumSize)
		if len(w.rows) < 2*writeBlocks {
			continue
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) flush(ctx context.Context) error {
	if len(w.rows) == 0 {
		return nil
	}
	err := w.do(ctx, func(c *conn.Conn) error { return insertBlocks.Exec(c, w.rows) })
	clear(w.rows)
	w.rows = w.rows[:0]
	return err
}

func (w *writer) end(c *conn.Conn, also func(*conn.Conn) error) error {
	r := w.run
	if _, err := c.Exec("UPDATE key_runs SET blocks=?, keys=?, oldest=?, newest=?, filter=?, sum=? WHERE id=?",
		r.blocks, int64(r.Keys), r.Oldest, r.Newest, []byte(r.filter), r.sum(), r.ID); err != nil {
		return err
	}
	return also(c)
}
