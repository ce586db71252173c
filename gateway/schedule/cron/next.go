package cron

import "time"

// DST says what becomes of fixed hours when clocks are put forward or back. The
// zero value loses and doubles nothing: a time that does not exist that day
// fires at the first moment after the gap, a time that comes twice fires the
// first time.
type DST struct {
	SkipGap    bool // a time that does not exist does not fire
	RepeatBoth bool // a time that comes twice fires twice
}

// Next is the first moment after a given one at which the expression is due in
// a time zone; zero when there is none.
//
// With * as the hour, runs follow elapsed time whatever dst says: they fire in
// the repeated hour again, and not for an hour that never was.
func (e *Expr) Next(after time.Time, loc *time.Location, dst DST) time.Time {
	if e.anyHour {
		dst = DST{SkipGap: true, RepeatBoth: true}
	}
	s := stretchAt(after.Add(-lookBack), loc)
	for shown := s.wall(s.begin); ; {
		if at, ok := e.within(s, shown, after, dst); ok {
			return at
		}
		if s.end.IsZero() || s.end.Year() > after.Year()+horizon {
			return time.Time{}
		}
		shown = later(shown, s.wall(s.end))
		s = s.next()
	}
}

// lookBack is how far from a change of the clock its traces reach: offsets
// never were a day or more.
const lookBack = 48 * time.Hour

// stretch is the time between two changes of the clock: in it, wall clock and
// moment are a constant apart. Zero bounds are open.
type stretch struct {
	begin, end time.Time
	offset     time.Duration
	loc        *time.Location
}

func stretchAt(at time.Time, loc *time.Location) stretch {
	at = at.In(loc)
	_, seconds := at.Zone()
	begin, end := at.ZoneBounds()
	if !end.IsZero() && !end.After(at) {
		// Where the rule for years to come speaks, ZoneBounds ends every year after
		// 365 days: on the last day of a leap year it gives an end that has been.
		end = time.Date(at.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return stretch{begin: begin, end: end, offset: time.Duration(seconds) * time.Second, loc: loc}
}

// next follows at the end. Where the rule for years to come takes over, ZoneBounds
// tells when by that rule it would have begun: before its time.
func (s stretch) next() stretch {
	next := stretchAt(s.end, s.loc)
	next.begin = s.end
	return next
}

// wall is what clocks show at a moment.
func (s stretch) wall(at time.Time) time.Time { return at.UTC().Add(s.offset) }

// within finds the first moment after a given one within a stretch. Before it
// began, clocks had shown all times before shown.
func (e *Expr) within(s stretch, shown, after time.Time, dst DST) (time.Time, bool) {
	first := s.wall(s.begin)
	if !dst.SkipGap && shown.Before(first) && s.begin.After(after) {
		if lost, ok := e.from(shown); ok && lost.Before(first) {
			return s.begin, true
		}
	}
	if !dst.RepeatBoth {
		first = later(first, shown)
	}
	wall, ok := e.from(later(first, nextSecond(s.wall(after))))
	if !ok {
		return time.Time{}, false
	}
	at := wall.Add(-s.offset).In(s.loc)
	return at, s.end.IsZero() || at.Before(s.end)
}

func nextSecond(wall time.Time) time.Time { return wall.Truncate(time.Second).Add(time.Second) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
