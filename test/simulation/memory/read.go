package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/store"
)

// read runs a question on what is on the disk now.
func read[T any](s *Store, ask func(*Disk) T) T {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return ask(s.disk)
}

// page cuts a list that is oldest first.
func page[T any](p store.Page, all []T, seq func(T) int64) (list []T) {
	all = slices.DeleteFunc(all, func(x T) bool {
		return p.Before != 0 && seq(x) >= p.Before || p.OldestFirst && p.After != 0 && seq(x) <= p.After
	})
	if !p.OldestFirst {
		slices.Reverse(all)
	}
	return all[:min(len(all), max(0, p.Limit))]
}

// Events lists events.
func (s *Store) Events(_ context.Context, f store.EventFilter) ([]store.StoredEvent, error) {
	all := read(s, func(d *Disk) (list []store.StoredEvent) {
		for _, e := range d.events {
			if selects(f, e) {
				list = append(list, e.StoredEvent)
			}
		}
		return list
	})
	return page(f.Page, all, func(e store.StoredEvent) int64 { return e.Seq }), nil
}

func selects(f store.EventFilter, e *Event) bool {
	of, _, is := store.ReplayOf(e.Event.ID)
	switch {
	case f.Type != "" && e.Event.Type != f.Type, f.Source != "" && e.Event.Source != f.Source,
		!f.Since.IsZero() && e.Seq < store.SeqAt(f.Since), !f.Until.IsZero() && e.Seq >= store.SeqAt(f.Until),
		f.Routed != nil && *f.Routed != (e.Deliveries > 0), f.ReplayOf != "" && !(is && of == f.ReplayOf):
		return false
	}
	return true
}

// EventByID finds the newest event with that id, and its deliveries.
func (s *Store) EventByID(_ context.Context, id string) (found *store.StoredEvent, list []*store.Delivery, err error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	for _, e := range slices.Backward(s.disk.events) {
		if e.Event.ID == id && !e.Conflict {
			stored := e.StoredEvent
			for seq := e.Seq + 1; seq <= e.Seq+int64(e.Deliveries); seq++ {
				if r := s.disk.rows[seq]; r != nil {
					list = append(list, s.disk.shown(r))
				}
			}
			return &stored, list, nil
		}
	}
	return nil, nil, store.ErrNotFound
}

// shown is a delivery as lists have it.
func (d *Disk) shown(r *row) *store.Delivery {
	del := r.Delivery
	del.Event = nil
	if e := d.event(r.EventSeq); e != nil {
		del.EventID = e.Event.ID
	}
	return &del
}

// Deliveries lists deliveries.
func (s *Store) Deliveries(_ context.Context, f store.DeliveryFilter) ([]*store.Delivery, error) {
	all := read(s, func(d *Disk) (list []*store.Delivery) {
		d.each(func(r *row) {
			if (len(f.States) == 0 || slices.Contains(f.States, r.State)) && (f.Route == "" || f.Route == r.Route) && (f.Engine == "" || f.Engine == r.Engine) {
				list = append(list, d.shown(r))
			}
		})
		return list
	})
	return page(f.Page, all, func(d *store.Delivery) int64 { return d.Seq }), nil
}

// Delivery finds one delivery with all its attempts.
func (s *Store) Delivery(_ context.Context, seq int64) (*store.Delivery, []store.Attempt, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	r := s.disk.rows[seq]
	if r == nil {
		return nil, nil, store.ErrNotFound
	}
	attempts := slices.Clone(r.history)
	if last := r.Last; !last.Started.IsZero() && (len(attempts) == 0 || attempts[len(attempts)-1].Number < last.Number) {
		attempts = append(attempts, last)
	}
	return s.disk.shown(r), attempts, nil
}

// Backlog tells for every route what is open.
func (s *Store) Backlog(context.Context) ([]store.Backlog, error) {
	return read(s, func(d *Disk) (list []store.Backlog) {
		d.each(func(r *row) {
			if !r.State.Open() {
				return
			}
			i := slices.IndexFunc(list, func(b store.Backlog) bool { return b.Route == r.Route && b.Engine == r.Engine })
			if i < 0 {
				i, list = len(list), append(list, store.Backlog{Route: r.Route, Engine: r.Engine, Oldest: store.TimeOf(r.Seq)})
			}
			list[i].Pending++
		})
		slices.SortStableFunc(list, func(a, b store.Backlog) int { return strings.Compare(a.Route, b.Route) })
		return list
	}), nil
}

// Starts tells when runs of routes with a rate were started.
func (s *Store) Starts(context.Context) ([]store.Start, error) {
	return read(s, func(d *Disk) (list []store.Start) {
		for _, start := range d.starts {
			list = append(list, store.Start{Route: start.Route, At: start.At})
		}
		return list
	}), nil
}

// Gathering are the routes of which something waits here to be gathered.
func (s *Store) Gathering(context.Context) ([]string, error) {
	return read(s, func(d *Disk) (routes []string) {
		d.each(func(r *row) {
			if r.Gather && !r.Claimed && r.State.Open() && !slices.Contains(routes, r.Route) {
				routes = append(routes, r.Route)
			}
		})
		return routes
	}), nil
}

// Durability says what a commit survives.
func (s *Store) Durability() store.Durability { return "memory: simulated" }

// Stats measures the store.
func (s *Store) Stats() store.Stats {
	open := read(s, func(d *Disk) (open int64) {
		for _, r := range d.rows {
			if r.State.Open() {
				open++
			}
		}
		return open
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Stats{Commits: s.commits, Open: open}
}
