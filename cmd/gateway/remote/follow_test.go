package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// item is a row of a list that a test changes under the follower.
type item struct {
	place int
	state string
}

// source is a paged list, newest first.
type source struct {
	mu    sync.Mutex
	items []item
	err   error
}

func (s *source) fetch(_ context.Context, q url.Values) (p Page[item], err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit, _ := strconv.Atoi(q.Get("limit"))
	before, _ := strconv.Atoi(q.Get("cursor"))
	for _, it := range s.items {
		switch {
		case before > 0 && it.place >= before:
		case len(p.Rows) == limit:
			p.Next = strconv.Itoa(p.Rows[limit-1].place)
			return p, s.err
		default:
			p.Rows = append(p.Rows, it)
		}
	}
	return p, s.err
}

func (s *source) add(items ...item) {
	s.items = append(s.items, items...)
	slices.SortFunc(s.items, func(a, b item) int { return cmp.Compare(b.place, a.place) })
}

func (s *source) set(place int, state string) {
	for i := range s.items {
		if s.items[i].place == place {
			s.items[i].state = state
		}
	}
}

// following runs a follower in a bubble; each step is followed by a poll, and
// what was printed is compared.
func following(t *testing.T, show int, s *source, first string, steps ...func(*source) (want string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var printed []string
		take := func() string {
			synctest.Wait()
			out := strings.Join(printed, " ")
			printed = nil
			return out
		}
		f := &Follower[item]{Fetch: s.fetch, Query: url.Values{}, Show: show,
			Mark: func(it item) (string, string) { return fmt.Sprintf("%06d", it.place), it.state },
			Warn: func(err error) { printed = append(printed, err.Error()) }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- f.Run(ctx, func(it item) error {
				printed = append(printed, fmt.Sprint(it.place, " ", it.state))
				return nil
			})
		}()
		if got := take(); got != first {
			t.Errorf("first: printed %q, want %q", got, first)
		}
		for i, step := range steps {
			s.mu.Lock()
			want := step(s)
			s.mu.Unlock()
			time.Sleep(pollEvery)
			if got := take(); got != want {
				t.Errorf("step %d: printed %q, want %q", i, got, want)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFollow(t *testing.T) {
	t.Parallel()
	s := &source{}
	s.add(item{1, "a"}, item{2, "a"}, item{3, "a"})
	following(t, 2, s, "2 a 3 a",
		func(s *source) string { return "" },
		func(s *source) string { s.add(item{4, "a"}, item{5, "a"}); return "4 a 5 a" },
		func(s *source) string { s.set(1, "b"); s.set(4, "b"); return "1 b 4 b" },
		func(s *source) string { s.err = errors.New("away"); s.add(item{6, "a"}); return "away" },
		func(s *source) string { return "" },
		func(s *source) string { s.err = nil; return "6 a" },
		func(s *source) string { s.err = errors.New("away"); return "away" },
	)
}

// TestFollowFiltered has an older row enter a list that was wholly seen.
func TestFollowFiltered(t *testing.T) {
	t.Parallel()
	following(t, 10, &source{}, "",
		func(s *source) string { s.add(item{5, "dead"}); return "5 dead" },
		func(s *source) string { s.add(item{3, "dead"}); return "3 dead" },
	)
}

// TestFollowLongList prints nothing of what was there before the first window,
// and misses nothing when more comes at once than a window holds.
func TestFollowLongList(t *testing.T) {
	t.Parallel()
	s := &source{}
	for i := range 3 * window {
		s.add(item{i + 1, "a"})
	}
	newest := 3 * window
	following(t, 1, s, fmt.Sprint(newest, " a"),
		func(s *source) string { s.items = s.items[:len(s.items)-1]; return "" },
		func(s *source) string { s.items = s.items[10:]; return "" }, // older ones move into the window
		func(s *source) string {
			var want []string
			for i := range 2*window + 7 {
				s.add(item{newest + i + 1, "a"})
				want = append(want, fmt.Sprint(newest+i+1, " a"))
			}
			return strings.Join(want, " ")
		},
	)
}

func TestFollowFirstMustCome(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	f := &Follower[item]{Fetch: (&source{err: away}).fetch, Query: url.Values{}}
	if err := f.Run(t.Context(), func(item) error { return nil }); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
}
