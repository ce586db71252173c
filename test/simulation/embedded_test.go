package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
)

// embedded is the real store. What it does takes no simulated time, so all of it
// would meet what the gateway does at the same instant, in any order. Here it is
// asked a moment later, for one thing after the other, in an order that does not
// depend on which goroutine came first.
type embedded struct {
	*sqlite.Store
	wake chan struct{}

	mu     sync.Mutex
	line   []request
	closed bool
}

// request is something that the store is asked for.
type request struct {
	rank string
	do   func()
}

// settled lets a taker come to rest before who waits for the commit is told.
type settled struct{ store.Taker }

func (s settled) Take(ds []*store.Delivery) {
	s.Taker.Take(ds)
	time.Sleep(time.Nanosecond)
}

func newEmbedded(s *sqlite.Store) *embedded {
	return &embedded{Store: s, wake: make(chan struct{}, 1)}
}

// Run serves those in line while the store runs.
func (s *embedded) Run(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Store.Run(running) }()
	for {
		select {
		case err := <-ended:
			s.close()
			return err
		case <-ctx.Done():
			s.close()
			stop()
			return <-ended
		case <-s.wake:
			time.Sleep(time.Millisecond)
			s.serve()
		}
	}
}

// serve asks the store, and lets all come to rest after each answer.
func (s *embedded) serve() {
	s.mu.Lock()
	line := s.line
	s.line = nil
	s.mu.Unlock()
	slices.SortStableFunc(line, func(a, b request) int { return strings.Compare(a.rank, b.rank) })
	for _, r := range line {
		r.do()
		time.Sleep(time.Nanosecond)
	}
}

func (s *embedded) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.serve()
}

// ask joins the line; when that is closed the store is asked at once.
func (s *embedded) ask(rank string, do func()) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		do()
		return
	}
	s.line = append(s.line, request{rank, do})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Append implements the store. Its own borrows what other bubbles have used,
// which AppendAll does not.
func (s *embedded) Append(ctx context.Context, e *store.Entry) (store.Receipt, error) {
	receipts, err := s.AppendAll(ctx, []*store.Entry{e})
	if err != nil {
		return store.Receipt{}, err
	}
	return receipts[0], nil
}

// AppendAll implements the store.
func (s *embedded) AppendAll(ctx context.Context, es []*store.Entry) (receipts []store.Receipt, err error) {
	if len(es) == 0 {
		return nil, nil
	}
	done := make(chan struct{})
	s.ask("1 events "+es[0].Event.Source+" "+es[0].Event.ID, func() {
		go func() {
			receipts, err = s.Store.AppendAll(ctx, es)
			close(done)
		}()
	})
	<-done
	return receipts, err
}

// Record implements the store.
func (s *embedded) Record(c *store.Change) {
	s.ask("2 changes "+c.Delivery.ID(), func() { s.Store.Record(c) })
}

// Claim implements the store.
func (s *embedded) Claim(c store.Claim, then func(store.Claimed, error)) {
	s.ask(fmt.Sprint("3 claims ", c.Route, " ", c.Gather), func() { s.Store.Claim(c, then) })
}
