package keys

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/event-gateway/gateway/gateway/store"
)

func numbered(n int) store.Key {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	return store.Key(sum[:size])
}

// What is in the filter is never denied; what is not nearly always.
func TestFilter(t *testing.T) {
	f := newFilter()
	f.filled.Store(true)
	const n = 200_000
	for i := range n {
		f.add(numbered(i))
	}
	wrong := 0
	for i := range n {
		if !f.perhaps(numbered(i)) {
			t.Fatalf("key %d is denied", i)
		}
		if f.perhaps(numbered(n + i)) {
			wrong++
		}
	}
	if wrong > n/1000 {
		t.Errorf("%d of %d unknown keys pass", wrong, n)
	}
}

// Until all of the table is known, nothing is denied.
func TestFillLearnsTheTable(t *testing.T) {
	x := New(0)
	table := []store.Key{{1}, {2}, {3}}
	broken := errors.New("broken")
	err := x.Fill(context.Background(), func(context.Context, store.Key) ([]store.Key, error) { return nil, broken })
	if !errors.Is(err, broken) || !x.Perhaps(store.Key{9}) {
		t.Errorf("after a broken fill: %v", err)
	}
	err = x.Fill(context.Background(), func(_ context.Context, after store.Key) ([]store.Key, error) {
		if after == (store.Key{}) {
			return table[:2], nil
		}
		if after == table[1] {
			return table[2:], nil
		}
		return nil, nil
	})
	if err != nil || x.Perhaps(store.Key{9}) {
		t.Errorf("a key that is nowhere passes: %v", err)
	}
	for _, k := range table {
		if !x.Perhaps(k) {
			t.Errorf("%x is denied", k)
		}
	}
}
