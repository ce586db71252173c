package keys

import (
	"context"
	"database/sql/driver"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys/run"
)

// Expire lets go what is past its time at now: keys that make no duplicates any
// more, of events that have left. A run goes when that is so of all its keys, and
// is written anew when it is so of most.
func (x *Index) Expire(ctx context.Context, ask run.Ask, do conn.Do, now time.Time) error {
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

func (x *Index) expire(ctx context.Context, ask run.Ask, do conn.Do, r *run.Run) error {
	first, err := eventsAfter(ask, r.Oldest-1, r.Newest, 1)
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
	events, err := eventsOf(ask, r)
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
func mostGone(ask run.Ask, r *run.Run) (bool, error) {
	list, err := r.Sample(ask, sampled)
	if err != nil || len(list) == 0 {
		return false, err
	}
	events := map[int64]bool{}
	for i := range list {
		events[list[i].Event] = true
	}
	args := make([]driver.Value, 0, len(events))
	for seq := range events {
		args = append(args, seq)
	}
	there := int64(0)
	err = ask("SELECT count(*) FROM events WHERE seq IN (?"+strings.Repeat(",?", len(args)-1)+")", func(row []driver.Value) error {
		there = row[0].(int64)
		return nil
	}, args...)
	return there*4 < int64(len(events)), err
}

// eventsOf are the events that are still there of the time that a run is of.
func eventsOf(ask run.Ask, r *run.Run) (list []int64, err error) {
	for after := r.Oldest - 1; ; after = list[len(list)-1] {
		some, err := eventsAfter(ask, after, r.Newest, lookRows)
		if list = append(list, some...); err != nil || len(some) < lookRows {
			return list, err
		}
	}
}

// lookRows are read with one query: while a query goes on, SQLite's log cannot
// begin anew.
const lookRows = 4096

func eventsAfter(ask run.Ask, after, to int64, limit int) (list []int64, err error) {
	err = ask("SELECT seq FROM events WHERE seq>? AND seq<=? ORDER BY seq LIMIT ?", func(row []driver.Value) error {
		list = append(list, row[0].(int64))
		return nil
	}, after, to, int64(limit))
	return list, err
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
