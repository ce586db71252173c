package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// keyIndex finds events by id and by dedupe key. Keys are random, so indexing
// each at once would rewrite a page for every key in every commit, several
// times the event itself. Instead a key is committed with its event, in the
// event's row, kept in memory, and moved into the keys table later, sorted,
// where neighbours share a page. After a crash what had not been moved is read
// from the events again.
type keyIndex struct {
	// window is how long a key makes a duplicate; zero: for ever.
	window time.Duration

	mu     sync.RWMutex
	recent map[store.Key]place
	// sources that events came from: an id is looked for in each.
	sources map[string]bool
	// asked is used again from batch to batch, by the writer.
	asked []driver.Value
	// added in the transaction under way, with what they replaced.
	added []undo
}

// place is where a key leads.
type place struct {
	digest store.Digest
	event  int64
}

type undo struct {
	key    store.Key
	before place
}

const (
	// mergeAt is how many keys in memory start a merge, mergeAge how long the
	// first of fewer waits.
	mergeAt    = 1 << 16
	mergeAge   = 30 * time.Second
	mergeChunk = 512
	keySize    = len(store.Key{})
)

func newKeyIndex(window time.Duration) *keyIndex {
	return &keyIndex{window: window, recent: map[store.Key]place{}, sources: map[string]bool{}}
}

func joined(keys []store.Key) []byte {
	b := make([]byte, 0, len(keys)*keySize)
	for _, k := range keys {
		b = append(b, k[:]...)
	}
	return b
}

// load reads the keys that were not in the table when the last process ended.
func (x *keyIndex) load(c *conn) error {
	err := c.query("SELECT name FROM sources", func(row []driver.Value) error {
		x.sources[row[0].(string)] = true
		return nil
	})
	if err != nil {
		return err
	}
	const q = `SELECT seq,digest,keys FROM events
WHERE seq>coalesce((SELECT value FROM marks WHERE name='keys'),0)`
	return c.query(q, func(row []driver.Value) error {
		at := place{store.Digest(row[1].([]byte)), row[0].(int64)}
		for keys := row[2].([]byte); len(keys) >= keySize; keys = keys[keySize:] {
			x.recent[store.Key(keys[:keySize])] = at
		}
		return nil
	})
}

// add puts the keys of an event of the transaction under way.
func (x *keyIndex) add(keys []store.Key, at place) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range keys {
		x.added = append(x.added, undo{k, x.recent[k]})
		x.recent[k] = at
	}
}

// source notes where an event came from.
func (x *keyIndex) source(c *conn, name string) error {
	x.mu.RLock()
	known := x.sources[name]
	x.mu.RUnlock()
	if known {
		return nil
	}
	// A rollback takes the row back and leaves the name in memory: the next
	// process may not find that source's events by id until one comes again.
	_, err := c.exec("INSERT OR IGNORE INTO sources (name) VALUES (?)", name)
	x.mu.Lock()
	x.sources[name] = true
	x.mu.Unlock()
	return err
}

// settle ends the transaction: what did not commit is forgotten.
func (x *keyIndex) settle(committed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !committed {
		for _, u := range slices.Backward(x.added) {
			if u.before.event == 0 {
				delete(x.recent, u.key)
			} else {
				x.recent[u.key] = u.before
			}
		}
	}
	x.added = x.added[:0]
}

// fresh finds a dedupe key in memory, if it is still in its window.
func (x *keyIndex) fresh(k store.Key, now time.Time) (place, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	at, ok := x.recent[k]
	return at, ok && x.inWindow(at, now)
}

func (x *keyIndex) inWindow(at place, now time.Time) bool {
	return x.window <= 0 || at.event >= store.SeqAt(now.Add(-x.window))
}

// known finds dedupe keys of a batch in the table.
func (x *keyIndex) known(c *conn, entries []*pendingEntry, now time.Time) (map[store.Key]place, error) {
	vals := x.asked[:0]
	for _, e := range entries {
		for i := range e.keys {
			vals = append(vals, e.keys[i][:])
		}
	}
	x.asked = vals
	var seen map[store.Key]place
	err := lookup(c, vals, func(row []driver.Value) error {
		if seen == nil {
			seen = map[store.Key]place{}
		}
		at := place{store.Digest(row[1].([]byte)), row[2].(int64)}
		if x.inWindow(at, now) {
			seen[store.Key(row[0].([]byte))] = at
		}
		return nil
	})
	return seen, err
}

