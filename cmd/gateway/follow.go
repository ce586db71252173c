package main

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

// page is one answer of a list, newest first.
type page[T any] struct {
	rows []T
	next string
}

// follower prints the rows of a list as they appear or change, oldest first.
type follower[T any] struct {
	fetch func(context.Context, url.Values) (page[T], error)
	query url.Values
	// show is how many rows are printed to begin with.
	show int
	// mark is a row's place in the list, which grows, and what of it may change.
	mark func(T) (place, state string)
	// warn is told once when the gateway cannot be asked any more.
	warn func(error)

	// states are those of the rows seen; newest is the last row's place, and
	// what is before floor has not been looked at.
	states        map[string]string
	newest, floor string
	failed        bool
}

// run polls until printing fails or the context ends. The first page must
// come; later on the gateway may be away, restarting.
func (f *follower[T]) run(ctx context.Context, print func(T) error) error {
	f.states = map[string]string{}
	f.query.Set("limit", strconv.Itoa(max(f.show, window)))
	first, err := f.fetch(ctx, f.query)
	if err != nil {
		return err
	}
	if first.next != "" {
		f.floor = f.oldest(first.rows)
	}
	shown := min(f.show, len(first.rows))
	f.remember(first.rows[shown:])
	if err := f.print(first.rows[:shown], print); err != nil {
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
func (f *follower[T]) poll(ctx context.Context) (rows []T) {
	f.query.Del("cursor")
	for range backlog {
		p, err := f.fetch(ctx, f.query)
		f.complain(err)
		if err != nil {
			return nil // nothing is printed with a hole in it: the next poll has it
		}
		rows = append(rows, p.rows...)
		if p.next == "" || f.reaches(p.rows) {
			break
		}
		f.query.Set("cursor", p.next)
	}
	return rows
}

func (f *follower[T]) complain(err error) {
	if err != nil && !f.failed {
		f.warn(err)
	}
	f.failed = err != nil
}

// reaches tells whether a page reaches back to what was seen before.
func (f *follower[T]) reaches(rows []T) bool {
	return len(rows) == 0 || f.oldest(rows) <= f.newest
}

func (f *follower[T]) oldest(rows []T) string {
	place, _ := f.mark(rows[len(rows)-1])
	return place
}

// print prints what is new or differs.
func (f *follower[T]) print(rows []T, print func(T) error) error {
	for _, row := range slices.Backward(rows) {
		place, state := f.mark(row)
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
func (f *follower[T]) remember(rows []T) {
	if len(rows) == 0 {
		return
	}
	if len(f.states) > remembered {
		clear(f.states)
		f.floor = f.oldest(rows)
	}
	for _, row := range rows {
		place, state := f.mark(row)
		f.states[place] = state
		f.newest = max(f.newest, place)
	}
}
