package keys

import (
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys/run"
)

// Expire lets go what is past its time at now: keys that make no duplicates any
// more, of events that have left. A run goes when that is so of all its keys, and
// is written anew when it is so of most.
func (x *Index) Expire(ctx context.Context, ask conn.Ask, do conn.Do, now time.Time) error {
	if x.window <= 0 {
		return nil
	}
	x.work.Lock()
	defer x.work.Unlock()
	for _, r := range x.written() {
		if r.Newest >= x.since(now) {
			break
		}
		if err := x.expire(ctx, ask, do, r); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) expire(ctx context.Context, ask conn.Ask, do conn.Do, r *run.Run) error {
	first, err := blocks.Seqs(ask, r.Oldest-1, r.Newest, 1)
	if err != nil {
		return err
	}
	if len(first) == 0 {
		return x.drop(ctx, do, r)
	}
	most, err := mostGone(ask, r)
	if err != nil || !most {
		return err
	}
	events, err := blocks.Seqs(ask, r.Oldest-1, r.Newest, math.MaxInt)
	if err != nil {
		return err
	}
	alone := []*run.Run{r}
	return x.replace(ctx, do, alone, only(merged(alone, ask), events))
}

func (x *Index) drop(ctx context.Context, do conn.Do, r *run.Run) error {
	if err := do(ctx, r.Leave); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.swap([]*run.Run{r})
	return nil
}

// sampled is how many blocks tell how much of a run is past its time.
const sampled = 8

// mostGone tells whether three of four keys of a run lead to events that have
// left.
func mostGone(ask conn.Ask, r *run.Run) (bool, error) {
	list, err := r.Sample(ask, sampled)
	if err != nil || len(list) == 0 {
		return false, err
	}
	events := make([]int64, len(list))
	for i := range list {
		events[i] = list[i].Event
	}
	there, err := blocks.Count(ask, events)
	return there*4 < len(events), err
}

// only leaves out what leads to other events.
func only(entries iter.Seq2[run.Entry, error], events []int64) iter.Seq2[run.Entry, error] {
	return func(yield func(run.Entry, error) bool) {
		for e, err := range entries {
			_, there := slices.BinarySearch(events, e.Event)
			if (there || err != nil) && !yield(e, err) {
				return
			}
		}
	}
}
