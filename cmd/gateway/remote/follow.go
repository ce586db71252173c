package remote

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	// pollEvery is how often a followed list is asked for.
	pollEvery = 500 * time.Millisecond
	// window is how many of the newest rows are watched for changes.
	window = 200
	// backlog is how many pages a follower goes back to find where it was.
	backlog = 20
	// remembered rows are enough to hold every page of a backlog.
	remembered = 10 * window * backlog
)

// Page is one answer of a list, newest first.
type Page[T any] struct {
	Rows []T
	// Next is the cursor of the following page; empty at the end.
	Next string
}

// Follower prints the rows of a list as they appear or change, oldest first.
type Follower[T any] struct {
	Fetch func(context.Context, url.Values) (Page[T], error)
	Query url.Values
	// Show is how many rows are printed to begin with.
	Show int
	// Mark is a row's place in the list, which grows, and what of it may change.
	Mark func(T) (place, state string)
	// Warn is told once when the gateway cannot be asked any more.
	Warn func(error)

	// states are those of the rows seen; newest is the last row's place, and
	// what is before floor has not been looked at.
	states        map[string]string
	newest, floor string
	failed        bool
}

// Run polls until printing fails or the context ends. The first page must
// come; later on the gateway may be away, restarting.
func (f *Follower[T]) Run(ctx context.Context, print func(T) error) error {
	f.states = map[string]string{}
	f.Query.Set("limit", strconv.Itoa(max(f.Show, window)))
	first, err := f.Fetch(ctx, f.Query)
	if err != nil {
		return err
	}
	if first.Next != "" {
		f.floor = f.oldest(first.Rows)
	}
	shown := min(f.Show, len(first.Rows))
	f.remember(first.Rows[shown:])
	if err := f.print(first.Rows[:shown], print); err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := f.print(f.poll(ctx), print); err != nil {
			return err
		}
	}
}

// poll is the newest page, and as many before it as came since the last poll.
func (f *Follower[T]) poll(ctx context.Context) (rows []T) {
	f.Query.Del("cursor")
	for range backlog {
		p, err := f.Fetch(ctx, f.Query)
		f.complain(err)
		if err != nil {
			return nil // nothing is printed with a hole in it: the next poll has it
		}
		rows = append(rows, p.Rows...)
		if p.Next == "" || f.reaches(p.Rows) {
			break
		}
		f.Query.Set("cursor", p.Next)
	}
	return rows
}

func (f *Follower[T]) complain(err error) {
	if err != nil && !f.failed {
		f.Warn(err)
	}
	f.failed = err != nil
}

// reaches tells whether a page reaches back to what was seen before.
func (f *Follower[T]) reaches(rows []T) bool {
	return len(rows) == 0 || f.oldest(rows) <= f.newest
}

func (f *Follower[T]) oldest(rows []T) string {
	place, _ := f.Mark(rows[len(rows)-1])
	return place
}

// print prints what is new or differs.
func (f *Follower[T]) print(rows []T, print func(T) error) error {
	for _, row := range slices.Backward(rows) {
		place, state := f.Mark(row)
		old, known := f.states[place]
		if known && old == state || place < f.floor {
			continue
		}
		if err := print(row); err != nil {
			return err
		}
	}
	f.remember(rows)
	return nil
}

// remember notes rows as seen, and forgets all others when there are many.
func (f *Follower[T]) remember(rows []T) {
	if len(rows) == 0 {
		return
	}
	if len(f.states) > remembered {
		clear(f.states)
		f.floor = f.oldest(rows)
	}
	for _, row := range rows {
		place, state := f.Mark(row)
		f.states[place] = state
		f.newest = max(f.newest, place)
	}
}
