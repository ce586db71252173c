// Package timetable joins schedules to what is around them: to how they are
// declared, to the store and the routes that their events take, and to the
// people who look at them. It is a part of gateway, which composes.
package timetable

import (
	"context"
	"errors"
	"time"

	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/overlay"
	"github.com/event-gateway/gateway/gateway/schedule"
	"github.com/event-gateway/gateway/gateway/store"
)

// Spec translates a declared schedule.
func Spec(name string, s config.Schedule, zone *time.Location) schedule.Spec {
	spec := schedule.Spec{
		Name: name, Cron: s.Cron, Every: time.Duration(s.Every), Location: zone, Type: s.Type, Data: s.Data,
		Missed: schedule.Missed(s.Missed), MissedWindow: time.Duration(s.MissedWindow), Overlap: schedule.Overlap(s.Overlap),
		Jitter: time.Duration(s.Jitter), Start: s.Start, End: s.End, Paused: s.Paused,
	}
	spec.DST.SkipGap, spec.DST.RepeatBoth = s.DST.Gap == "skip", s.DST.Repeat == "both"
	return spec
}

// Open tells whether an event of a schedule has deliveries that may still run.
// Those of a route that is no longer declared only wait for a person.
func Open(ctx context.Context, events EventReader, source, id string, declared func(route string) bool) (bool, error) {
	ev, deliveries, err := events.EventByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && ev.Event.Source != source {
		return false, nil
	}
	for _, d := range deliveries {
		if d.State.Open() && declared(d.Route) {
			return true, err
		}
	}
	return false, err
}

// EventReader finds events in the store.
type EventReader interface {
	EventByID(ctx context.Context, id string) (*store.StoredEvent, []*store.Delivery, error)
}

// Board is what people may see of schedules, and do with them.
type Board struct {
	*schedule.Runner
	// Document in force.
	Document func() *config.Document
}

// Upcoming is where each schedule stands, with its next n firings.
func (b Board) Upcoming(n int) []steer.Schedule { return upcoming(b.Document(), b.Status(n)) }

// Backfill fires the slots of an interval that have not fired.
func (b Board) Backfill(ctx context.Context, name string, from, to time.Time) (steer.Backfill, error) {
	done, err := b.Runner.Backfill(ctx, name, from, to)
	if errors.Is(err, schedule.ErrTooMany) {
		err = steer.ErrTooMany
	}
	return steer.Backfill{Slots: done.Slots, Fired: done.Fired, Before: done.Before}, err
}

// Rehearse tells when the schedules of a configuration that is not in force
// would fire next.
func Rehearse(doc *config.Document, schedules []*schedule.Schedule, n int) []steer.Schedule {
	return upcoming(doc, schedule.New(func() []*schedule.Schedule { return schedules }, nil, nil).Status(n))
}

func upcoming(doc *config.Document, all []schedule.Status) []steer.Schedule {
	list := make([]steer.Schedule, 0, len(all))
	for _, s := range all {
		one := steer.Schedule{
			Name: s.Name, Origin: overlay.Origin(doc, "schedules."+s.Name), Spec: s.Timing, Last: s.Last,
			Paused: s.Paused, PausedInFile: s.Declared, Waiting: s.Owed, Skipped: s.Skipped, Missed: s.Missed,
		}
		for _, f := range s.Next {
			one.Firings = append(one.Firings, steer.Firing{Slot: f.Slot, At: f.At})
		}
		if len(s.Next) > 0 {
			one.Next = s.Next[0].At
		}
		list = append(list, one)
	}
	return list
}
