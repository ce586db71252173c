// Package memory is the store of the simulation: it keeps the contract of
// gateway/store, passes its suite, and does at a word what disks do once in a
// year. A Disk outlives a Store as a real one outlives a process.
//
// As in the real store one writer commits what waits, in one page: it decides
// what is new and asks for room, waits for the disk, and then hands over and
// answers in the order of the commit. Claims see all that was committed before
// them, and are answered late.
package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Fate is what becomes of a commit.
type Fate struct {
	// Gather is how long it waits for company, Sync how long the disk takes, Lag
	// how much later those are answered that asked for something.
	Gather, Sync, Lag time.Duration
	// Full: nothing was written. Changes are tried again.
	Full bool
	// Failed: nothing is acknowledged any more, as after a sync that failed.
	// Written: the page is on the disk all the same.
	Failed, Written bool
}

// Options of a store.
type Options struct {
	// Taker is offered what is committed; nil: nobody is.
	Taker store.Taker
	// MaxPending bounds the open deliveries; zero: nothing does.
	MaxPending int64
	Retain     store.Retain
	// Fate is asked before each commit; nil: all go well, at once.
	Fate func() Fate
	// What follows are bugs to be planted, for a test of those who should notice.
	//
	// Forget, when set, is shown every page before it reaches the disk and may
	// take something out of it, which is acknowledged all the same.
	Forget func(*Page)
	// Early: who waits is answered before the disk has it.
	Early bool
	// Lenient: claims give what is held in memory already, too.
	Lenient bool
}

// Store is a disk in use by one process.
type Store struct {
	disk *Disk
	opts Options
	wake chan struct{}

	mu        sync.Mutex
	queue     []*op
	postponed []*store.Change
	until     time.Time
	page      *Page // decided, and not on disk yet
	closed    bool  // nothing more is taken
	dead      bool  // nothing more reaches the disk, nobody is answered
	failed    bool
	failure   chan struct{}
	gone      chan struct{}
	answers   chan answer
	commits   uint64
}

// op is what waits for the writer: one of its fields.
type op struct {
	entries []*pending
	change  *store.Change
	task    *task
}

// pending is an entry on its way, and its answer.
type pending struct {
	*store.Entry
	receipt store.Receipt
	err     error
	group   []*pending
	done    chan struct{} // of the last of its group
}

// task is a question to the disk, or an operation on it.
type task struct {
	claims string // what, if it does
	run    func(*Disk) error
	done   func(error)
}

// answer is what is said to somebody, and when.
type answer struct {
	at  time.Time
	say func()
}

// Open opens a disk: what a former process had claimed is given back.
func Open(d *Disk, o Options) *Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recover()
	if o.Fate == nil {
		o.Fate = func() Fate { return Fate{} }
	}
	return &Store{
		disk: d, opts: o, wake: make(chan struct{}, 1), failure: make(chan struct{}), gone: make(chan struct{}),
		answers: make(chan answer, 1<<14),
	}
}

// Kill ends the process in the middle of whatever it does: nothing more reaches
// the disk, nobody is answered any more. What is being written is on the disk
// afterwards, or not.
func (s *Store) Kill(written bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return
	}
	if s.page != nil && written {
		s.disk.write(s.page)
	}
	s.dead, s.closed = true, true
	close(s.gone)
}

// Failed is closed when a commit has failed.
func (s *Store) Failed() <-chan struct{} { return s.failure }

func (s *Store) enqueue(o *op) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queue = append(s.queue, o)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// Append commits an event with its deliveries.
func (s *Store) Append(ctx context.Context, e *store.Entry) (store.Receipt, error) {
	receipts, err := s.AppendAll(ctx, []*store.Entry{e})
	if err != nil {
		return store.Receipt{}, err
	}
	return receipts[0], nil
}

// AppendAll commits several events, all of them or none.
func (s *Store) AppendAll(_ context.Context, es []*store.Entry) ([]store.Receipt, error) {
	if err := s.refuse(); err != nil || len(es) == 0 {
		return nil, err
	}
	group, done := make([]*pending, len(es)), make(chan struct{})
	for i, e := range es {
		group[i] = &pending{Entry: e, group: group, done: done}
	}
	if !s.enqueue(&op{entries: group}) {
		return nil, store.ErrFailed
	}
	select {
	case <-done:
	case <-s.gone:
		return nil, store.ErrFailed
	}
	receipts := make([]store.Receipt, len(es))
	for i, p := range group {
		if p.err != nil {
			return nil, p.err
		}
		receipts[i] = p.receipt
	}
	return receipts, nil
}

// refuse tells why nothing new is accepted now.
func (s *Store) refuse() error {
	s.mu.Lock()
	failed := s.failed || s.closed
	s.mu.Unlock()
	if failed {
		return store.ErrFailed
	}
	if s.opts.MaxPending > 0 && s.Stats().Open >= s.opts.MaxPending {
		return store.ErrBacklog
	}
	return nil
}

// Record queues what became of a delivery.
func (s *Store) Record(c *store.Change) { s.enqueue(&op{change: c}) }

// Claim takes due deliveries of a route; see store.Claim.
func (s *Store) Claim(c store.Claim, then func(store.Claimed, error)) {
	var got store.Claimed
	t := &task{
		claims: fmt.Sprint(c.Route, " ", c.Gather),
		run:    func(d *Disk) error { got = d.claim(c, s.opts.Lenient); return nil },
		done:   func(err error) { then(got, err) },
	}
	if !s.enqueue(&op{task: t}) {
		then(store.Claimed{}, store.ErrFailed)
	}
}

// do runs a task and waits for its answer.
func (s *Store) do(run func(*Disk) error) error {
	done := make(chan error, 1)
	if !s.enqueue(&op{task: &task{run: run, done: func(err error) { done <- err }}}) {
		return store.ErrFailed
	}
	select {
	case err := <-done:
		return err
	case <-s.gone:
		return store.ErrFailed
	}
}
