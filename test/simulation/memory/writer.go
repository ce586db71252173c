package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// againTime is how long a change waits that met a full disk.
const againTime = time.Second

// batch is what one commit brings, and those who wait for it.
type batch struct {
	entries []*pending
	changes []*store.Change
	tasks   []*task
	page    Page
}

// Run commits until ctx ends, then what is left. It returns early when a commit
// has failed.
func (s *Store) Run(ctx context.Context) error {
	answering := make(chan struct{})
	go func() { s.answerAll(); close(answering) }()
	defer func() {
		close(s.answers)
		<-answering
	}()
	for s.wait(ctx) {
		s.commit()
	}
	s.mu.Lock()
	if ctx.Err() != nil {
		s.until = time.Time{} // once more, whatever becomes of it
	}
	s.mu.Unlock()
	s.commit()
	s.mu.Lock()
	s.closed = true
	left := s.queue
	failed := s.failed
	s.mu.Unlock()
	s.refuseAll(left)
	if failed {
		return store.ErrFailed
	}
	return nil
}

// wait waits for something to commit; false when the end has come.
func (s *Store) wait(ctx context.Context) bool {
	s.mu.Lock()
	again := time.Hour
	if len(s.postponed) > 0 {
		again = time.Until(s.until)
	}
	s.mu.Unlock()
	timer := time.NewTimer(again)
	defer timer.Stop()
	select {
	case <-s.wake:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.gone:
	case <-s.failure:
	}
	return ctx.Err() == nil && !s.ended()
}

// ended: dead, or failed, which is as good.
func (s *Store) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead || s.failed
}

func (s *Store) commit() {
	fate := s.opts.Fate()
	time.Sleep(fate.Gather)
	b := s.gather()
	if b == nil {
		return
	}
	s.decide(b)
	if s.opts.Early {
		s.tell(b, nil)
	}
	time.Sleep(fate.Sync)
	s.mu.Lock()
	s.page = nil
	if s.dead {
		s.mu.Unlock()
		return
	}
	s.commits++
	var err error
	switch {
	case fate.Failed:
		err = store.ErrFailed
		if fate.Written {
			s.disk.write(&b.page)
		}
		s.failed = true
		close(s.failure)
	case fate.Full:
		err = store.ErrFull
		s.postponed, s.until = slices.Concat(b.changes, s.postponed), time.Now().Add(againTime)
	default:
		s.disk.write(&b.page)
	}
	s.mu.Unlock()
	s.answer(b, err, fate.Lag)
}

// gather takes what waits. Within a batch nothing depends on the order in which
// goroutines happened to queue it, so that a seed is always the same history:
// events come by their id, changes by their delivery, claims by their route,
// first what gathers.
func (s *Store) gather() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.failed {
		return nil
	}
	b := &batch{}
	if !time.Now().Before(s.until) {
		b.changes, s.postponed = s.postponed, nil
	}
	for _, o := range s.queue {
		switch {
		case o.entries != nil:
			b.entries = append(b.entries, o.entries...)
		case o.task != nil:
			b.tasks = append(b.tasks, o.task)
		case len(s.postponed) > 0: // behind those that wait
			s.postponed = append(s.postponed, o.change)
		default:
			b.changes = append(b.changes, o.change)
		}
	}
	s.queue = nil
	select {
	case <-s.wake: // for what is in this batch
	default:
	}
	b.sort()
	if len(b.entries)+len(b.changes)+len(b.tasks) == 0 {
		return nil
	}
	return b
}

func (b *batch) sort() {
	slices.SortStableFunc(b.entries, func(x, y *pending) int {
		x, y = x.group[0], y.group[0]
		return cmp.Or(strings.Compare(x.Event.Source, y.Event.Source), strings.Compare(x.Event.ID, y.Event.ID))
	})
	slices.SortStableFunc(b.changes, func(x, y *store.Change) int { return cmp.Compare(x.Delivery.Seq, y.Delivery.Seq) })
	slices.SortStableFunc(b.tasks, func(x, y *task) int { return strings.Compare(y.claims, x.claims) }) // claims first
	for _, c := range b.changes {
		if c.Emit != nil {
			p := &pending{Entry: c.Emit}
			p.group = []*pending{p}
			b.entries = append(b.entries, p)
		}
	}
}

// settle lets all others come to rest, which takes no time that anybody would
// notice: in a bubble of testing/synctest the clock moves only then. So what is
// handed over is looked at before the next is, in every play of a history.
func settle() { time.Sleep(time.Nanosecond) }

// answer hands over what was committed, then wakes those that wait, in commit
// order and one by one; those who asked the disk something later.
func (s *Store) answer(b *batch, err error, lag time.Duration) {
	if !s.opts.Early {
		s.tell(b, err)
	}
	if err == nil {
		for _, c := range b.changes {
			if c.Committed != nil {
				c.Committed()
				settle()
			}
		}
	}
	for _, t := range b.tasks {
		failed := err
		if err != store.ErrFailed { //nolint:errorlint // ours
			failed = s.disk.do(t.run) // also on a full disk
		}
		s.answers <- answer{time.Now().Add(lag), func() { t.done(failed) }}
	}
}

// tell gives deliveries to the taker and answers who appended.
func (s *Store) tell(b *batch, err error) {
	var taken []*store.Delivery
	for _, p := range b.entries {
		if err != nil {
			p.err = err
		} else if p.err == nil && !p.receipt.Duplicate {
			taken = append(taken, p.Deliveries...)
		}
	}
	if s.opts.Taker != nil && len(taken) > 0 {
		s.opts.Taker.Take(taken)
		settle()
	}
	for _, p := range b.entries {
		if p.done != nil && p == p.group[len(p.group)-1] {
			close(p.done)
			settle()
		}
	}
}

// answerAll answers, in order and not before their time.
func (s *Store) answerAll() {
	for a := range s.answers {
		select {
		case <-time.After(time.Until(a.at)):
			a.say()
			settle()
		case <-s.gone: // nobody is there any more
		}
	}
}

// refuseAll answers what came too late.
func (s *Store) refuseAll(left []*op) {
	for _, o := range left {
		switch {
		case o.entries != nil:
			for _, p := range o.entries {
				p.err = store.ErrFailed
			}
			close(o.entries[0].done)
		case o.task != nil:
			o.task.done(store.ErrFailed)
		}
	}
}
