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

// leadTime is how long a start may take to be on disk, at first.
const leadTime = 100 * time.Millisecond

// Start is one run's part in them: it counts while it is being written, and
// then from when it begins. The zero value does not count.
type Start struct {
	at time.Time
	// lead is how long it may take to be written, if not leadTime.
	lead time.Duration
}

// Counts tells whether it does.
func (s *Start) Counts() bool { return !s.at.IsZero() }

// Count counts it among all.
func (s *Start) Count(all *Starts, now time.Time) {
	s.at = now
	all.Count(now)
}

// Drop uncounts it, if it counts.
func (s *Start) Drop(all *Starts) {
	if s.Counts() {
		all.Drop(s.at)
		s.at = time.Time{}
	}
}

// Latest is when it begins at the latest, which is what is written: after a
// restart nothing counts for less than it was. Starts that are older than that
// by window need not be kept; if it begins at once, no others count any more.
func (s *Start) Latest(all *Starts) (at time.Time, window time.Duration) {
	lead := max(leadTime, s.lead)
	return s.at.Add(lead), all.rate.Window + lead
}

// Begin counts it from now on. It may not begin, and does not count any more,
// when it was written too late, or others have begun meanwhile.
func (s *Start) Begin(all *Starts, now time.Time) bool {
	latest, _ := s.Latest(all)
	s.lead = 2 * now.Sub(s.at) // the next time: or a slow disk would never be in time
	s.Drop(all)
	if now.After(latest) || !all.Free(now) {
		return false
	}
	s.Count(all, now)
	return true
}

// Last start; zero without one.
func (s *Starts) Last() (at time.Time) {
	if n := len(s.at); n > 0 {
		at = s.at[n-1]
	}
	return at
}
