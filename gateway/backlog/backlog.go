// Package backlog knows how much waits for each route, as of a moment ago: intake
// asks it whether there is room, and the status tells it. It asks the store.
package backlog

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/store"
)

// Store is what knows it exactly.
type Store interface {
	Backlog(ctx context.Context) ([]store.Backlog, error)
}

// Backlog is what waited when the store was last asked.
type Backlog struct {
	store Store
	log   *zap.Logger
	last  atomic.Pointer[reading]
}

type reading struct {
	routes map[string]store.Backlog
	oldest time.Time
}

// New is empty until it runs.
func New(s Store, log *zap.Logger) *Backlog {
	b := &Backlog{store: s, log: log}
	b.last.Store(&reading{})
	return b
}

// every is how often the store is asked; with a large backlog less often, so
// that asking takes a twentieth of the time at most.
const every = time.Second

// Run asks until ctx ends.
func (b *Backlog) Run(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		began := time.Now()
		if err := b.Read(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("backlog", zap.Error(err))
		}
		wait = max(every, 20*time.Since(began))
	}
}

// Read asks now.
func (b *Backlog) Read(ctx context.Context) error {
	list, err := b.store.Backlog(ctx)
	if err != nil {
		return err
	}
	now := &reading{routes: map[string]store.Backlog{}}
	for _, r := range list {
		sum := now.routes[r.Route]
		sum.Pending += r.Pending
		if sum.Oldest.IsZero() || r.Oldest.Before(sum.Oldest) {
			sum.Oldest = r.Oldest
		}
		sum.Route, sum.Engine = r.Route, r.Engine
		now.routes[r.Route] = sum
		if now.oldest.IsZero() || r.Oldest.Before(now.oldest) {
			now.oldest = r.Oldest
		}
	}
	b.last.Store(now)
	return nil
}

// Pending is how many deliveries of a route were open.
func (b *Backlog) Pending(route string) int { return b.last.Load().routes[route].Pending }

// Routes is what waits, by route. It is not to be changed.
func (b *Backlog) Routes() map[string]store.Backlog { return b.last.Load().routes }

// Oldest is when the oldest open delivery was accepted; zero without any.
func (b *Backlog) Oldest() time.Time { return b.last.Load().oldest }