// lookup selects keys from the table, some dozens at a time; the last group
// is filled up by repeating a key, so that few statements are prepared.
func lookup(c *conn, keys []driver.Value, each func([]driver.Value) error) error {
	for len(keys) > 0 {
		size := 64
		if len(keys) <= 8 {
			size = 8
		}
		for len(keys)%size != 0 {
			keys = append(keys, keys[0])
		}
		if err := c.query(lookupSQL(size), each, keys[:size]...); err != nil {
			return err
		}
		keys = keys[size:]
	}
	return nil
}

// lookupSQL seeks each key by itself: IN would sort them into a temporary
// index first, which costs more than the seeks.
func lookupSQL(n int) string {
	if n == 8 {
		return lookup8
	}
	return lookup64
}

const lookupOne = "SELECT key,digest,event FROM keys WHERE key=?"

var (
	lookup8  = lookupOne + strings.Repeat(" UNION ALL "+lookupOne, 7)
	lookup64 = lookupOne + strings.Repeat(" UNION ALL "+lookupOne, 63)
)

// find looks for an id in all sources, for readers; the newest wins, zero is
// none.
func (s *Store) find(ctx context.Context, id string) (newest int64, err error) {
	var keys []any
	s.keys.mu.RLock()
	for source := range s.keys.sources {
		k := store.Identity(source, id)
		newest = max(newest, s.keys.recent[k].event)
		keys = append(keys, k[:])
	}
	s.keys.mu.RUnlock()
	for ; len(keys) > 0 && err == nil; keys = keys[1:] {
		err = s.rows(ctx, "SELECT event FROM keys WHERE key=?", keys[:1], func(row []driver.Value) error {
			newest = max(newest, row[0].(int64))
			return nil
		})
	}
	return newest, err
}

// runMerge moves keys from memory into the table when there are many, or when
// they have been there for a while.
func (s *Store) runMerge(ctx context.Context) {
	last := time.Now()
	every(ctx, mergeEvery, func() {
		s.keys.mu.RLock()
		n := len(s.keys.recent)
		s.keys.mu.RUnlock()
		if n >= mergeAt || n > 0 && time.Since(last) >= mergeAge {
			_ = s.merge(ctx)
			last = time.Now()
		}
	})
}

var insertKeys = newBulk("INSERT OR REPLACE INTO keys (key,digest,event) VALUES ", "", 3)

type found struct {
	key store.Key
	place
}

// merge moves every committed key. It may be broken off anywhere: the mark
// comes last, and moving a key twice does no harm.
func (s *Store) merge(ctx context.Context) error {
	var list []found
	var newest int64
	err := s.do(ctx, func(*conn) error {
		list, newest = s.keys.sorted()
		return nil
	})
	for rest := list; len(rest) > 0 && err == nil; {
		chunk := rest[:min(mergeChunk, len(rest))]
		rest = rest[len(chunk):]
		err = s.do(ctx, func(c *conn) error { return insertKeys.exec(c, rowsOf(chunk)) })
	}
	if err == nil {
		err = s.do(ctx, func(c *conn) error {
			_, err := c.exec("INSERT OR REPLACE INTO marks (name,value) VALUES ('keys',?)", newest)
			return err
		})
	}
	if err == nil {
		s.keys.forget(list)
	}
	return err
}

// sorted lists the keys in memory, those of the transaction under way left out.
func (x *keyIndex) sorted() (list []found, newest int64) {
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
			newest = max(newest, at.event)
		}
	}
	slices.SortFunc(list, func(a, b found) int { return bytes.Compare(a.key[:], b.key[:]) })
	return list, newest
}

func rowsOf(chunk []found) []driver.Value {
	vals := make([]driver.Value, 0, 3*len(chunk))
	for i := range chunk {
		vals = append(vals, chunk[i].key[:], chunk[i].digest[:], chunk[i].event)
	}
	return vals
}

// forget drops keys that are in the table now, unless they came again.
func (x *keyIndex) forget(list []found) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range list {
		if x.recent[f.key] == f.place {
			delete(x.recent, f.key)
		}
	}
}
