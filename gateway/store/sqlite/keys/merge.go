package keys

import (
	"bytes"
	"context"
	"database/sql/driver"
	"slices"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// mergeChunk bounds the keys that are moved in one transaction.
const mergeChunk = 4096

var insertKeys = conn.NewBulk("INSERT OR REPLACE INTO keys (key,digest,event) VALUES ", "(?,?,?)")

type found struct {
	key store.Key
	Place
}

// Merge moves every committed key into the table. It may be broken off
// anywhere: the mark comes last, and moving a key twice does no harm.
func (x *Index) Merge(ctx context.Context, do conn.Do) error {
	var list []found
	var newest int64
	err := do(ctx, func(*conn.Conn) error {
		list, newest = x.sorted()
		return nil
	})
	if err != nil || len(list) == 0 {
		return err
	}
	for chunk := range slices.Chunk(list, mergeChunk) {
		for i := range chunk {
			x.filter.add(chunk[i].key) // first, so that it never denies what the table has
		}
		if err := do(ctx, func(c *conn.Conn) error { return insertKeys.Exec(c, rowsOf(chunk)) }); err != nil {
			return err
		}
	}
	err = do(ctx, func(c *conn.Conn) error {
		_, err := c.Exec("INSERT OR REPLACE INTO marks (name,value) VALUES ('keys',?)", newest)
		return err
	})
	if err == nil {
		x.forget(list)
	}
	return err
}

// sorted lists the keys in memory, those of the transaction under way left out.
func (x *Index) sorted() (list []found, newest int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	own := make(map[store.Key]bool, len(x.added))
	for _, u := range x.added {
		own[u.key] = true
	}
	list = make([]found, 0, len(x.recent))
	for k, at := range x.recent {
		if !own[k] {
			list = append(list, found{k, at})
			newest = max(newest, at.Event)
		}
	}
	slices.SortFunc(list, func(a, b found) int { return bytes.Compare(a.key[:], b.key[:]) })
	return list, newest
}

func rowsOf(chunk []found) []driver.Value {
	vals := make([]driver.Value, 0, 3*len(chunk))
	for i := range chunk {
		vals = append(vals, chunk[i].key[:], chunk[i].Digest[:], chunk[i].Event)
	}
	return vals
}

// forget drops keys that are in the table now, unless they came again.
func (x *Index) forget(list []found) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range list {
		if x.recent[f.key] == f.Place {
			delete(x.recent, f.key)
		}
	}
}
