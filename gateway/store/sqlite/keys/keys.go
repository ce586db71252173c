// Package keys finds events by their identity and their dedupe keys. Keys are
// random, so indexing each at once would rewrite a page for every key in every
// commit, several times the event itself. Instead a key is committed with its
// event, beside it in its block, kept in memory, and written later with some tens of
// thousands of others, as a run: a sorted set that never changes. Runs are put
// together when they are many, and leave when all their keys are past their time.
// After a crash what was in no run is read from the events again. It stands below
// the store's writer.
package keys

import (
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys/run"
)

// Place is where a key leads.
type Place = run.Place

// Index finds events by key. Add, Source and Settle are for the writer alone, the
// others for everybody.
type Index struct {
	// window is how long a key makes a duplicate; zero: for ever.
	window time.Duration
	// work is held by who writes or removes runs.
	work turn

	mu sync.RWMutex
	// recent has the newest keys; moving those of which a run is being made.
	recent, moving map[store.Key]Place
	// runs have the others, oldest first. The slice is never changed.
	runs []*run.Run
	// rests of runs, by id, are still to be removed.
	rests []int64
	// sources that events came from: an id is looked for in each.
	sources map[string]bool
	// added in the transaction under way, with what they replaced, and the
	// sources new in it.
	added      []undo
	newSources []string
}

type undo struct {
	key    store.Key
	before Place
}

const size = len(store.Key{})

// New makes an empty index; keys older than window, if any, count no more.
func New(window time.Duration) *Index {
	return &Index{
		work:   make(turn, 1),
		window: window, recent: map[store.Key]Place{}, moving: map[store.Key]Place{}, sources: map[string]bool{},
	}
}

// Joined is keys as the events' column has them.
func Joined(keys []store.Key) []byte {
	b := make([]byte, 0, len(keys)*size)
	for _, k := range keys {
		b = append(b, k[:]...)
	}
	return b
}

// Len is how many keys are in memory.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.recent) + len(x.moving)
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
		for _, name := range x.newSources {
			delete(x.sources, name)
		}
	}
	x.added, x.newSources = x.added[:0], x.newSources[:0]
}

// undo takes the keys of the transaction under way out again.
func (x *Index) undo() {
	for i := len(x.added) - 1; i >= 0; i-- {
		if u := &x.added[i]; u.before.Event == 0 {
			delete(x.recent, u.key)
		} else {
			x.recent[u.key] = u.before
		}
	}
}

// Recent finds a dedupe key in memory, if it is still in its window.
func (x *Index) Recent(k store.Key, now time.Time) (Place, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	at, ok := x.inMemory(k)
	return at, ok && x.inWindow(at, now)
}

func (x *Index) inMemory(k store.Key) (Place, bool) {
	at, ok := x.recent[k]
	if !ok && len(x.moving) > 0 {
		at, ok = x.moving[k]
	}
	return at, ok
}

func (x *Index) inWindow(at Place, now time.Time) bool {
	return x.window <= 0 || at.Event >= x.since(now)
}

// since is the oldest event whose keys count.
func (x *Index) since(now time.Time) int64 { return store.SeqAt(now.Add(-x.window)) }

// turn is a lock that is held over waits for others. Who waits for it is at rest,
// for testing/synctest too, which a mutex is not.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }
