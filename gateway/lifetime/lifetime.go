// Package lifetime starts the parts of the running gateway in order and stops them
// in the reverse order, each named, bounded in time and logged. It is what
// package gateway runs everything with.
package lifetime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Parts are what was started. The first that ends by itself ends all.
type Parts struct {
	// Context ends when the parts should stop.
	Context context.Context
	cancel  context.CancelFunc
	log     *zap.Logger
	parts   []*part
}

type part struct {
	name   string
	limit  time.Duration
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// New has no parts yet. They are to stop when ctx ends.
func New(ctx context.Context, log *zap.Logger) *Parts {
	l := &Parts{log: log}
	l.Context, l.cancel = context.WithCancel(ctx)
	return l
}

// Start runs a part in a goroutine of its own until its turn to stop.
func (l *Parts) Start(name string, limit time.Duration, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.Context))
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

// Stop stops all parts and returns what failed.
func (l *Parts) Stop() error {
	l.cancel()
	var errs []error
	for _, p := range slices.Backward(l.parts) {
		errs = append(errs, l.stopOne(p))
	}
	return errors.Join(errs...)
}

func (l *Parts) stopOne(p *part) error {
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
