// Package schedule is the source that watches the clock: at each slot of each
// declared schedule it makes an event and hands it to intake, once, whatever
// clocks, restarts and reloads do.
package schedule

import (
	"bytes"
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

const (
	// maxMissed bounds how many slots are made up for.
	maxMissed = 100
	// DefaultWindow is how far back missed slots are made up for.
	DefaultWindow = time.Hour
	// minEvery is the shortest interval.
	minEvery = time.Second
)

// Spec is a schedule as declared.
type Spec struct {
	Name string
	// Cron, or Every at least a second, aligned to the Unix epoch.
	Cron  string
	Every time.Duration
	// Location of Cron; UTC when nil.
	Location *time.Location
	// Type of the events; schedule.<name> when empty.
	Type string
	// Data is JSON. To an object, scheduled_at and last_run are added.
	Data []byte
	// Missed is latest when empty; MissedWindow DefaultWindow when 0.
	Missed       Missed
	MissedWindow time.Duration
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
	switch {
	case (s.spec.Cron == "") == (s.spec.Every == 0):
		return fmt.Errorf("either cron or every is needed")
	case s.spec.Cron == "" && s.spec.Every < minEvery:
		return fmt.Errorf("every: %s is less than %s", s.spec.Every, minEvery)
	case s.spec.MissedWindow < 0:
		return fmt.Errorf("missed_window: is negative")
	}
	switch s.spec.Missed {
	case MissedNone, MissedLatest, MissedAll:
		return nil
	}
	return fmt.Errorf("missed: %q is not none, latest or all", s.spec.Missed)
}

func (s *Schedule) time() error {
	if s.spec.Every > 0 {
		s.timing = "every " + s.spec.Every.String()
		return nil
	}
	var err error
	s.cron, err = cron.Parse(s.spec.Cron, s.spec.Name)
	s.timing = s.spec.Cron + " " + s.spec.Location.String()
	return err
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

// Timing describes when the schedule is due; slots are remembered with it, and
// a schedule whose timing changed starts afresh.
func (s *Schedule) Timing() string { return s.timing }

// Next is the first slot after a moment; zero when there is none.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.spec.Every == 0 {
		return s.cron.Next(after, s.spec.Location, cron.DST{})
	}
	every := int64(s.spec.Every)
	since := after.UnixNano()
	rest := since % every
	if rest < 0 {
		rest += every
	}
	return time.Unix(0, since-rest+every).In(s.spec.Location)
}

// slot is the store's record of a firing.
func (s *Schedule) slot(at time.Time) store.Slot {
	return store.Slot{Schedule: s.spec.Name, Spec: s.timing, At: at.UTC()}
}

// event makes the event of a slot. Its id is a function of schedule and slot,
// so that a slot fired twice, by whoever, is stored once.
func (s *Schedule) event(at, last time.Time) *event.Event {
	at = at.UTC()
	return &event.Event{
		ID:          s.spec.Name + "@" + at.Format(time.RFC3339Nano),
		Source:      "/schedules/" + s.spec.Name,
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
