package sqlite

import (
	"context"
	"fmt"
	"testing"

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
	if err := s.keys.Move(ctx, s.do); err != nil {
		t.Fatal(err)
	}
	if n := s.keys.Len(); n != 0 {
		t.Errorf("%d keys left in memory after a merge", n)
	}
	put(7, true, "in the table")
	put(1000, false, "fresh")
	shut()
	s, shut = start(t, o)
	defer shut()
	if n := s.keys.Len(); n != 2 {
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
	if err := s.keys.Move(ctx, s.do); err != nil {
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
