package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys/run"
)

func (x *Index) written() []*run.Run {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.runs
}

// Perhaps is false when a key is certainly in no run.
func (x *Index) Perhaps(k store.Key) bool {
	for _, r := range x.written() {
		if r.Perhaps(&k) {
			return true
		}
	}
	return false
}

// Stored finds a dedupe key in the runs, if it is still in its window.
func (x *Index) Stored(ask conn.Ask, k store.Key, now time.Time) (Place, bool, error) {
	at, found, err := x.stored(ask, &k)
	return at, found && x.inWindow(at, now), err
}

// stored looks through the runs, the newest first: where a key is in several,
// the newest event is meant. A run that leaves meanwhile is one whose keys are in
// another by now, or needed no more.
func (x *Index) stored(ask conn.Ask, k *store.Key) (Place, bool, error) {
	for last := []*run.Run(nil); ; {
		runs := x.written()
		at, found, err := among(runs, ask, k)
		if !errors.Is(err, run.ErrGone) {
			return at, found, err
		}
		if slices.Equal(runs, last) {
			return at, false, fmt.Errorf("%w: a run of keys lacks a block", conn.ErrDamaged)
		}
		last = runs
	}
}

func among(runs []*run.Run, ask conn.Ask, k *store.Key) (at Place, found bool, err error) {
	for _, r := range slices.Backward(runs) {
		if !r.Perhaps(k) {
			continue
		}
		if at, found, err = r.Find(ask, k); found || err != nil {
			break
		}
	}
	return at, found, err
}

// Newest finds the newest event with an id, in all sources; zero is none.
func (x *Index) Newest(ask conn.Ask, id string) (newest int64, err error) {
	x.mu.RLock()
	var left []store.Key
	for source := range x.sources {
		k := store.Identity(source, id)
		if at, ok := x.inMemory(k); ok {
			newest = max(newest, at.Event)
		} else {
			left = append(left, k)
		}
	}
	x.mu.RUnlock()
	for i := range left {
		at, found, err := x.stored(ask, &left[i])
		if err != nil {
			return 0, err
		}
		if found {
			newest = max(newest, at.Event)
		}
	}
	return newest, nil
}
