package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/schedule/cron"
	"github.com/event-gateway/gateway/gateway/store"
)

// slots names the events of the schedule s at minutes after midnight.
func slots(minutes ...int) (ids []string) {
	for _, m := range minutes {
		ids = append(ids, fmt.Sprintf("s@2000-01-01T%02d:%02d:00Z", m/60, m%60))
	}
	return ids
}

// A schedule that has never fired remembers since when it watches.
func TestFirstSlotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute}))
		pass(9 * time.Minute)
		_, stop := start(t, d, s)
		stop()
		pass(2 * time.Minute)
		_, stop = start(t, d, s)
		defer stop()
		wants(t, s, slots(10)...)
	})
}

func TestOverlap(t *testing.T) {
	tests := []struct {
		overlap Overlap
		missed  Missed
		// fired by minute 35, while the first never ends; when it has ended; and
		// what the next slot adds.
		during, after, next []string
	}{
		{OverlapAllow, MissedLatest, slots(10, 20, 30), nil, slots(40)},
		{OverlapSkip, MissedLatest, slots(10), nil, slots(40)},
		{OverlapSkip, MissedAll, slots(10), nil, slots(40)},
		{OverlapQueue, MissedLatest, slots(10), slots(20, 30), slots(40)},
		{OverlapQueue, MissedNone, slots(10), slots(20, 30), slots(40)},
	}
	for _, restart := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.overlap, tt.missed, restart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d, s := &desk{}, &sink{all: true}
					d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute, Overlap: tt.overlap, Missed: tt.missed}))
					r, stop := start(t, d, s)
					pass(35 * time.Minute)
					wants(t, s, tt.during...)
					if restart {
						stop()
						r, stop = start(t, d, s)
					}
					defer func() { stop() }()
					s.mu.Lock()
					s.all = false
					s.mu.Unlock()
					s.end("s@2000-01-01T00:10:00Z")
					pass(2 * look)
					wants(t, s, tt.after...)
					pass(5 * time.Minute)
					wants(t, s, tt.next...)
					if got := r.Status(1)[0]; !restart && (got.Skipped == 2) != (tt.overlap == OverlapSkip) || got.Owed > 0 {
						t.Errorf("%+v", got)
					}
				})
			})
		}
	}
}

// What is made up for waits for its turn rather than being skipped.
func TestMissedAllOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{all: true}
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute, Missed: MissedAll}))
		_, stop := start(t, d, s)
		stop()
		pass(35 * time.Minute)
		_, stop = start(t, d, s)
		defer stop()
		for _, id := range slots(10, 20, 30) {
			wants(t, s, id)
			s.end(id)
			pass(2 * look)
		}
		wants(t, s)
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute, Missed: MissedAll}))
		r, stop := start(t, d, s)
		pass(15 * time.Minute)
		wants(t, s, slots(10)...)
		if err := errors.Join(r.Pause(t.Context(), "s"), r.Pause(t.Context(), "s")); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Minute)
		stop()
		r, stop = start(t, d, s) // it stays paused over a restart
		pass(10 * time.Minute)
		wants(t, s)
		if got := r.Status(1)[0]; !got.Paused || got.Declared || got.Next != nil {
			t.Errorf("%+v", got)
		}
		if err := r.Resume(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		stop() // what came due before is not made up for, also over a restart
		_, stop = start(t, d, s)
		defer stop()
		wants(t, s)
		pass(5 * time.Minute)
		wants(t, s, slots(40)...)
		for _, err := range []error{r.Pause(t.Context(), "x"), r.Resume(t.Context(), "x")} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		}
	})
}

// Resuming what is not paused gives nothing up.
func TestResumeInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{all: true}
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute, Overlap: OverlapQueue}))
		r, stop := start(t, d, s)
		defer stop()
		pass(25 * time.Minute)
		wants(t, s, slots(10)...)
		if err := r.Resume(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		s.end(slots(10)[0])
		pass(2 * look)
		wants(t, s, slots(20)...)
	})
}

func TestPausedWhereDeclared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := Spec{Name: "s", Every: 10 * time.Minute, Missed: MissedAll}
		paused := spec
		paused.Paused = true
		d, s := &desk{}, &sink{}
		d.set(compile(t, spec))
		r, stop := start(t, d, s)
		pass(15 * time.Minute)
		wants(t, s, slots(10)...)
		d.set(compile(t, paused))
		r.Wake()
		pass(10 * time.Minute)
		if err := r.Resume(t.Context(), "s"); !errors.Is(err, store.ErrState) {
			t.Error(err)
		}
		stop()
		d.set(compile(t, spec)) // while no gateway runs
		pass(10 * time.Minute)
		_, stop = start(t, d, s)
		defer stop()
		wants(t, s)
		pass(5 * time.Minute)
		wants(t, s, slots(40)...)
	})
}

