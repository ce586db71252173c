package ended_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/ended"
	"github.com/event-gateway/gateway/gateway/store/sqlite/schema"
)

// table is deliveries in blocks beside the same in a list.
type table struct {
	*testing.T
	rnd    *rand.Rand
	conn   *conn.Conn
	writer ended.Writer
	now    time.Time
	seq    store.Sequence
	list   []*store.Delivery
}

func open(t *testing.T, seed uint64) *table {
	t.Helper()
	c, err := conn.Open(filepath.Join(t.TempDir(), "test.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	h := &table{T: t, rnd: rand.New(rand.NewPCG(seed, 0)), conn: c, now: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}
	h.must(schema.Migrate(c))
	return h
}

func (h *table) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func pick[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

func (h *table) delivery() *store.Delivery {
	event := h.seq.Next(h.now, 4)
	due := h.now.Add(time.Duration(h.rnd.IntN(5)) * time.Microsecond)
	d := &store.Delivery{
		Seq: event + 1 + int64(h.rnd.IntN(3)), EventSeq: event, Route: pick(h.rnd, "a", "b"), Engine: pick(h.rnd, "x", "y"), Workflow: "w",
		Key: pick(h.rnd, "", "k"), State: store.Succeeded, Attempt: 1, Due: due, FirstAttemptAt: due.Add(time.Millisecond), RunID: pick(h.rnd, "", "run"),
	}
	if h.rnd.IntN(3) == 0 {
		d.Input = bytes.Repeat([]byte("i"), pick(h.rnd, 0, 10, 4000))
	}
	d.Last = store.Attempt{
		Number: 1, Started: d.FirstAttemptAt, Ended: d.FirstAttemptAt.Add(time.Second), Outcome: "succeeded",
		Message: pick(h.rnd, "", "m"), Process: "x/7",
	}
	if h.rnd.IntN(3) == 0 {
		d.Last.Output = []byte(`{"a":1}`)
	}
	return d
}

// add brings deliveries in one transaction.
func (h *table) add(n int) {
	h.must(h.conn.Transact(context.Background(), func(c *conn.Conn) error {
		for range n {
			d := h.delivery()
			h.now = h.now.Add(time.Duration(h.rnd.IntN(3)) * time.Millisecond)
			if !ended.Fits(d) {
				h.Fatalf("does not fit: %+v", d)
			}
			h.list = append(h.list, d)
			h.must(h.writer.Add(c, d))
		}
		return h.writer.Flush(c)
	}))
}

func (h *table) some() int64 {
	if len(h.list) == 0 {
		return h.rnd.Int64N(math.MaxInt64)
	}
	return h.list[h.rnd.IntN(len(h.list))].Seq + pick[int64](h.rnd, 0, 0, 1, -1)
}

func (h *table) filter() store.DeliveryFilter {
	f := store.DeliveryFilter{Page: store.Page{Limit: 1 + h.rnd.IntN(50), OldestFirst: h.rnd.IntN(2) == 0}}
	f.Route, f.Engine = pick(h.rnd, "", "", "a", "none"), pick(h.rnd, "", "", "x")
	f.States = pick(h.rnd, nil, nil, []store.State{store.Dead}, []store.State{store.Dead, store.Succeeded})
	if h.rnd.IntN(3) == 0 {
		f.Before = h.some()
	}
	if h.rnd.IntN(3) == 0 {
		f.After = h.some()
	}
	return f
}

func (h *table) selected(f store.DeliveryFilter) (list []*store.Delivery) {
	for _, d := range h.list {
		switch {
		case f.Before != 0 && d.Seq >= f.Before, f.After != 0 && d.Seq <= f.After:
		case f.Route != "" && f.Route != d.Route, f.Engine != "" && f.Engine != d.Engine:
		case len(f.States) > 0 && !slices.Contains(f.States, d.State):
		default:
			list = append(list, d)
		}
	}
	if !f.OldestFirst {
		slices.Reverse(list)
	}
	return list[:min(len(list), f.Limit)]
}

func (h *table) check() {
	h.Helper()
	for range 10 {
		f := h.filter()
		got, err := ended.List(h.conn.Query, f)
		h.must(err)
		if diff := cmp.Diff(h.selected(f), got); diff != "" {
			h.Fatalf("%+v (-want +got):\n%s", f, diff)
		}
	}
	for range 10 {
		seq := h.some()
		var want *store.Delivery
		for _, d := range h.list {
			if d.Seq == seq {
				want = d
			}
		}
		got, err := ended.Find(h.conn.Query, seq)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			h.Fatalf("%d: %v (-want +got):\n%s", seq, err, diff)
		}
		after, before := h.some(), h.some()
		in := func(d *store.Delivery) bool { return d.Seq > after && d.Seq < before }
		s, err := ended.Between(h.conn.Query, after, before-1)
		if got, want := s.Has(after, before), slices.ContainsFunc(h.list, in); got != want || err != nil {
			h.Fatalf("any after %d, before %d: %t, want %t, %v", after, before, got, want, err)
		}
	}
}

// Whatever happens, what is in the blocks is what is in a list that it happened to,
// too.
func TestAsAList(t *testing.T) {
	for seed := range uint64(2) {
		h := open(t, seed)
		for range 20 {
			if h.rnd.IntN(3) > 0 || len(h.list) == 0 {
				h.add(1 + h.rnd.IntN(60))
			} else {
				i := h.rnd.IntN(len(h.list))
				h.must(ended.Remove(h.conn, h.list[i].Seq))
				h.list = slices.Delete(h.list, i, i+1)
			}
			h.check()
		}
	}
}

// A block leaves when the last of its deliveries may, however much later that ended.
func TestEndOfTheLast(t *testing.T) {
	h := open(t, 1)
	slow := h.delivery()
	slow.Last.Ended = h.now.Add(time.Hour)
	h.must(h.writer.Add(h.conn, slow))
	h.add(3)
	h.must(h.conn.Query("SELECT ended FROM ended", func(row []driver.Value) error {
		if want := slow.Last.Ended.UnixMicro(); row[0] != want {
			t.Errorf("ended %v, want %d", row[0], want)
		}
		return nil
	}))
}

// Of what has all been taken out, nothing is left.
func TestLeavesNothing(t *testing.T) {
	h := open(t, 1)
	h.add(20)
	for _, d := range h.list {
		h.must(ended.Remove(h.conn, d.Seq))
	}
	s, err := ended.Between(h.conn.Query, 0, math.MaxInt64)
	if s.Has(0, math.MaxInt64) || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// A damaged block is an error to whoever reads it, any delivery may be in it, and
// none can be taken out of it.
func TestDamaged(t *testing.T) {
	for _, change := range []string{"data=data||x'00'", "data=x''", "deliveries=x'80'", "sum=sum+1", "sum=''"} {
		h := open(t, 3)
		for range 3 {
			h.add(5)
		}
		damaged := h.list[7].Seq
		_, err := h.conn.Exec("UPDATE ended SET "+change+" WHERE upto=(SELECT min(upto) FROM ended WHERE upto>=?)", damaged)
		h.must(err)
		if d, err := ended.Find(h.conn.Query, damaged); !errors.Is(err, conn.ErrDamaged) {
			t.Errorf("%s: %+v %v", change, d, err)
		}
		if err := ended.Remove(h.conn, damaged); !errors.Is(err, conn.ErrDamaged) {
			t.Errorf("%s: taken out, %v", change, err)
		}
		if _, err := ended.List(h.conn.Query, store.DeliveryFilter{Page: store.Page{Limit: 1000}}); !errors.Is(err, conn.ErrDamaged) {
			t.Errorf("%s: listed, %v", change, err)
		}
		if d, err := ended.Find(h.conn.Query, h.list[0].Seq); d == nil || err != nil {
			t.Errorf("%s: another one: %+v %v", change, d, err)
		}
		s, err := ended.Between(h.conn.Query, 0, math.MaxInt64)
		if !s.Has(damaged-1, damaged+1) || err != nil {
			t.Errorf("%s: none in %+v, %v", change, s, err)
		}
	}
}

// What the transaction under way has not written is forgotten with it.
func TestReset(t *testing.T) {
	h := open(t, 1)
	_ = h.conn.Transact(context.Background(), func(c *conn.Conn) error {
		for range 50 {
			h.must(h.writer.Add(c, h.delivery()))
		}
		return errors.New("no")
	})
	h.writer.Reset()
	h.must(h.writer.Flush(h.conn))
	h.check()
}

func ExampleFits() {
	d := store.Delivery{State: store.Succeeded, Attempt: 1, Last: store.Attempt{Outcome: "succeeded"}}
	fmt.Println(ended.Fits(&d))
	d.Attempt = 2
	fmt.Println(ended.Fits(&d))
	// Output:
	// true
	// false
}
