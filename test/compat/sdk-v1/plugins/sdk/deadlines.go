package sdk

import "time"

// sweepPause is how much later than its deadline a run may be stopped.
const sweepPause = 50 * time.Millisecond

// deadlines wake up when a run's time is up. There is one timer for all runs,
// because nearly every run ends long before its deadline: a timer of each one
// would be set and stopped for nothing. Guarded by runs.mu.
type deadlines struct {
	timer *time.Timer
	at    time.Time // when it fires; zero is never
	last  time.Time // when it last did
}

// expire sets a run's deadline. It is called with rs.mu held.
func (rs *runs) expire(r *run, in time.Duration) {
	r.due = time.Now().Add(in)
	rs.wake(r.due)
}

// wake sees to it that there is a sweep when a deadline is over. It is called
// with rs.mu held.
func (rs *runs) wake(due time.Time) {
	d := &rs.deadlines
	if soonest := d.last.Add(sweepPause); due.Before(soonest) {
		due = soonest
	}
	if !d.at.IsZero() && !due.Before(d.at) {
		return
	}
	d.at = due
	if d.timer == nil {
		d.timer = time.AfterFunc(time.Until(due), rs.sweep)
		return
	}
	d.timer.Reset(time.Until(due))
}

// sweep stops the runs whose time is up, and looks for the next.
func (rs *runs) sweep() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	now := time.Now()
	rs.deadlines.at, rs.deadlines.last = time.Time{}, now
	for _, r := range rs.live {
		switch {
		case r.due.IsZero() || r.stopping:
		case r.due.After(now):
			rs.wake(r.due)
		default:
			r.halt(errDeadline)
		}
	}
}
