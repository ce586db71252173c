package keys

import (
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

func TestKeysOfAFailedCommitAreForgotten(t *testing.T) {
	x := New(0)
	k := store.Key{1}
	x.Add([]store.Key{k}, Place{Event: 5})
	x.Settle(true)
	x.Add([]store.Key{k, {2}}, Place{Event: 9})
	x.Settle(false)
	if at, ok := x.Recent(k, time.Now()); !ok || at.Event != 5 {
		t.Errorf("key leads to %d, want 5", at.Event)
	}
	if _, ok := x.Recent(store.Key{2}, time.Now()); ok {
		t.Error("a key that did not commit makes duplicates")
	}
}

func TestKeyWindow(t *testing.T) {
	x := New(time.Hour)
	now := time.Now()
	x.Add([]store.Key{{1}}, Place{Event: store.SeqAt(now)})
	for after, want := range map[time.Duration]bool{0: true, 59 * time.Minute: true, 61 * time.Minute: false} {
		if _, ok := x.Recent(store.Key{1}, now.Add(after)); ok != want {
			t.Errorf("%s later: duplicate %v, want %v", after, ok, want)
		}
	}
}
