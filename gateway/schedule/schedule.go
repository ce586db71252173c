// Package schedule is the source that watches the clock: at each slot of each
// declared schedule it makes an event and hands it to intake, once, whatever
// clocks, restarts and reloads do.
package schedule

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	// Zones must be known also where the host has no zone files.
	_ "time/tzdata"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/schedule/cron"
	"github.com/event-gateway/gateway/gateway/store"
)

// Missed is what becomes of slots that went by while nobody watched.
type Missed string

// What becomes of missed slots.
const (
	MissedNone   Missed = "none"
	MissedLatest Missed = "latest"
	MissedAll    Missed = "all"
)

// Overlap is what becomes of a slot while the event of the slot before has
// deliveries that have not ended.
type Overlap string

// What becomes of slots that overlap.
const (
	OverlapSkip  Overlap = "skip"
	OverlapQueue Overlap = "queue"
	OverlapAllow Overlap = "allow"
)

const (
	// maxMissed bounds how many slots are made up for.
	maxMissed = 100
	// DefaultWindow is how far back missed slots are made up for.
	DefaultWindow = time.Hour
	// minEvery is the shortest interval.
	minEvery = time.Second
	// maxWindow bounds how far back a search goes.
	maxWindow = 90 * 24 * time.Hour
	// maxJitter is the longest that a slot may be put off.
	maxJitter = 24 * time.Hour
)

// Spec is a schedule as declared.
type Spec struct {
	Name string
	// Cron, or Every at least a second, counted from Start or the Unix epoch.
	Cron  string
	Every time.Duration
	// DST is for cron; see there.
	DST cron.DST
	// Location of Cron; UTC when nil.
	Location *time.Location
	// Type of the events; schedule.<name> when empty.
	Type string
	// Data is JSON. To an object, scheduled_at and last_run are added.
	Data []byte
	// Missed is latest when empty; MissedWindow DefaultWindow when 0.
	Missed       Missed
	MissedWindow time.Duration
	// Overlap is skip when empty.
	Overlap Overlap
	// Jitter puts each slot off by less than this, the same slot always by as much.
	Jitter time.Duration
	// Start and End bound the slots, both included; zero: unbounded.
	Start, End time.Time
	Paused     bool
}

// Schedule is a declared schedule ready to run.
type Schedule struct {
	spec   Spec
	cron   cron.Expr
	timing string
	// entries of Data when it is an object, else nil.
	entries map[string]json.RawMessage
}

// Compile checks a spec. A mistake in Cron comes back as a *cron.Mistake.
func Compile(spec Spec) (*Schedule, error) {
	if spec.Location == nil {
		spec.Location = time.UTC
	}
	if spec.Type == "" {
		spec.Type = "schedule." + spec.Name
	}
	if spec.Missed == "" {
		spec.Missed = MissedLatest
	}
	if spec.MissedWindow == 0 {
		spec.MissedWindow = DefaultWindow
	}
	if spec.Overlap == "" {
		spec.Overlap = OverlapSkip
	}
	s := &Schedule{spec: spec}
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.time(); err != nil {
		return nil, err
	}
	return s, s.payload()
}

func (s *Schedule) check() error {
	switch sp := &s.spec; {
	case (sp.Cron == "") == (sp.Every == 0):
		return fmt.Errorf("either cron or every is needed")
	case sp.Cron == "" && sp.Every < minEvery:
		return fmt.Errorf("every: %s is less than %s", sp.Every, minEvery)
	case sp.MissedWindow < 0:
		return fmt.Errorf("missed_window: is negative")
	case sp.MissedWindow > maxWindow:
		return fmt.Errorf("missed_window: is longer than 90d")
	case sp.Jitter < 0 || sp.Jitter > maxJitter:
		return fmt.Errorf("jitter: is not between 0 and %s", maxJitter)
	case sp.Cron == "" && sp.Jitter > sp.Every:
		return fmt.Errorf("jitter: is longer than every")
	case sp.Missed != MissedNone && sp.Missed != MissedLatest && sp.Missed != MissedAll:
		return fmt.Errorf("missed: %q is not none, latest or all", sp.Missed)
	case sp.Overlap != OverlapSkip && sp.Overlap != OverlapQueue && sp.Overlap != OverlapAllow:
		return fmt.Errorf("overlap: %q is not skip, queue or allow", sp.Overlap)
	}
	return nil
}

