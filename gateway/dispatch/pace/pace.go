// Package pace counts the starts of a route against its rate: so many in any
// window of a length, exactly. It is a part of dispatch.
package pace

import (
	"slices"
	"time"
)

// Rate is how many starts any window of that length may have.
type Rate struct {
	Count  int
	Window time.Duration
}

// Starts are the latest starts of a route, oldest first. Nil ones have no rate.
// They have no lock of their own.
type Starts struct {
	rate Rate
	at   []time.Time
}

// Recall makes Starts of what a former process started; what is later than now
// was started before its clock went back.
func Recall(at []time.Time, now time.Time) *Starts {
	s := &Starts{}
	for _, t := range at {
		if t.After(now) {
			t = now
		}
		s.at = append(s.at, t)
	}
	slices.SortFunc(s.at, time.Time.Compare)
	return s
}

// Keep puts a rate in force, for what was started before, too.
func (s *Starts) Keep(r Rate) { s.rate = r }

// Rate in force.
func (s *Starts) Rate() Rate { return s.rate }

// Free tells whether one more may start now: the last but so many has left the
// window.
func (s *Starts) Free(now time.Time) bool {
	if s == nil || len(s.at) < s.rate.Count {
		return true
	}
	return now.Sub(s.at[len(s.at)-s.rate.Count]) >= s.rate.Window
}

// Count counts a start.
func (s *Starts) Count(at time.Time) {
	// Those that no window has any more go now and then, many at once.
	if over := len(s.at) - s.rate.Count; over > s.rate.Count {
		s.at = slices.Delete(s.at, 0, over)
	}
	i := len(s.at)
	for i > 0 && s.at[i-1].After(at) {
		i--
	}
	s.at = slices.Insert(s.at, i, at)
}

// Drop uncounts one that did not start after all.
func (s *Starts) Drop(at time.Time) {
	for i := len(s.at) - 1; i >= 0; i-- {
		if s.at[i].Equal(at) {
			s.at = slices.Delete(s.at, i, i+1)
			return
		}
	}
}

// Last start; zero without one.
func (s *Starts) Last() (at time.Time) {
	if n := len(s.at); n > 0 {
		at = s.at[n-1]
	}
	return at
}
