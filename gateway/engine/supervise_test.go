package engine

import (
	"testing"
	"time"
)

func TestCrashesBackOff(t *testing.T) {
	t.Parallel()
	spec, timing := &Spec{Restarts: 3, RestartWindow: time.Minute}, defaultTiming()
	var c crashes
	now := time.Unix(0, 0)
	steps := []struct {
		after, uptime, want time.Duration
		loop                bool
	}{
		{0, time.Second, 250 * time.Millisecond, false},
		{time.Second, 0, 500 * time.Millisecond, false},
		{time.Second, 0, time.Second, false},
		{time.Second, 0, 30 * time.Second, true},
		{2 * time.Minute, 0, 30 * time.Second, true}, // few in the window, but never healthy
		{2 * time.Minute, time.Minute, 250 * time.Millisecond, false},
	}
	for i, step := range steps {
		now = now.Add(step.after)
		got := c.next(now, step.uptime, spec, timing)
		if got < step.want*4/5 || got > step.want*6/5 || c.loop != step.loop {
			t.Errorf("step %d: wait %v, loop %v, want about %v, %v", i, got, c.loop, step.want, step.loop)
		}
	}
	slow := crashes{}
	for range 20 {
		now = now.Add(time.Minute) // never more than one in the window
		if got := slow.next(now, time.Second, spec, timing); got > timing.backoffMax*6/5 || slow.loop {
			t.Fatalf("wait %v, loop %v", got, slow.loop)
		}
	}
}
