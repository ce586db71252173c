package keys

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/schema"
)

const source = "a source"

func numbered(n int) store.Key {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	return store.Key(sum[:size])
}

func open(t *testing.T, path, options string) *conn.Conn {
	t.Helper()
	c, err := conn.Open(path, "_pragma=busy_timeout(10000)&_pragma=synchronous(0)&"+options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func database(t *testing.T) (c *conn.Conn, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "db")
	c = open(t, path, "_pragma=journal_mode(WAL)")
	if err := schema.Migrate(c); err != nil {
		t.Fatal(err)
	}
	return c, path
}

// history is what happened to an index, and what it has to say of it.
type history struct {
	*testing.T
	rnd   *rand.Rand
	conn  *conn.Conn
	index *Index
	now   time.Time
	seq   store.Sequence
	ids   int
	// places of all keys that were ever committed; there are the events.
	places map[store.Key]Place
	there  map[int64]bool
	// fails is how many transactions go well until one does not; 0: all do.
	fails int
}

const window = time.Hour

func newHistory(t *testing.T, seed uint64) *history {
	c, _ := database(t)
	h := &history{
		T: t, rnd: rand.New(rand.NewPCG(seed, 1)), conn: c, index: New(window), now: time.Unix(1_800_000_000, 0),
		places: map[store.Key]Place{}, there: map[int64]bool{},
	}
	h.must(h.index.Load(c))
	return h
}

func (h *history) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

var errBroken = errors.New("broken")

func (h *history) do(ctx context.Context, f func(*conn.Conn) error) error {
	if h.fails > 0 {
		if h.fails--; h.fails == 0 {
			return errBroken
		}
	}
	return h.conn.Transact(ctx, f)
}

// commit brings some events, some with keys of before.
func (h *history) commit() {
	type one struct {
		seq  int64
		id   string
		keys []store.Key
	}
	var events []one
	for range 1 + h.rnd.IntN(40) {
		h.ids++
		e := one{h.seq.Next(h.now, 2), string(rune('a' + h.ids)), []store.Key{numbered(-h.rnd.IntN(5000))}}
		e.keys = append(e.keys, store.Identity(source, e.id))
		events = append(events, e)
		h.index.Add(e.keys, Place{Event: e.seq})
		h.index.Source(source)
		if h.rnd.IntN(200) == 0 {
			_ = h.index.Move(h, h.do) // in the middle of a transaction
		}
	}
	good := h.rnd.IntN(4) > 0
	if h.index.Settle(good); !good {
		return
	}
	var w blocks.Writer
	h.must(h.conn.Transact(h, func(c *conn.Conn) error {
		for _, e := range events {
			h.there[e.seq] = true
			for _, k := range e.keys {
				h.places[k] = Place{Event: e.seq}
			}
			ev := &event.Event{ID: e.id, Source: source}
			h.must(w.Add(c, &record.Event{StoredEvent: store.StoredEvent{Seq: e.seq, Event: ev, Deliveries: 1}, Keys: Joined(e.keys)}))
			_, err := c.Exec("INSERT INTO deliveries (seq,event,route,engine,workflow,key,state,claimed,due) VALUES (?,?,'','','','',0,0,0)", e.seq+1, e.seq)
			h.must(err)
		}
		h.must(w.Flush(c))
		_, err := c.Exec("INSERT OR IGNORE INTO sources VALUES (?)", source)
		return err
	}))
}

func (h *history) Deadline() (time.Time, bool) { return h.Context().Deadline() }
func (h *history) Done() <-chan struct{}       { return h.Context().Done() }
func (h *history) Err() error                  { return h.Context().Err() }
func (h *history) Value(key any) any           { return h.Context().Value(key) }

// leave removes events that are older than some time, most of them, as retention
// does: none whose keys are nowhere else.
func (h *history) leave() {
	before := store.SeqAt(h.now.Add(-time.Duration(h.rnd.Int64N(int64(3 * window)))))
	h.must(h.conn.Query("SELECT value FROM marks WHERE name='keys'", func(row []driver.Value) error {
		before = min(before, row[0].(int64))
		return nil
	}))
	for _, seq := range slices.Sorted(maps.Keys(h.there)) { // a seed is a history
		if seq < before && h.rnd.IntN(50) > 0 {
			delete(h.there, seq)
			_, err := h.conn.Exec("DELETE FROM deliveries WHERE seq=?", seq+1)
			h.must(err)
		}
	}
	h.must(blocks.Expire(h, h.conn.Query, h.conn.Transact, before))
}

func (h *history) restart() {
	h.index = New(window)
	h.must(h.index.Load(h.conn))
}

func (h *history) step() {
	if h.rnd.IntN(10) == 0 {
		h.fails = 1 + h.rnd.IntN(6)
	}
	switch h.rnd.IntN(12) {
	case 0, 1:
		_ = h.index.Move(h, h.do)
	case 2:
		_, _ = h.index.Tidy(h, h.conn.Query, h.do)
	case 3:
		h.leave()
	case 4:
		_ = h.index.Expire(h, h.conn.Query, h.do, h.now)
	case 5:
		h.now = h.now.Add(time.Duration(h.rnd.Int64N(int64(window / 4))))
	case 6:
		if h.rnd.IntN(5) == 0 {
			h.restart()
		}
	default:
		h.commit()
	}
	h.fails = 0
}

// find looks for a key as the writer does.
func (h *history) find(k store.Key) (Place, bool) {
	if at, ok := h.index.Recent(k, h.now); ok {
		return at, true
	}
	if !h.index.Perhaps(k) {
		return Place{}, false
	}
	at, ok, err := h.index.Stored(h.conn.Query, k, h.now)
	h.must(err)
	return at, ok
}

func (h *history) check() {
	h.Helper()
	for k, want := range h.places {
		at, found := h.find(k)
		if inWindow := want.Event >= store.SeqAt(h.now.Add(-window)); found != inWindow || found && at != want {
			h.Fatalf("key %x leads to %v (%t), not to %v (%t)", k[:4], at, found, want, inWindow)
		}
	}
	for n := range 200 {
		if _, found := h.find(numbered(n + 1)); found {
			h.Fatal("found a key that never came")
		}
	}
	for id := 1; id <= h.ids; id += 1 + h.ids/100 {
		name := string(rune('a' + id))
		want, committed := h.places[store.Identity(source, name)]
		got, err := h.index.Newest(h.conn.Query, name)
		h.must(err)
		if got != want.Event && (got != 0 || h.there[want.Event]) {
			h.Fatalf("id %d is event %d, not %d (%t)", id, got, want.Event, committed)
		}
	}
}

func (h *history) rows() (n int64) {
	h.must(h.conn.Query("SELECT (SELECT count(*) FROM key_runs)+(SELECT count(*) FROM key_blocks)", func(row []driver.Value) error {
		n = row[0].(int64)
		return nil
	}))
	return n
}

// Whatever happens to it, in whatever order, an index says what a map would that
// forgets nothing and holds no more than it has to.
func TestHistories(t *testing.T) {
	for seed := range uint64(6) {
		h := newHistory(t, seed)
		for i := range 900 {
			if h.step(); i%300 == 0 {
				h.check()
			}
		}
		if seed%2 == 0 {
			h.restart()
		}
		h.check()
		h.now = h.now.Add(2 * window)
		h.must(h.index.Move(h, h.do))
		for did := true; did; {
			var err error
			h.must(h.index.Expire(h, h.conn.Query, h.do, h.now))
			did, err = h.index.Tidy(h, h.conn.Query, h.do)
			h.must(err)
		}
		h.check()
		if n, most := h.rows(), int64(len(h.there)/4+40); n > most {
			t.Errorf("seed %d: %d rows for the keys of %d events", seed, n, len(h.there))
		}
		_, err := h.conn.Exec("DELETE FROM blocks")
		h.must(err)
		h.must(h.index.Expire(h, h.conn.Query, h.do, h.now))
		for did := true; did; {
			did, err = h.index.Tidy(h, h.conn.Query, h.do)
			h.must(err)
		}
		if n := h.rows(); n != 0 {
			t.Errorf("seed %d: %d rows are left when nothing is", seed, n)
		}
	}
}

// A key that is being moved, or put together with others, is never in neither.
func TestLookedForMeanwhile(t *testing.T) {
	c, path := database(t)
	x := New(0)
	if err := x.Load(c); err != nil {
		t.Fatal(err)
	}
	const rounds, each = 80, 500
	var reader sync.WaitGroup
	known := make(chan int, rounds)
	reader.Go(func() {
		asks := open(t, path, "_pragma=query_only(1)")
		for upTo := range known {
			for n := upTo - each; n >= 0; n -= 97 {
				k := numbered(n)
				_, found := x.Recent(k, time.Time{})
				var err error
				if !found {
					_, found, err = x.Stored(asks.Query, k, time.Time{})
				}
				if err != nil || !found {
					t.Errorf("key %d of %d: %v", n, upTo, err)
				}
			}
		}
	})
	for i := range rounds {
		for n := range each {
			x.Add([]store.Key{numbered(i*each + n)}, Place{Event: int64(i*each + n + 1)})
		}
		x.Settle(true)
		known <- (i + 1) * each
		if err := x.Move(t.Context(), c.Transact); err != nil {
			t.Fatal(err)
		}
		tidied(t, x, c)
	}
	close(known)
	reader.Wait()
	if n := len(x.written()); n > 3*fanout {
		t.Errorf("%d runs", n)
	}
}

// written makes an index with as many runs, of one key each.
func written(t *testing.T, c *conn.Conn, runs int) *Index {
	t.Helper()
	x := New(0)
	for n := range runs {
		x.Add([]store.Key{numbered(n)}, Place{Event: int64(n + 1)})
		x.Settle(true)
		if err := x.Move(t.Context(), c.Transact); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func tidied(t *testing.T, x *Index, c *conn.Conn) {
	t.Helper()
	for did := true; did; {
		var err error
		if did, err = x.Tidy(t.Context(), c.Query, c.Transact); err != nil {
			t.Fatal(err)
		}
	}
}

// A run may leave between the moment when it is known and that when it is read.
func TestRunThatLeavesMeanwhile(t *testing.T) {
	c, _ := database(t)
	x := written(t, c, fanout)
	late := func(query string, each func([]driver.Value) error, args ...driver.Value) error {
		tidied(t, x, c)
		return c.Query(query, each, args...)
	}
	if at, found, err := x.Stored(late, numbered(3), time.Time{}); err != nil || !found || at.Event != 4 {
		t.Errorf("%v %t %v", at, found, err)
	}
	if n := len(x.written()); n != 1 {
		t.Errorf("%d runs: they did not leave", n)
	}
	if _, err := c.Exec("DELETE FROM key_blocks"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := x.Stored(c.Query, numbered(3), time.Time{}); !errors.Is(err, conn.ErrDamaged) {
		t.Errorf("of a run without its blocks: %v", err)
	}
}

// What a run that failed has left goes without a restart.
func TestRestsAreRemoved(t *testing.T) {
	c, _ := database(t)
	x := written(t, c, fanout)
	at := 3 // the last one
	fail := func(ctx context.Context, f func(*conn.Conn) error) error {
		if at--; at == 0 {
			return errBroken
		}
		return c.Transact(ctx, f)
	}
	if _, err := x.Tidy(t.Context(), c.Query, fail); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	tidied(t, x, c)
	var rows int64
	if err := c.Query("SELECT count(*) FROM key_runs", func(row []driver.Value) error {
		rows = row[0].(int64)
		return nil
	}); err != nil || rows != 1 {
		t.Errorf("%d runs are left in the database: %v", rows, err)
	}
}
