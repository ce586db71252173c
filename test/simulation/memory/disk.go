package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Disk is what outlives a process.
type Disk struct {
	mu        sync.Mutex
	seq       store.Sequence
	events    []*Event // by age
	rows      map[int64]*row
	order     []int64 // of rows, by age
	keys      map[store.Key]place
	starts    []store.Start
	positions map[string]store.Position
	revisions []store.Revision
	revision  int64
	overlay   []store.OverlayEntry
	now       func() time.Time
}

// row is a delivery with the attempts that were not its last.
type row struct {
	store.Delivery
	history []store.Attempt
}

// NewDisk is an empty one.
func NewDisk() *Disk {
	return &Disk{rows: map[int64]*row{}, keys: map[store.Key]place{}, positions: map[string]store.Position{}, now: time.Now}
}

// recover gives back what a former process had claimed.
func (d *Disk) recover() {
	for _, r := range d.rows {
		r.Claimed = false
	}
}

func (d *Disk) do(run func(*Disk) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return run(d)
}

// write writes a page: all of it at once.
func (d *Disk) write(p *Page) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range p.Events {
		d.events = append(d.events, e)
		for _, k := range e.keys {
			d.keys[k] = place{e.Digest, e.Seq}
		}
	}
	for _, del := range p.Deliveries {
		d.rows[del.Seq] = &row{Delivery: *del}
		d.order = append(d.order, del.Seq)
	}
	for _, slot := range p.Slots {
		at := d.positions[slot.Schedule]
		at.Schedule, at.Spec, at.Last = slot.Schedule, slot.Spec, micros(slot.At)
		d.positions[slot.Schedule] = at
	}
	for i := range p.Changes {
		d.change(&p.Changes[i])
	}
}

func (d *Disk) change(c *store.Change) {
	if c.Start != nil {
		start := *c.Start
		start.At = micros(start.At)
		d.starts = slices.DeleteFunc(d.starts, func(s store.Start) bool { return s.Route == start.Route && !s.At.After(start.At.Add(-start.Window)) })
		d.starts = append(d.starts, start)
		slices.SortStableFunc(d.starts, func(a, b store.Start) int { return a.At.Compare(b.At) })
	}
	r := d.rows[c.Delivery.Seq]
	if r == nil {
		return
	}
	last := c.Attempt
	last.Started, last.Ended = micros(last.Started), micros(last.Ended)
	if c.AttemptEnded && c.State.Open() {
		kept := last
		kept.Output = nil
		r.remember(kept)
	}
	if !r.State.Open() {
		return
	}
	r.State, r.Claimed, r.Due, r.RunID = c.State, c.Claimed, micros(c.Due), c.RunID
	r.Attempt, r.Throttled, r.FirstAttemptAt, r.Last = c.Attempts, c.Throttled, micros(c.FirstAttemptAt), last
}

// remember keeps an attempt, in the place of one with its number.
func (r *row) remember(a store.Attempt) {
	i, found := slices.BinarySearchFunc(r.history, a.Number, func(x store.Attempt, n int) int { return cmp.Compare(x.Number, n) })
	if found {
		r.history[i] = a
		return
	}
	r.history = slices.Insert(r.history, i, a)
}

// event finds one by its number.
func (d *Disk) event(seq int64) *Event {
	i, found := slices.BinarySearchFunc(d.events, seq, func(e *Event, seq int64) int { return cmp.Compare(e.Seq, seq) })
	if !found {
		return nil
	}
	return d.events[i]
}

// each calls with every delivery, oldest first.
func (d *Disk) each(do func(*row)) {
	for _, seq := range d.order {
		if r := d.rows[seq]; r != nil {
			do(r)
		}
	}
}

// claim marks due deliveries as held in memory and reads them; lenient: also
// those that are held.
func (d *Disk) claim(want store.Claim, lenient bool) (got store.Claimed) {
	var found []*row
	d.each(func(r *row) {
		due := want.InOrder || want.Gather || !r.Due.After(want.Now)
		if r.Route == want.Route && r.Gather == want.Gather && r.State.Open() && (lenient || !r.Claimed) && due && !slices.Contains(want.Except, r.Key) {
			found = append(found, r)
		}
	})
	if !want.InOrder && !want.Gather {
		slices.SortStableFunc(found, func(a, b *row) int { return a.Due.Compare(b.Due) })
	}
	if got.More = len(found) >= want.Limit; got.More {
		found = found[:want.Limit]
	}
	size := 0
	events := map[int64]bool{}
	for _, r := range found {
		if size > want.MaxBytes && want.MaxBytes > 0 {
			got.More = true
			break
		}
		e := d.event(r.EventSeq)
		if !events[e.Seq] {
			size += len(e.Event.Body)
			events[e.Seq] = true
		}
		size += len(r.Input)
		r.Claimed = true
		del := r.Delivery
		del.Event, del.EventID = e.Event, e.Event.ID
		got.Deliveries = append(got.Deliveries, &del)
	}
	d.each(func(r *row) {
		if r.Route == want.Route && r.Gather == want.Gather && r.State.Open() && !r.Claimed && (got.NextDue.IsZero() || r.Due.Before(got.NextDue)) {
			got.NextDue = r.Due
		}
	})
	return got
}

// State is where a delivery stands, if the disk has it.
func (d *Disk) State(seq int64) (store.State, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.rows[seq]; r != nil {
		return r.State, true
	}
	return 0, false
}