func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		sched := compile(t, Spec{Name: "s", Every: 10 * time.Minute, Jitter: 5 * time.Minute})
		d.set(sched)
		_, stop := start(t, d, s)
		pass(30*time.Minute + time.Second)
		stop() // after the slot, before its time: it is neither lost nor moved
		pass(time.Second)
		r, stop := start(t, d, s)
		defer stop()
		if got := r.Status(1)[0].Next[0]; got.Slot.Minute() != 30 || !got.At.Equal(sched.firing(got.Slot)) {
			t.Errorf("next %+v", got)
		}
		pass(70 * time.Minute)
		wants(t, s, slots(10, 20, 30, 40, 50, 60, 70, 80, 90)...)
		late := map[time.Duration]bool{}
		for i, at := range s.at {
			off := at.Sub(time.Date(2000, 1, 1, 0, 10*(i+1), 0, 0, time.UTC))
			if off < 0 || off >= 5*time.Minute {
				t.Errorf("slot %d: off by %s", i, off)
			}
			late[off] = true
		}
		if len(late) < 8 {
			t.Errorf("off by %v", late)
		}
	})
	// The same on every gateway, for ever.
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := compile(t, Spec{Name: "s", Every: time.Hour, Jitter: time.Hour}).firing(at).Sub(at); got != 57*time.Minute+16841*time.Millisecond {
		t.Errorf("off by %s", got)
	}
}

// clock is a wall clock that may be set, beside timers that go on.
type clock struct{ off atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.off.Load())) }

// Clocks that are set, and machines that sleep: nothing twice, and nothing lost
// beyond what the policy says.
func TestClockIsSet(t *testing.T) {
	for _, missed := range []Missed{MissedLatest, MissedAll} {
		synctest.Test(t, func(t *testing.T) {
			d, s, c := &desk{}, &sink{}, &clock{}
			d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute, Missed: missed}))
			r := New(d.get, s, nop())
			r.Now = c.now
			stop := run(t, r)
			defer stop()
			pass(11 * time.Minute)
			wants(t, s, slots(10)...)

			c.off.Store(int64(30 * time.Minute)) // 00:41
			pass(reread)
			if missed == MissedAll {
				wants(t, s, slots(20, 30, 40)...)
			} else {
				wants(t, s, slots(40)...)
			}
			c.off.Store(int64(-5 * time.Minute)) // 00:06:30
			pass(reread)
			wants(t, s)
			pass(40 * time.Minute)
			wants(t, s)
			pass(5 * time.Minute) // 00:52
			wants(t, s, slots(50)...)
		})
	}
}

// A clock that was days ahead does not silence a schedule until then.
func TestClockWasFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, c := &desk{}, &sink{}, &clock{}
		c.off.Store(int64(72 * time.Hour))
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute}))
		r := New(d.get, s, nop())
		r.Now = c.now
		stop := run(t, r)
		defer stop()
		pass(11 * time.Minute)
		wants(t, s, "s@2000-01-04T00:10:00Z")
		c.off.Store(int64(0))
		pass(10 * time.Minute)
		wants(t, s, slots(20)...)
	})
}

func TestStartAndEnd(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 7, 0, 0, time.UTC)
	s := compile(t, Spec{Name: "s", Every: 10 * time.Minute, Start: begin, End: begin.Add(30 * time.Minute)})
	var got []int
	for at := (time.Time{}).AddDate(2000, 0, 0); ; {
		if at = s.Next(at); at.IsZero() {
			break
		}
		got = append(got, at.Minute())
	}
	if !slices.Equal(got, []int{7, 17, 27, 37}) {
		t.Errorf("minutes %v", got)
	}
	if !strings.HasSuffix(s.Timing(), "from 2026-01-01T00:07:00Z") {
		t.Error(s.Timing())
	}
	s = compile(t, Spec{Name: "s", Cron: "0 * * * *", Start: begin})
	if got := s.Next(begin.AddDate(-1, 0, 0)); !got.Equal(begin.Add(53 * time.Minute)) {
		t.Error(got)
	}
}

func TestTriggerAndBackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute, Data: []byte(`{"a":1}`)}))
		r, stop := start(t, d, s)
		defer stop()
		pass(time.Hour)
		s.take()
		if receipt, err := r.Trigger(t.Context(), "s"); err != nil || receipt.EventID != "s!2000-01-01T01:00:00Z" {
			t.Errorf("%+v %v", receipt, err)
		}
		wants(t, s, "s!2000-01-01T01:00:00Z")
		now := time.Now()
		done, err := r.Backfill(t.Context(), "s", now.Add(-80*time.Minute), now.Add(-50*time.Minute))
		if want := (Backfilled{Slots: 4, Fired: 3, Before: 1}); err != nil || done != want {
			t.Errorf("%+v %v", done, err)
		}
		wants(t, s, "s@1999-12-31T23:40:00Z", "s@1999-12-31T23:50:00Z", "s@2000-01-01T00:00:00Z")
		if p := s.last["s"]; !p.Last.Equal(now) {
			t.Errorf("the position went back: %+v", p)
		}
		if _, err := r.Backfill(t.Context(), "s", now.AddDate(-1, 0, 0), now); !errors.Is(err, ErrTooMany) {
			t.Error(err)
		}
		wants(t, s)
		if _, err := r.Trigger(t.Context(), "x"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		if _, err := r.Backfill(t.Context(), "x", now, now); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestTimingNamesDST(t *testing.T) {
	t.Parallel()
	s := compile(t, Spec{Name: "s", Cron: "30 2 * * *", Location: zone(t, "Europe/Berlin"), DST: cron.DST{SkipGap: true, RepeatBoth: true}})
	if got := s.Timing(); got != "30 2 * * * Europe/Berlin gap:skip repeat:both" {
		t.Error(got)
	}
	got := s.Firings(time.Date(2026, 10, 24, 23, 0, 0, 0, time.UTC), 3)
	if len(got) != 3 || got[1].At.Sub(got[0].At) != time.Hour || got[0].At.Format("-07") != "+02" || got[1].At.Format("-07") != "+01" {
		t.Errorf("%v", got)
	}
}
