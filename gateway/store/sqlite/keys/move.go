package keys

import (
	"bytes"
	"context"
	"database/sql/driver"
	"iter"
	"slices"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys/run"
)

// Many is how many keys in memory are worth a run of their own.
const Many = 1 << 16

// Load reads what the last process left: the runs, and the keys that were in
// none, of which runs are made on the way where they are many.
func (x *Index) Load(c *conn.Conn) (err error) {
	if x.runs, x.rests, err = run.List(c.Query); err != nil {
		return err
	}
	err = c.Query("SELECT name FROM sources", func(row []driver.Value) error {
		x.sources[row[0].(string)] = true
		return nil
	})
	if err != nil {
		return err
	}
	mark := int64(0)
	err = c.Query("SELECT value FROM marks WHERE name='keys'", func(row []driver.Value) error {
		mark = row[0].(int64)
		return nil
	})
	for more := true; err == nil && more; {
		if mark, more, err = x.load(c, mark); err == nil && len(x.recent) >= Many {
			err = x.Move(context.Background(), c.Transact)
		}
	}
	return err
}

func (x *Index) load(c *conn.Conn, after int64) (last int64, more bool, err error) {
	return blocks.Keys(c, after, func(seq int64, digest store.Digest, keys []byte) {
		for at := (Place{Digest: digest, Event: seq}); len(keys) >= size; keys = keys[size:] {
			x.recent[store.Key(keys[:size])] = at
		}
	})
}

// Move makes a run of the keys in memory. It may be broken off anywhere: the
// keys stay in memory, and begin another run the next time.
func (x *Index) Move(ctx context.Context, do conn.Do) error {
	x.work.Lock()
	defer x.work.Unlock()
	x.freeze()
	list := sorted(x.moving)
	if len(list) == 0 {
		return nil
	}
	newest := int64(0)
	for i := range list {
		newest = max(newest, list[i].Event)
	}
	made, err := run.Write(ctx, do, len(list), eachOf(list), func(c *conn.Conn) error {
		_, err := c.Exec("INSERT OR REPLACE INTO marks (name,value) VALUES ('keys',?)", newest)
		return err
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.rest(made)
		return err
	}
	x.runs = append(slices.Clip(x.runs), made)
	x.moving = emptied(x.moving)
	return nil
}

// freeze takes the keys in memory aside, unless those before still are; what the
// transaction under way has added stays.
func (x *Index) freeze() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.moving) > 0 {
		return
	}
	own := make([]Place, len(x.added))
	for i := range x.added {
		own[i] = x.recent[x.added[i].key]
	}
	x.undo()
	x.recent, x.moving = x.moving, x.recent
	for i := range x.added {
		x.added[i].before = x.recent[x.added[i].key]
		x.recent[x.added[i].key] = own[i]
	}
}

// emptied is the map to be used next. One that has been very large is given back.
func emptied(m map[store.Key]Place) map[store.Key]Place {
	if len(m) > 4*Many {
		return map[store.Key]Place{}
	}
	clear(m)
	return m
}

func sorted(m map[store.Key]Place) []run.Entry {
	list := make([]run.Entry, 0, len(m))
	for k, at := range m {
		list = append(list, run.Entry{Key: k, Place: at})
	}
	slices.SortFunc(list, func(a, b run.Entry) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return list
}

func eachOf(list []run.Entry) iter.Seq2[run.Entry, error] {
	return func(yield func(run.Entry, error) bool) {
		for i := range list {
			if !yield(list[i], nil) {
				return
			}
		}
	}
}

// rest notes what is left of a run that failed. It is called with the lock.
func (x *Index) rest(r *run.Run) {
	if r.ID != 0 {
		x.rests = append(x.rests, r.ID)
	}
}
