// Package keys finds events by their identity and their dedupe keys. Keys are
// random, so indexing each at once would rewrite a page for every key in every
// commit, several times the event itself. Instead a key is committed with its
// event, in the event's row, kept in memory, and moved into the keys table
// later, sorted, where neighbours share a page. After a crash what had not been
// moved is read from the events again. It stands below the store's writer.
package keys

import (
	"database/sql/driver"
	"slices"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// Index finds events by key. Its methods that take a connection are the
// writer's; the others are for everybody.
type Index struct {
	// window is how long a key makes a duplicate; zero: for ever.
	window time.Duration
	filter *filter

	mu     sync.RWMutex
	recent map[store.Key]Place
	// sources that events came from: an id is looked for in each.
	sources map[string]bool
	// added in the transaction under way, with what they replaced, and the
	// sources new in it.
	added      []undo
	newSources []string
}

// Place is where a key leads.
type Place struct {
	Digest store.Digest
	Event  int64
}

type undo struct {
	key    store.Key
	before Place
}

const size = len(store.Key{})

// New makes an empty index; keys older than window, if any, count no more.
func New(window time.Duration) *Index {
	return &Index{window: window, filter: newFilter(), recent: map[store.Key]Place{}, sources: map[string]bool{}}
}

// Joined is keys as the events' column has them.
func Joined(keys []store.Key) []byte {
	b := make([]byte, 0, len(keys)*size)
	for _, k := range keys {
		b = append(b, k[:]...)
	}
	return b
}

// Load reads the keys that were not in the table when the last process ended.
func (x *Index) Load(c *conn.Conn) error {
	err := c.Query("SELECT name FROM sources", func(row []driver.Value) error {
		x.sources[row[0].(string)] = true
		return nil
	})
	if err != nil {
		return err
	}
	const q = `SELECT seq,digest,keys FROM events
WHERE seq>coalesce((SELECT value FROM marks WHERE name='keys'),0)`
	return c.Query(q, func(row []driver.Value) error {
		at := Place{store.Digest(row[1].([]byte)), row[0].(int64)}
		for keys := row[2].([]byte); len(keys) >= size; keys = keys[size:] {
			x.recent[store.Key(keys[:size])] = at
		}
		return nil
	})
}

// Len is how many keys are in memory.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.recent)
}

// Add puts the keys of an event of the transaction under way.
func (x *Index) Add(keys []store.Key, at Place) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range keys {
		x.added = append(x.added, undo{k, x.recent[k]})
		x.recent[k] = at
	}
}

// Source notes where an event of the transaction under way came from.
func (x *Index) Source(name string) {
	x.mu.RLock()
	known := x.sources[name]
	x.mu.RUnlock()
	if known {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sources[name] = true
	x.newSources = append(x.newSources, name)
}

// Settle ends the transaction: what did not commit is forgotten.
func (x *Index) Settle(committed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !committed {
		x.undo()
	}
	x.added, x.newSources = x.added[:0], x.newSources[:0]
}

func (x *Index) undo() {
	for _, u := range slices.Backward(x.added) {
		if u.before.Event == 0 {
			delete(x.recent, u.key)
		} else {
			x.recent[u.key] = u.before
		}
	}
	for _, name := range x.newSources {
		delete(x.sources, name)
	}
}

// Recent finds a dedupe key in memory, if it is still in its window.
func (x *Index) Recent(k store.Key, now time.Time) (Place, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	at, ok := x.recent[k]
	return at, ok && x.inWindow(at, now)
}

func (x *Index) inWindow(at Place, now time.Time) bool {
	return x.window <= 0 || at.Event >= store.SeqAt(now.Add(-x.window))
}

// Newest looks for an id in all sources: it returns the newest event that
// memory knows, zero for none, and the keys to be looked for in the table.
func (x *Index) Newest(id string) (newest int64, keys []store.Key) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for source := range x.sources {
		k := store.Identity(source, id)
		newest = max(newest, x.recent[k].Event)
		keys = append(keys, k)
	}
	return newest, keys
}
