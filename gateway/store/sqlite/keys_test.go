package sqlite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// A key makes a duplicate wherever it is kept: in memory, in the table, and
// in memory again after a crash between commit and merge.
func TestKeysSurviveMergeAndRestart(t *testing.T) {
	ctx, o := context.Background(), Options{Dir: t.TempDir()}
	s, shut := start(t, o)
	put := func(i int64, wantDuplicate bool, when string) {
		t.Helper()
		r, err := s.Append(ctx, benchEntry(i, nil))
		if err != nil || r.Duplicate != wantDuplicate {
			t.Errorf("%s: event %d: %+v %v", when, i, r, err)
		}
	}
	for i := range int64(600) {
		put(i, false, "fresh")
	}
	put(7, true, "in memory")
	if err := s.merge(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(s.keys.recent); n != 0 {
		t.Errorf("%d keys left in memory after a merge", n)
	}
	put(7, true, "in the table")
	put(1000, false, "fresh")
	shut()
	s, shut = start(t, o)
	defer shut()
	if n := len(s.keys.recent); n != 2 {
		t.Errorf("%d keys loaded, want the 2 of the event that was not merged", n)
	}
	put(7, true, "in the table after restart")
	put(1000, true, "in memory after restart")
	for _, i := range []int64{7, 1000} {
		want := benchEntry(i, nil).Event.ID
		if e, _, err := s.EventByID(ctx, want); err != nil || e.Event.ID != want {
			t.Errorf("by id %s: %v", want, err)
		}
	}
}

func TestKeysOfAFailedCommitAreForgotten(t *testing.T) {
	x := newKeyIndex(0)
	k := store.Key{1}
	x.add([]store.Key{k}, place{event: 5})
	x.settle(true)
	x.add([]store.Key{k, {2}}, place{event: 9})
	x.settle(false)
	if at, ok := x.fresh(k, time.Now()); !ok || at.event != 5 {
		t.Errorf("key leads to %d, want 5", at.event)
	}
	if _, ok := x.fresh(store.Key{2}, time.Now()); ok {
		t.Error("a key that did not commit makes duplicates")
	}
}

func TestKeyWindow(t *testing.T) {
	x := newKeyIndex(time.Hour)
	now := time.Now()
	x.add([]store.Key{{1}}, place{event: store.SeqAt(now)})
	for after, want := range map[time.Duration]bool{0: true, 59 * time.Minute: true, 61 * time.Minute: false} {
		if _, ok := x.fresh(store.Key{1}, now.Add(after)); ok != want {
			t.Errorf("%s later: duplicate %v, want %v", after, ok, want)
		}
	}
}

func TestLookupManyKeys(t *testing.T) {
	s, shut := start(t, Options{Dir: t.TempDir()})
	defer shut()
	ctx := context.Background()
	e := *benchEntry(1, nil)
	for i := range byte(200) {
		e.Keys = append(e.Keys, store.Key{9, i})
	}
	if _, err := s.Append(ctx, &e); err != nil {
		t.Fatal(err)
	}
	if err := s.merge(ctx); err != nil {
		t.Fatal(err)
	}
	for _, i := range []byte{0, 7, 8, 63, 64, 199} {
		again := benchEntry(2, nil)
		again.Digest, again.Keys = e.Digest, []store.Key{{9, i}}
		if r, err := s.Append(ctx, again); err != nil || !r.Duplicate {
			t.Error(fmt.Sprint("key ", i, " not found: ", err))
		}
	}
}
