package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// lifetimes starts parts in order and stops them in the reverse order, each
// named, bounded in time and logged. The first part that ends by itself ends
// all.
type lifetimes struct {
	// ctx ends when the parts should stop.
	ctx    context.Context
	cancel context.CancelFunc
	log    *zap.Logger
	parts  []*part
}

type part struct {
	name   string
	limit  time.Duration
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

func newLifetimes(ctx context.Context, log *zap.Logger) *lifetimes {
	l := &lifetimes{log: log}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

// start runs a part in a goroutine of its own until its turn to stop.
func (l *lifetimes) start(name string, limit time.Duration, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.ctx))
	p := &part{name: name, limit: limit, cancel: cancel, ended: make(chan struct{})}
	l.parts = append(l.parts, p)
	go func() {
		defer close(p.ended)
		defer l.cancel()
		if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			p.err = fmt.Errorf("%s: %w", name, err)
			l.log.Error("part failed", zap.String("part", name), zap.Error(err))
		}
	}()
}

// stop stops all parts and returns what failed.
func (l *lifetimes) stop() error {
	l.cancel()
	var errs []error
	for _, p := range slices.Backward(l.parts) {
		errs = append(errs, l.stopOne(p))
	}
	return errors.Join(errs...)
}

func (l *lifetimes) stopOne(p *part) error {
	began := time.Now()
	p.cancel()
	select {
	case <-p.ended:
		l.log.Info("stopped", zap.String("part", p.name), zap.Duration("took", time.Since(began)))
		return p.err
	case <-time.After(p.limit):
		l.log.Error("did not stop in time", zap.String("part", p.name), zap.Duration("limit", p.limit))
		return fmt.Errorf("%s: did not stop within %s", p.name, p.limit)
	}
}
