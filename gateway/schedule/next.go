package schedule

import "time"

// Next is the first moment after a given one at which the schedule is due in a
// time zone; zero when there is none.
//
// Clocks that are put forward or back do not lose or double a run at a fixed
// hour: a time that does not exist that day fires at the first moment after the
// gap, a time that comes twice fires the first time. With * as the hour, runs
// follow elapsed time: they fire in the repeated hour again, and not for an
// hour that never was.
func (c Cron) Next(after time.Time, loc *time.Location) time.Time {
	if c.anyHour {
		return c.nextElapsed(after, loc)
	}
	return c.nextFixed(after, loc)
}

// nextFixed goes through wall clock times, each of which fires at the moment
// when the clock first shows it or more. That never goes backwards, so the
// first one later than after is the next.
func (c Cron) nextFixed(after time.Time, loc *time.Location) time.Time {
	wall := wallClock(after, loc)
	for {
		var ok bool
		if wall, ok = c.from(nextMinute(wall)); !ok {
			return time.Time{}
		}
		if at := reached(wall, loc); at.After(after) {
			return at
		}
	}
}

// nextElapsed goes through the stretches of time between two changes of the
// clock; within one, wall clock and moment are a constant apart.
func (c Cron) nextElapsed(after time.Time, loc *time.Location) time.Time {
	wall := nextMinute(wallClock(after, loc))
	for at := after; ; {
		found, ok := c.from(wall)
		if !ok {
			return time.Time{}
		}
		_, end := at.In(loc).ZoneBounds()
		moment := found.Add(-offset(at, loc)).In(loc)
		if end.IsZero() || moment.Before(end) {
			return moment
		}
		at, wall = end, ceilMinute(wallClock(end, loc))
	}
}

// farthest is more than any zone has ever been away from UTC.
const farthest = 24 * time.Hour

// reached is the first moment at which clocks in loc show wall or later.
func reached(wall time.Time, loc *time.Location) time.Time {
	at := wall.Add(-farthest)
	for {
		begin, end := at.In(loc).ZoneBounds()
		moment := wall.Add(-offset(at, loc)).In(loc)
		switch {
		case moment.Before(begin):
			return begin
		case end.IsZero() || moment.Before(end):
			return moment
		}
		at = end
	}
}

func offset(at time.Time, loc *time.Location) time.Duration {
	_, seconds := at.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}

// wallClock is what clocks in loc show, as a time in UTC.
func wallClock(at time.Time, loc *time.Location) time.Time {
	return at.UTC().Add(offset(at, loc))
}

func nextMinute(wall time.Time) time.Time { return wall.Truncate(time.Minute).Add(time.Minute) }

func ceilMinute(wall time.Time) time.Time {
	if whole := wall.Truncate(time.Minute); whole.Before(wall) {
		return whole.Add(time.Minute)
	}
	return wall
}
