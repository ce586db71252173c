package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"iter"
	"path/filepath"
	"slices"
	"testing"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/schema"
)

func database(t *testing.T) *conn.Conn {
	t.Helper()
	c, err := conn.Open(filepath.Join(t.TempDir(), "db"), "_pragma=journal_mode(WAL)&_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := schema.Migrate(c); err != nil {
		t.Fatal(err)
	}
	return c
}

func numbered(n int) store.Key {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	return store.Key(sum[:keySize])
}

// entries are n in order, each leading to the event of its number.
func entries(n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{numbered(i), Place{store.Digest{byte(i)}, int64(i + 1)}}
	}
	slices.SortFunc(list, func(a, b Entry) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return list
}

func eachOf(list []Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func written(t *testing.T, c *conn.Conn, list []Entry) *Run {
	t.Helper()
	r, err := Write(t.Context(), c.Transact, len(list), eachOf(list), func(*conn.Conn) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is written is found, by whoever wrote it and by the next process; what was
// not is nearly always known without a look.
func TestFind(t *testing.T) {
	c := database(t)
	for _, n := range []int{1, 31, 5000, 100_000} {
		list := entries(n)
		written(t, c, list)
		runs, rests, err := List(c.Query)
		if err != nil || len(runs) == 0 || len(rests) > 0 {
			t.Fatalf("%d keys: %d runs, rests %v, %v", n, len(runs), rests, err)
		}
		r := runs[len(runs)-1]
		if r.Keys != n || r.Oldest != 1 || r.Newest != int64(n) {
			t.Errorf("%d keys: %d from %d to %d", n, r.Keys, r.Oldest, r.Newest)
		}
		for i := 0; i < n; i += 1 + n/1000 {
			e := list[i]
			at, found, err := r.Find(c.Query, &e.Key)
			if err != nil || !found || at != e.Place || !r.Perhaps(&e.Key) {
				t.Fatalf("%d keys: key %d: %v %t %v", n, i, at, found, err)
			}
		}
		wrong := 0
		for i := range 20_000 {
			k := numbered(1_000_000 + i)
			if !r.Perhaps(&k) {
				continue
			}
			wrong++
			if _, found, err := r.Find(c.Query, &k); found || err != nil {
				t.Fatalf("%d keys: found what was not written: %v", n, err)
			}
		}
		if wrong > 100 {
			t.Errorf("%d keys: the filter passes %d of 20000 others", n, wrong)
		}
	}
}

func TestReaderGoesThroughAllInOrder(t *testing.T) {
	c := database(t)
	list := entries(20_000)
	r := NewReader(written(t, c, list), c.Query)
	for i := 0; ; i++ {
		key, err := r.Peek()
		if err != nil {
			t.Fatal(err)
		}
		if key == nil {
			if i != len(list) {
				t.Errorf("%d of %d entries", i, len(list))
			}
			return
		}
		if e := r.Next(); e != list[i] || !bytes.Equal(key, e.Key[:]) {
			t.Fatalf("entry %d: %v, not %v", i, e, list[i])
		}
	}
}

// A run that was broken off is none; its rest is known, and removed.
func TestBrokenOff(t *testing.T) {
	c := database(t)
	list := entries(100_000)
	broken := errors.New("broken")
	for _, at := range []int{1, 2, 5} {
		calls := 0
		do := func(ctx context.Context, f func(*conn.Conn) error) error {
			if calls++; calls == at {
				return broken
			}
			return c.Transact(ctx, f)
		}
		r, err := Write(t.Context(), do, len(list), eachOf(list), func(*conn.Conn) error { return nil })
		runs, rests, listed := List(c.Query)
		if !errors.Is(err, broken) || listed != nil || len(runs) > 0 {
			t.Fatalf("at call %d: %v, %d runs, %v", at, err, len(runs), listed)
		}
		if at == 1 {
			continue // nothing was written
		}
		if !slices.Equal(rests, []int64{r.ID}) {
			t.Errorf("at call %d: rests %v of run %d", at, rests, r.ID)
		}
		if err := Remove(t.Context(), c.Transact, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, c); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

func count(t *testing.T, c *conn.Conn) (n int64) {
	t.Helper()
	err := c.Query("SELECT (SELECT count(*) FROM key_runs)+(SELECT count(*) FROM key_blocks)", func(row []driver.Value) error {
		n = row[0].(int64)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGone(t *testing.T) {
	c := database(t)
	list := entries(1000)
	r := written(t, c, list)
	if err := c.Transact(t.Context(), r.Leave); err != nil {
		t.Fatal(err)
	}
	if _, found, err := r.Find(c.Query, &list[7].Key); err != nil || !found {
		t.Errorf("whoever still knows of it: %t, %v", found, err)
	}
	if err := Remove(t.Context(), c.Transact, r.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Find(c.Query, &list[7].Key); !errors.Is(err, ErrGone) {
		t.Errorf("find: %v", err)
	}
	if _, err := NewReader(r, c.Query).Peek(); !errors.Is(err, ErrGone) {
		t.Errorf("read: %v", err)
	}
}

// A bit that the disk has changed is never taken for a key that is not there.
func TestDamage(t *testing.T) {
	list := entries(1000)
	for name, sql := range map[string]string{
		"a key":    "UPDATE key_blocks SET data=substr(data,1,1)||x'ff'||substr(data,3)",
		"a place":  "UPDATE key_blocks SET data=substr(data,1,30)||x'ffff'||substr(data,33)",
		"cut off":  "UPDATE key_blocks SET data=substr(data,1,50)",
		"nothing":  "UPDATE key_blocks SET data=x''",
		"text":     "UPDATE key_blocks SET data='text'",
		"moved up": "UPDATE key_blocks SET data=coalesce((SELECT data FROM key_blocks b WHERE b.id=key_blocks.id+1), x'')",
	} {
		t.Run(name, func(t *testing.T) {
			c := database(t)
			r := written(t, c, list)
			if _, err := c.Exec(sql); err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				if _, _, err := r.Find(c.Query, &e.Key); !errors.Is(err, conn.ErrDamaged) {
					t.Fatalf("find: %v", err)
				}
			}
			if _, err := NewReader(r, c.Query).Peek(); !errors.Is(err, conn.ErrDamaged) {
				t.Errorf("read: %v", err)
			}
		})
	}
	for name, sql := range map[string]string{
		"filter": "UPDATE key_runs SET filter=substr(filter,1,9)||x'00ff'||substr(filter,12)",
		"count":  "UPDATE key_runs SET blocks=blocks+1",
	} {
		t.Run(name, func(t *testing.T) {
			c := database(t)
			written(t, c, list)
			if _, err := c.Exec(sql); err != nil {
				t.Fatal(err)
			}
			if _, _, err := List(c.Query); !errors.Is(err, conn.ErrDamaged) {
				t.Errorf("list: %v", err)
			}
		})
	}
}
