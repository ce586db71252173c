package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// query reads a URL's query and remembers everything wrong in it. A parameter
// that nobody asked for is wrong: a filter with a typing error would otherwise
// select everything.
type query struct {
	values url.Values
	asked  map[string]bool
	wrong  []string
	now    time.Time
}

func newQuery(r *http.Request, now time.Time) *query {
	q := &query{asked: map[string]bool{}, now: now}
	var err error
	if q.values, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		q.fail("the query is not well-formed")
	}
	return q
}

func (q *query) fail(format string, args ...any) {
	q.wrong = append(q.wrong, fmt.Sprintf(format, args...))
}

// err is a problem with all that was wrong; nil when nothing was.
func (q *query) err() error {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		switch {
		case !q.asked[name]:
			known := slices.Sorted(maps.Keys(q.asked))
			q.fail("unknown parameter %q (there are %s)", name, strings.Join(known, ", "))
		case len(q.values[name]) > 1 && name != "state" && name != "kind":
			q.fail("%s is given more than once", name)
		}
	}
	if len(q.wrong) == 0 {
		return nil
	}
	return problem(http.StatusBadRequest, "%s", strings.Join(q.wrong, "; "))
}

func (q *query) text(name string) string {
	q.asked[name] = true
	return q.values.Get(name)
}

// time reads a moment: RFC 3339, or a duration before now.
func (q *query) time(name string) time.Time {
	text := q.text(name)
	if text == "" {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC()
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return q.now.Add(-d).UTC()
	}
	q.fail("%s %q is neither a time like 2026-01-31T12:00:00Z nor a duration like 90m", name, text)
	return time.Time{}
}

func (q *query) flag(name string) *bool {
	text := q.text(name)
	if text == "" {
		return nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		q.fail("%s %q is neither true nor false", name, text)
	}
	return &v
}

// duration reads a time to wait; zero when it is not given.
func (q *query) duration(name string, longest time.Duration) time.Duration {
	text := q.text(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > longest {
		q.fail("%s %q is not a duration like 30s, at most %s", name, text, longest)
	}
	return d
}

// list reads words that are separated by commas or given repeatedly.
func (q *query) list(name string) (words []string) {
	q.asked[name] = true
	for _, text := range strings.Split(strings.Join(q.values[name], ","), ",") {
		if text != "" {
			words = append(words, text)
		}
	}
	return words
}

func (q *query) states(name string) (states []store.State) {
	for _, text := range q.list(name) {
		state, ok := store.ParseState(text)
		if !ok {
			q.fail("%s %q is none of pending, running, waiting, succeeded, dead, discarded", name, text)
			continue
		}
		states = append(states, state)
	}
	return states
}

func (q *query) page() store.Page {
	p := store.Page{Limit: defaultLimit}
	if text := q.text("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			q.fail("limit %q is not a number from 1 to %d", text, maxLimit)
		}
		p.Limit = n
	}
	if text := q.text("cursor"); text != "" {
		seq, ok := store.ParseID(text)
		if !ok {
			q.fail("cursor %q is not one that was given out", text)
		}
		p.Before = seq
	}
	return p
}