// time fixes what makes the schedule due.
func (s *Schedule) time() error {
	if s.spec.Every > 0 {
		s.timing = "every " + s.spec.Every.String()
		if !s.spec.Start.IsZero() {
			s.timing += " from " + s.spec.Start.UTC().Format(time.RFC3339Nano)
		}
	} else {
		var err error
		if s.cron, err = cron.Parse(s.spec.Cron, s.spec.Name); err != nil {
			return err
		}
		s.timing = s.spec.Cron + " " + s.spec.Location.String()
		if s.spec.DST.SkipGap {
			s.timing += " gap:skip"
		}
		if s.spec.DST.RepeatBoth {
			s.timing += " repeat:both"
		}
	}
	if !s.spec.Start.IsZero() && !s.spec.End.IsZero() && s.Next(s.spec.Start.Add(-1)).IsZero() {
		return fmt.Errorf("end: no slot lies between start and it")
	}
	return nil
}

func (s *Schedule) payload() error {
	data := bytes.TrimSpace(s.spec.Data)
	switch {
	case len(data) == 0:
		s.entries = map[string]json.RawMessage{}
	case !json.Valid(data):
		return fmt.Errorf("data: is not JSON")
	case data[0] == '{':
		return json.Unmarshal(data, &s.entries)
	}
	return nil
}

// Name is the declared name.
func (s *Schedule) Name() string { return s.spec.Name }

// Timing describes when the schedule is due.
func (s *Schedule) Timing() string { return s.timing }

// identity is what slots are remembered with. A schedule whose timing changed
// starts afresh, and so does one that is no longer paused: what was due in
// between, also while no gateway ran, is not made up for.
func (s *Schedule) identity() string {
	if s.spec.Paused {
		return s.timing + " (paused)"
	}
	return s.timing
}

// Next is the first slot after a moment; zero when there is none.
func (s *Schedule) Next(after time.Time) time.Time {
	if before := s.spec.Start.Add(-1); !s.spec.Start.IsZero() && after.Before(before) {
		after = before
	}
	next := s.next(after)
	if !s.spec.End.IsZero() && next.After(s.spec.End) {
		return time.Time{}
	}
	return next
}

func (s *Schedule) next(after time.Time) time.Time {
	if s.spec.Every == 0 {
		return s.cron.Next(after, s.spec.Location, s.spec.DST)
	}
	origin := s.spec.Start
	if origin.IsZero() {
		origin = time.Unix(0, 0)
	}
	rest := after.Sub(origin) % s.spec.Every
	if rest < 0 {
		rest += s.spec.Every
	}
	return after.Add(s.spec.Every - rest).Round(0).In(s.spec.Location)
}

// firing is when a slot fires: at once, or put off by its jitter, which is made
// of schedule and slot alone, so that every start and every gateway agrees.
func (s *Schedule) firing(slot time.Time) time.Time {
	if s.spec.Jitter == 0 || slot.IsZero() {
		return slot
	}
	sum := sha256.Sum256([]byte(s.id(slot)))
	return slot.Add(time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(s.spec.Jitter)).Truncate(time.Millisecond))
}

// Firing is one time at which a schedule is due.
type Firing struct {
	// Slot names it; At is when it fires: later by its jitter.
	Slot, At time.Time
}

// Firings are the next n after a moment.
func (s *Schedule) Firings(after time.Time, n int) (list []Firing) {
	for len(list) < n {
		if after = s.Next(after); after.IsZero() {
			return list
		}
		list = append(list, Firing{Slot: after, At: s.firing(after)})
	}
	return list
}

// slot is the store's record of a firing.
func (s *Schedule) slot(at time.Time) store.Slot {
	return store.Slot{Schedule: s.spec.Name, Spec: s.identity(), At: at.UTC()}
}

// id of a slot's event is a function of schedule and slot, so that a slot fired
// twice, by whoever, is stored once.
func (s *Schedule) id(slot time.Time) string {
	return s.spec.Name + "@" + slot.UTC().Format(time.RFC3339Nano)
}

func (s *Schedule) source() string { return "/schedules/" + s.spec.Name }

// Event is that of a slot, with the slot that fired before it, if one did.
func (s *Schedule) Event(slot, last time.Time) *event.Event { return s.event(slot, last) }

// event makes the event of a slot.
func (s *Schedule) event(at, last time.Time) *event.Event {
	at = at.UTC()
	return &event.Event{
		ID:          s.id(at),
		Source:      s.source(),
		Type:        s.spec.Type,
		Time:        at,
		ContentType: "application/json",
		Body:        s.body(at, last),
	}
}

func (s *Schedule) body(at, last time.Time) []byte {
	if s.entries == nil {
		return s.spec.Data
	}
	entries := make(map[string]any, len(s.entries)+2)
	for name, value := range s.entries {
		entries[name] = value
	}
	entries["scheduled_at"], entries["last_run"] = at, nil
	if !last.IsZero() {
		entries["last_run"] = last.UTC()
	}
	body, err := json.Marshal(entries)
	if err != nil {
		panic("schedule: an object of valid JSON values has JSON: " + err.Error())
	}
	return body
}
