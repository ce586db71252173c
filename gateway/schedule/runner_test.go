package schedule

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a store that remembers, and fails when told to.
type sink struct {
	mu    sync.Mutex
	fired []string
	body  []string
	at    []time.Time
	last  map[string]store.Position
	// lag is how long it takes to keep something.
	lag  time.Duration
	seen map[string]bool
	// open are events with deliveries that have not ended; all: every one has.
	open map[string]bool
	all  bool
	err  error
}

func (s *sink) Fire(_ context.Context, ev *event.Event, slot *store.Slot) (store.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return store.Receipt{}, s.err
	}
	s.init()
	if slot != nil {
		p := s.last[slot.Schedule]
		p.Schedule, p.Spec, p.Last = slot.Schedule, slot.Spec, slot.At
		s.last[slot.Schedule] = p
	}
	if s.seen[ev.ID] {
		return store.Receipt{EventID: ev.ID, Duplicate: true}, nil
	}
	s.seen[ev.ID], s.open[ev.ID] = true, s.all
	s.fired, s.body, s.at = append(s.fired, ev.ID), append(s.body, string(ev.Body)), append(s.at, time.Now())
	return store.Receipt{EventID: ev.ID}, nil
}

func (s *sink) init() {
	if s.last == nil {
		s.last, s.seen, s.open = map[string]store.Position{}, map[string]bool{}, map[string]bool{}
	}
}

func (s *sink) Open(_ context.Context, source, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(id, strings.TrimPrefix(source, "/schedules/")+"@") {
		return false, errors.New("source and id of different schedules")
	}
	return s.open[id], s.err
}

func (s *sink) Positions(context.Context) ([]store.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.last)), s.err
}

func (s *sink) KeepPosition(_ context.Context, p store.Position) error {
	time.Sleep(s.lag)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.init()
	p.Last = s.last[p.Schedule].Last
	s.last[p.Schedule] = p
	return nil
}

func (s *sink) ForgetPosition(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		delete(s.last, name)
	}
	return s.err
}

// end ends the deliveries of an event.
func (s *sink) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[id] = false
}

func (s *sink) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// take gives what was fired since the last take.
func (s *sink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	fired := s.fired
	s.fired = nil
	return fired
}

func compile(t testing.TB, spec Spec) *Schedule {
	t.Helper()
	s, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// desk holds the schedules that a runner sees.
type desk struct {
	mu  sync.Mutex
	now []*Schedule
}

func (d *desk) get() []*Schedule {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) set(all ...*Schedule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = all
}

func nop() *zap.Logger { return zap.NewNop() }

// start runs a runner until the returned function is called.
func start(t *testing.T, d *desk, s *sink) (r *Runner, stop func()) {
	r = New(d.get, s, nop())
	return r, run(t, r)
}

func run(t *testing.T, r *Runner) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func wants(t *testing.T, s *sink, want ...string) {
	t.Helper()
	if got := s.take(); !slices.Equal(got, want) {
		t.Errorf("fired %v, want %v", got, want)
	}
}

// pass lets time go by. Bubbles begin at midnight UTC 2000-01-01.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestFiresAtTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		d.set(compile(t, Spec{Name: "five", Cron: "*/5 * * * *"}), compile(t, Spec{Name: "ten", Every: 10 * time.Minute}))
		pass(time.Second)
		r, stop := start(t, d, s)
		defer stop()
		wants(t, s)
		pass(10 * time.Minute)
		wants(t, s, "five@2000-01-01T00:05:00Z", "five@2000-01-01T00:10:00Z", "ten@2000-01-01T00:10:00Z")
		for i, at := range s.at {
			if at.Second() != 0 || at.Nanosecond() != 0 {
				t.Errorf("firing %d was late: %s", i, at)
			}
		}
		got := r.Status(1)[0]
		if got.Name != "five" || got.Timing != "*/5 * * * * UTC" || got.Last.Minute() != 10 || got.Next[0].At.Minute() != 15 {
			t.Errorf("status %+v", got)
		}
	})
}

// However long a turn takes, the next slot fires when it is due.
func TestASlowTurnMakesNoSlotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{lag: 7 * time.Second}
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Second}))
		pass(time.Second)
		_, stop := start(t, d, s)
		defer stop()
		pass(20 * time.Second)
		wants(t, s, "s@2000-01-01T00:00:10Z", "s@2000-01-01T00:00:20Z")
		for i, at := range s.at {
			if at.Second()%10 != 0 {
				t.Errorf("firing %d was late: %s", i, at)
			}
		}
	})
}

func TestEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 3, 30, 0, 0, zone(t, "Europe/Berlin"))
	tests := []struct{ data, want string }{
		{`{"b":[1.50],"a":"x","last_run":1}`, `{"a":"x","b":[1.50],"last_run":null,"scheduled_at":"2026-03-01T02:30:00Z"}`},
		{``, `{"last_run":null,"scheduled_at":"2026-03-01T02:30:00Z"}`},
		{`[1,2]`, `[1,2]`},
	}
	for _, tt := range tests {
		ev := compile(t, Spec{Name: "n", Cron: "@hourly", Data: []byte(tt.data)}).event(at, time.Time{})
		if string(ev.Body) != tt.want {
			t.Errorf("got %s, want %s", ev.Body, tt.want)
		}
		if ev.ID != "n@2026-03-01T02:30:00Z" || ev.Type != "schedule.n" || ev.Source != "/schedules/n" || !ev.Time.Equal(at) || ev.Time.Location() != time.UTC || ev.ContentType != "application/json" {
			t.Errorf("%s %s %s %s", ev.ID, ev.Type, ev.Source, ev.Time)
		}
	}
	ev := compile(t, Spec{Name: "n", Cron: "@hourly", Type: "report"}).event(at, at.Add(-time.Hour))
	if ev.Type != "report" || string(ev.Body) != `{"last_run":"2026-03-01T01:30:00Z","scheduled_at":"2026-03-01T02:30:00Z"}` {
		t.Errorf("%s %s", ev.Type, ev.Body)
	}
}

func TestLastRunIsTheSlotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		d.set(compile(t, Spec{Name: "m", Every: time.Minute}))
		_, stop := start(t, d, s)
		defer stop()
		pass(2 * time.Minute)
		if len(s.body) != 2 || s.body[1] != `{"last_run":"2000-01-01T00:01:00Z","scheduled_at":"2000-01-01T00:02:00Z"}` {
			t.Errorf("%v", s.body)
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		d.set(compile(t, Spec{Name: "m", Every: time.Minute}))
		r, stop := start(t, d, s)
		defer stop()
		pass(90 * time.Second)
		wants(t, s, "m@2000-01-01T00:01:00Z")

		// Another payload is no other timing: nothing is skipped or fired again.
		d.set(compile(t, Spec{Name: "m", Every: time.Minute, Data: []byte(`{"a":1}`)}))
		r.Wake()
		synctest.Wait()
		wants(t, s)
		pass(30 * time.Second)
		wants(t, s, "m@2000-01-01T00:02:00Z")

		// Another timing starts from now, a new schedule too; a removed one rests.
		pass(10 * time.Minute)
		s.take()
		d.set(compile(t, Spec{Name: "m", Every: 2 * time.Minute}), compile(t, Spec{Name: "new", Every: 2 * time.Minute, Missed: MissedAll}))
		r.Wake()
		synctest.Wait()
		wants(t, s)
		pass(2 * time.Minute)
		wants(t, s, "m@2000-01-01T00:14:00Z", "new@2000-01-01T00:14:00Z")
		d.set()
		r.Wake()
		pass(time.Hour)
		wants(t, s)
	})
}

func TestMissedWhileDown(t *testing.T) {
	tests := []struct {
		name string
		spec Spec
		down time.Duration
		want []string
	}{
		{"none", Spec{Missed: MissedNone}, 35*time.Minute + 2*time.Minute, nil},
		{"none, but not a minute late", Spec{Missed: MissedNone}, 30*time.Minute + 30*time.Second, []string{"s@2000-01-01T00:40:00Z"}},
		{"latest", Spec{}, 35 * time.Minute, []string{"s@2000-01-01T00:40:00Z"}},
		{"all", Spec{Missed: MissedAll}, 35 * time.Minute, []string{"s@2000-01-01T00:20:00Z", "s@2000-01-01T00:30:00Z", "s@2000-01-01T00:40:00Z"}},
		{"all in the window", Spec{Missed: MissedAll, MissedWindow: 15 * time.Minute}, 35 * time.Minute, []string{"s@2000-01-01T00:30:00Z", "s@2000-01-01T00:40:00Z"}},
		{"latest out of the window", Spec{MissedWindow: 2 * time.Minute}, 35 * time.Minute, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := &desk{}, &sink{}
				tt.spec.Name, tt.spec.Cron = "s", "*/10 * * * *"
				d.set(compile(t, tt.spec))
				_, stop := start(t, d, s)
				pass(10 * time.Minute)
				wants(t, s, "s@2000-01-01T00:10:00Z")
				stop()
				pass(tt.down)
				_, stop = start(t, d, s)
				defer stop()
				wants(t, s, tt.want...)
				pass(10 * time.Minute)
				if got := s.take(); len(got) != 1 {
					t.Errorf("afterwards %v", got)
				}
			})
		})
	}
}

func TestMissedAllIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		d.set(compile(t, Spec{Name: "s", Every: time.Second, Missed: MissedAll, MissedWindow: 24 * time.Hour}))
		_, stop := start(t, d, s)
		pass(time.Second)
		wants(t, s, "s@2000-01-01T00:00:01Z")
		stop()
		pass(10 * time.Hour)
		_, stop = start(t, d, s)
		defer stop()
		got := s.take()
		if len(got) != maxMissed || got[0] != "s@2000-01-01T09:58:22Z" || got[99] != "s@2000-01-01T10:00:01Z" {
			t.Errorf("%d: %v", len(got), got)
		}
	})
}

// A changed timing while the gateway was down is a fresh start, too.
func TestChangedWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{last: map[string]store.Position{"s": {Schedule: "s", Spec: "every 1m0s", Last: time.Now().Add(-time.Hour)}}}
		s.seen, s.open = map[string]bool{}, map[string]bool{}
		d.set(compile(t, Spec{Name: "s", Every: 10 * time.Minute, Missed: MissedAll}))
		_, stop := start(t, d, s)
		defer stop()
		wants(t, s)
		pass(10 * time.Minute)
		wants(t, s, "s@2000-01-01T00:10:00Z")
		if !strings.Contains(s.body[0], `"last_run":"1999-12-31T23:00:00Z"`) {
			t.Error(s.body[0])
		}
	})
}

func TestStoreFull(t *testing.T) {
	tests := []struct {
		missed Missed
		want   []string
	}{
		{MissedNone, []string{"s@2000-01-01T02:00:00Z"}},
		{MissedLatest, []string{"s@2000-01-01T02:00:00Z"}},
		{MissedAll, []string{"s@2000-01-01T01:00:00Z", "s@2000-01-01T02:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(string(tt.missed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := &desk{}, &sink{}
				d.set(compile(t, Spec{Name: "s", Cron: "@hourly", Missed: tt.missed, MissedWindow: time.Minute}))
				r, stop := start(t, d, s)
				defer stop()
				s.set(store.ErrFull)
				pass(2*time.Hour + 50*time.Minute)
				wants(t, s)
				if got := r.Status(1)[0]; got.Owed != len(tt.want) || !got.Last.IsZero() {
					t.Errorf("status %+v", got)
				}
				s.set(nil)
				pass(again)
				wants(t, s, tt.want...)
				pass(10 * time.Minute)
				wants(t, s, "s@2000-01-01T03:00:00Z")
			})
		})
	}
}

// While the last slot cannot be read nothing fires: it might fire twice.
func TestLastSlotUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{}, &sink{}
		s.set(errors.New("store: closed"))
		d.set(compile(t, Spec{Name: "s", Every: time.Minute}))
		_, stop := start(t, d, s)
		defer stop()
		pass(150 * time.Second)
		wants(t, s)
		s.set(nil)
		pass(time.Minute)
		wants(t, s, "s@2000-01-01T00:03:00Z")
	})
}

func TestEveryIsAlignedToTheEpoch(t *testing.T) {
	t.Parallel()
	s := compile(t, Spec{Name: "s", Every: 90 * time.Second})
	for _, tt := range []struct{ after, want int64 }{{0, 90}, {89, 90}, {90, 180}, {-1, 0}, {-90, 0}, {-91, -90}} {
		if got := s.Next(time.Unix(tt.after, 0)).Unix(); got != tt.want {
			t.Errorf("after %d: %d, want %d", tt.after, got, tt.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for want, spec := range map[string]Spec{
		"either cron or every": {},
		"is needed":            {Cron: "@daily", Every: time.Hour},
		"less than 1s":         {Every: time.Millisecond},
		"is negative":          {Cron: "@daily", MissedWindow: -1},
		`missed: "some"`:       {Cron: "@daily", Missed: "some"},
		"is not JSON":          {Cron: "@daily", Data: []byte("{")},
		"never fires":          {Cron: "0 0 30 2 *"},
		"longer than 90d":      {Cron: "@daily", MissedWindow: 91 * 24 * time.Hour},
		`overlap: "both"`:      {Cron: "@daily", Overlap: "both"},
		"between 0 and 24h":    {Cron: "@daily", Jitter: 25 * time.Hour},
		"longer than every":    {Every: time.Hour, Jitter: 2 * time.Hour},
		"no slot lies":         {Cron: "@yearly", Start: time.Unix(86400, 0), End: time.Unix(2*86400, 0)},
	} {
		if _, err := Compile(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", spec, err, want)
		}
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}
