package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/store"
)

// Positions tells how far schedules had come.
func (s *Store) Positions(context.Context) ([]store.Position, error) {
	return read(s, func(d *Disk) (list []store.Position) {
		for _, p := range d.positions {
			list = append(list, p)
		}
		slices.SortFunc(list, func(a, b store.Position) int { return strings.Compare(a.Schedule, b.Schedule) })
		return list
	}), nil
}

// KeepPosition remembers all of a position but its Last.
func (s *Store) KeepPosition(_ context.Context, p store.Position) error {
	return s.do(func(d *Disk) error {
		p.Last, p.Since, p.Seen = d.positions[p.Schedule].Last, micros(p.Since), micros(p.Seen)
		d.positions[p.Schedule] = p
		return nil
	})
}

// ForgetPosition forgets a schedule.
func (s *Store) ForgetPosition(_ context.Context, name string) error {
	return s.do(func(d *Disk) error { delete(d.positions, name); return nil })
}

const (
	maxRevisions = 1000
	maxBytes     = 64 << 20
)

// AddRevision appends to the history, unless the newest is the same.
func (s *Store) AddRevision(_ context.Context, r store.Revision) error {
	return s.do(func(d *Disk) error {
		if n := len(d.revisions); n > 0 && d.revisions[n-1].Hash == r.Hash {
			return nil
		}
		d.revision++
		r.N, r.At = d.revision, micros(r.At)
		d.revisions = append(d.revisions, r)
		bytes := 0
		for i, old := range slices.Backward(d.revisions) {
			bytes += len(old.Content) + len(old.Changes)
			if place := len(d.revisions) - i; place > maxRevisions || place > 2 && bytes > maxBytes {
				d.revisions = slices.Clone(d.revisions[i+1:])
				break
			}
		}
		return nil
	})
}

// Revisions lists configurations that were in force, without their content.
func (s *Store) Revisions(_ context.Context, p store.Page) ([]store.Revision, error) {
	all := read(s, func(d *Disk) []store.Revision { return slices.Clone(d.revisions) })
	for i := range all {
		all[i].Content = nil
	}
	return page(store.Page{Before: p.Before, Limit: p.Limit}, all, func(r store.Revision) int64 { return r.N }), nil
}

// Revision finds the newest whose hash begins with a text.
func (s *Store) Revision(_ context.Context, hash string) (store.Revision, error) {
	for _, r := range slices.Backward(read(s, func(d *Disk) []store.Revision { return slices.Clone(d.revisions) })) {
		if strings.HasPrefix(r.Hash, hash) {
			return r, nil
		}
	}
	return store.Revision{}, store.ErrNotFound
}

// Overlay lists what was made while the gateway ran.
func (s *Store) Overlay(context.Context) ([]store.OverlayEntry, error) {
	return read(s, func(d *Disk) []store.OverlayEntry { return slices.Clone(d.overlay) }), nil
}

// PutOverlay keeps an entry, in the place of one of the same name.
func (s *Store) PutOverlay(_ context.Context, e store.OverlayEntry) error {
	return s.do(func(d *Disk) error {
		if i := d.entry(e.Name); i >= 0 {
			d.overlay[i] = e
		} else {
			d.overlay = append(d.overlay, e)
		}
		return nil
	})
}

// DropOverlay forgets an entry, and how far a schedule had come with it.
func (s *Store) DropOverlay(_ context.Context, name string) error {
	return s.do(func(d *Disk) error {
		i := d.entry(name)
		if i < 0 {
			return store.ErrNotFound
		}
		d.overlay = slices.Delete(d.overlay, i, i+1)
		if schedule, ok := strings.CutPrefix(name, "schedules."); ok {
			delete(d.positions, schedule)
		}
		return nil
	})
}

func (d *Disk) entry(name string) int {
	return slices.IndexFunc(d.overlay, func(e store.OverlayEntry) bool { return e.Name == name })
}
