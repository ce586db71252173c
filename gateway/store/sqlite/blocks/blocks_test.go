package blocks_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/schema"
)

// table is events in blocks beside the same in a list.
type table struct {
	*testing.T
	rnd    *rand.Rand
	path   string
	conn   *conn.Conn
	writer blocks.Writer
	now    time.Time
	seq    store.Sequence
	events []*record.Event
	// open are the deliveries that are there.
	open  map[int64]bool
	moved int64
}

func open(t *testing.T, seed uint64) *table {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	c, err := conn.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	h := &table{
		T: t, path: path, rnd: rand.New(rand.NewPCG(seed, 0)), conn: c, now: time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC), open: map[int64]bool{},
	}
	h.must(schema.Migrate(c))
	h.writer.Beside, c.Files().FileSize = seed%2 == 0, 300_000
	return h
}

func (h *table) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *table) do(run func(*conn.Conn) error) {
	h.Helper()
	h.must(h.conn.Transact(context.Background(), run))
}

func pick[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

// event makes one that is like others, but for its size.
func (h *table) event() *record.Event {
	n := len(h.events)
	e := &record.Event{StoredEvent: store.StoredEvent{
		Event: &event.Event{
			ID: fmt.Sprint("event-", n), Source: pick(h.rnd, "/a", "/b"), Type: pick(h.rnd, "x", "y", "z"), Time: h.now,
			ContentType: "text/plain", Headers: map[string]string{"n": fmt.Sprint(n)},
			Body: h.body(byte(n), pick(h.rnd, 0, 10, 1000, 5000, 100_000)),
		},
		Revision: "r", Deliveries: pick(h.rnd, 0, 0, 1, 3), Conflict: h.rnd.IntN(9) == 0,
	}}
	if n > 0 && h.rnd.IntN(20) == 0 {
		e.Event.ID = store.ReplayID("event-0", fmt.Sprint(n))
	}
	if e.Conflict {
		e.Deliveries = 0
	} else {
		e.Keys = fmt.Appendf(nil, "%016d", n)
		e.Digest = store.Digest{byte(n)}
	}
	e.Seq = h.seq.Next(h.now, 1+e.Deliveries)
	return e
}

// body compresses well, or not at all.
func (h *table) body(b byte, size int) []byte {
	body := bytes.Repeat([]byte{b}, size)
	if b%2 == 0 {
		_, _ = rand.NewChaCha8([32]byte{b}).Read(body)
	}
	return body
}

// add brings events in one transaction.
func (h *table) add(events int) {
	h.do(func(c *conn.Conn) error {
		for range events {
			e := h.event()
			h.now = h.now.Add(time.Duration(h.rnd.IntN(3)) * time.Millisecond)
			h.events = append(h.events, e)
			h.must(h.writer.Add(c, e))
			for i := range e.Deliveries {
				h.open[e.Seq+1+int64(i)] = true
				_, err := c.Exec("INSERT INTO deliveries (seq,event,route,engine,workflow,key,state,claimed,due) VALUES (?,?,'','','','',0,0,0)", e.Seq+1+int64(i), e.Seq)
				h.must(err)
			}
		}
		return h.writer.Flush(c)
	})
}

// end deletes some deliveries, as retention does before events leave.
func (h *table) end() {
	for _, seq := range slices.Sorted(maps(h.open)) {
		if h.rnd.IntN(3) == 0 {
			delete(h.open, seq)
			_, err := h.conn.Exec("DELETE FROM deliveries WHERE seq=?", seq)
			h.must(err)
		}
	}
}

func maps(m map[int64]bool) func(func(int64) bool) {
	return func(yield func(int64) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// expire lets events go here and there.
func (h *table) expire() {
	before := h.some()
	if h.rnd.IntN(2) == 0 {
		h.moved = h.some()
		_, err := h.conn.Exec("INSERT OR REPLACE INTO marks (name,value) VALUES ('keys',?)", h.moved)
		h.must(err)
	}
	h.must(blocks.Expire(context.Background(), h.conn.Query, h.conn.Transact, before))
	h.must(blocks.Sweep(pack.Of(h.conn)))
	h.events = slices.DeleteFunc(h.events, func(e *record.Event) bool {
		for i := range e.Deliveries {
			if h.open[e.Seq+1+int64(i)] {
				return false
			}
		}
		return e.Seq < before && (e.Seq <= h.moved || len(e.Keys) == 0)
	})
}

// some is an id, of an event perhaps.
func (h *table) some() int64 {
	if len(h.events) == 0 {
		return h.rnd.Int64N(math.MaxInt64)
	}
	return h.events[h.rnd.IntN(len(h.events))].Seq + pick[int64](h.rnd, 0, 0, 1, -1)
}

func (h *table) filter() store.EventFilter {
	f := store.EventFilter{Page: store.Page{Limit: 1 + h.rnd.IntN(50), OldestFirst: h.rnd.IntN(2) == 0}}
	f.Type, f.Source = pick(h.rnd, "", "", "x", "none"), pick(h.rnd, "", "", "/a")
	if h.rnd.IntN(3) == 0 {
		f.Before = h.some()
	}
	if h.rnd.IntN(3) == 0 {
		f.After = h.some()
	}
	if h.rnd.IntN(4) == 0 {
		f.Since = store.TimeOf(h.some())
	}
	if h.rnd.IntN(4) == 0 {
		f.Until = store.TimeOf(h.some())
	}
	if h.rnd.IntN(4) == 0 {
		routed := h.rnd.IntN(2) == 0
		f.Routed = &routed
	}
	if h.rnd.IntN(6) == 0 {
		f.ReplayOf = "event-0"
	}
	return f
}

// selected is what a filter selects of the list.
func (h *table) selected(f store.EventFilter) (list []store.StoredEvent) {
	for _, e := range h.events {
		of, _, is := store.ReplayOf(e.Event.ID)
		switch {
		case f.Before != 0 && e.Seq >= f.Before, f.After != 0 && e.Seq <= f.After:
		case !f.Since.IsZero() && e.Seq < store.SeqAt(f.Since), !f.Until.IsZero() && e.Seq >= store.SeqAt(f.Until):
		case f.Type != "" && f.Type != e.Event.Type, f.Source != "" && f.Source != e.Event.Source:
		case f.Routed != nil && *f.Routed != (e.Deliveries > 0), f.ReplayOf != "" && (!is || of != f.ReplayOf):
		default:
			list = append(list, e.StoredEvent)
		}
	}
	if !f.OldestFirst {
		slices.Reverse(list)
	}
	return list[:min(len(list), f.Limit)]
}

// shown is all of an event in a line.
func shown(e *store.StoredEvent) string {
	ev := e.Event
	return fmt.Sprint(e.Seq, ev.ID, ev.Source, ev.Type, ev.Time, ev.ContentType, ev.Headers, ev.Query, ev.Extensions, e.Revision, e.Deliveries, e.Conflict,
		len(ev.Body), sha256.Sum256(ev.Body))
}

func lines(list []store.StoredEvent) (all []string) {
	for i := range list {
		all = append(all, shown(&list[i]))
	}
	return all
}

func (h *table) check() {
	h.Helper()
	for range 5 {
		f := h.filter()
		got, err := blocks.List(pack.Of(h.conn), f)
		h.must(err)
		if diff := gocmp.Diff(lines(h.selected(f)), lines(got)); diff != "" {
			h.Fatalf("%+v (-want +got):\n%s", f, diff)
		}
	}
	r := blocks.NewReader(h.conn)
	for range 20 {
		seq := h.some()
		i, there := slices.BinarySearchFunc(h.events, seq, func(e *record.Event, seq int64) int { return cmp.Compare(e.Seq, seq) })
		got, err := r.Event(seq)
		if !there && !errors.Is(err, store.ErrNotFound) || there && (err != nil || shown(&h.events[i].StoredEvent) != shown(got)) {
			h.Fatalf("event %d, there %t: %+v %v", seq, there, got, err)
		}
	}
	h.checkSeqs()
	h.checkKeys()
}

func (h *table) checkSeqs() {
	h.Helper()
	after, to, limit := h.some(), h.some(), 1+h.rnd.IntN(len(h.events)+1)
	var want []int64
	for _, e := range h.events {
		if e.Seq > after && e.Seq <= to {
			want = append(want, e.Seq)
		}
	}
	got, err := blocks.Seqs(h.conn.Query, after, to, limit)
	h.must(err)
	if !slices.Equal(got, want[:min(len(want), limit)]) {
		h.Fatalf("after %d, to %d, %d of them: %d, want %d", after, to, limit, got, want)
	}
	n, err := blocks.Count(h.conn.Query, append(want, 1, math.MaxInt64))
	if n != len(want) || err != nil {
		h.Fatalf("counted %d of %d, %v", n, len(want), err)
	}
}

func (h *table) checkKeys() {
	h.Helper()
	after := h.some()
	got, want := map[int64]string{}, map[int64]string{}
	for _, e := range h.events {
		if e.Seq > after {
			want[e.Seq] = fmt.Sprint(e.Digest, string(e.Keys))
		}
	}
	for at, more := after, true; more; {
		var err error
		at, more, err = blocks.Keys(h.conn, at, func(seq int64, digest store.Digest, keys []byte) {
			got[seq] = fmt.Sprint(digest, string(keys))
		})
		h.must(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		h.Fatalf("keys after %d (-want +got):\n%s", after, diff)
	}
}

// Whatever happens, what is in the blocks is what is in a list that it happened to,
// too.
func TestAsAList(t *testing.T) {
	for seed := range uint64(4) {
		h := open(t, seed)
		for range 30 {
			switch h.rnd.IntN(4) {
			case 0, 1:
				h.add(1 + h.rnd.IntN(60))
			case 2:
				h.end()
			case 3:
				h.expire()
			}
			h.check()
		}
	}
}

// When all has left, nothing is left but the file that the next values go to.
func TestLeavesNothing(t *testing.T) {
	h := open(t, 2)
	for range 9 {
		h.add(100)
	}
	before := h.files()
	newest := h.events[len(h.events)-1].Seq
	h.open = map[int64]bool{}
	h.must(h.conn.Script("DELETE FROM deliveries"))
	_, err := h.conn.Exec("INSERT INTO marks (name,value) VALUES ('keys',?)", newest)
	h.must(err)
	h.must(blocks.Expire(context.Background(), h.conn.Query, h.conn.Transact, math.MaxInt64))
	for sql, want := range map[string]int64{
		"SELECT count(*) FROM blocks": 0, "SELECT count(*) FROM replays": 0,
	} {
		rows := 0
		h.must(h.conn.Query(sql, func(row []driver.Value) error {
			if rows++; row[0] != want {
				t.Errorf("%s: %v, want %d", sql, row[0], want)
			}
			return nil
		}))
		if rows != 1 {
			t.Errorf("%s: %d rows", sql, rows)
		}
	}
	h.must(blocks.Sweep(pack.Of(h.conn)))
	if after := h.files(); len(before) < 3 || len(after) != 1 {
		t.Errorf("files before %v, after %v", before, after)
	}
}

// files are those beside the database.
func (h *table) files() []string {
	list, err := filepath.Glob(filepath.Join(filepath.Dir(h.path), "events-*"))
	h.must(err)
	return list
}

// A damaged block is an error to whoever reads it, and to nobody else. It leaves
// when its time has come and its deliveries have.
func TestDamaged(t *testing.T) {
	for i, change := range []string{"data=data||x'00'", "data=x''", "data=''", "events=x'80'", "events=x''", "sum=sum+1", "sum=''", "events=''",
		"file=9", "file=NULL", "file=''", "data=x'0001'", "data=x'ffffffffffffffffff01ffffffffffffffffff01'"} {
		h := open(t, 3)
		h.writer.Beside = i%2 == 0 || strings.HasPrefix(change, "file")
		for range 3 {
			h.add(40)
		}
		damaged := h.events[len(h.events)/2].Seq
		_, err := h.conn.Exec("UPDATE blocks SET "+change+" WHERE upto=(SELECT min(upto) FROM blocks WHERE upto>=?)", damaged)
		h.must(err)
		r := blocks.NewReader(h.conn)
		if e, err := r.Event(damaged); !errors.Is(err, conn.ErrDamaged) {
			t.Errorf("%s: %+v %v", change, e, err)
		}
		if _, err := blocks.List(pack.Of(h.conn), store.EventFilter{Page: store.Page{Limit: 1000}}); !errors.Is(err, conn.ErrDamaged) {
			t.Errorf("%s: listed, %v", change, err)
		}
		for _, i := range []int{0, len(h.events) - 1} {
			if e, err := r.Event(h.events[i].Seq); err != nil || e.Seq != h.events[i].Seq {
				t.Errorf("%s: another one: %+v %v", change, e, err)
			}
		}
		there := func() (n int) {
			h.must(h.conn.Query("SELECT count(*) FROM blocks WHERE upto>=? AND upto<=?", func(row []driver.Value) error {
				n = int(row[0].(int64))
				return nil
			}, damaged, damaged+1<<22))
			return n
		}
		expire := func() {
			h.must(blocks.Expire(context.Background(), h.conn.Query, h.conn.Transact, math.MaxInt64))
		}
		_, err = h.conn.Exec("INSERT INTO marks (name,value) VALUES ('keys',?)", int64(math.MaxInt64))
		h.must(err)
		before := there()
		expire()
		if there() == 0 {
			t.Errorf("%s: it left before its deliveries", change)
		}
		h.must(h.conn.Script("DELETE FROM deliveries"))
		h.must(blocks.Expire(context.Background(), h.conn.Query, h.conn.Transact, damaged))
		if n := there(); n != before {
			t.Errorf("%s: %d of %d blocks stayed before their time", change, n, before)
		}
		expire()
		if n := there(); n != 0 {
			t.Errorf("%s: %d of %d blocks stayed", change, n, before)
		}
	}
}

// What the transaction under way has not written is forgotten with it.
func TestReset(t *testing.T) {
	h := open(t, 1)
	_ = h.conn.Transact(context.Background(), func(c *conn.Conn) error {
		for range 50 {
			h.must(h.writer.Add(c, h.event()))
		}
		return errors.New("no")
	})
	h.writer.Reset()
	h.must(h.writer.Flush(h.conn))
	h.check()
}
