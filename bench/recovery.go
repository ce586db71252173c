//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// recovery measures what a gateway does with a backlog that it finds at its start:
// events are accepted while the engine ends nothing, the gateway is killed, and
// the next one finds them. Nothing is sent then, so that what it drains is what
// dispatch does alone.
func (b *bench) recovery(ctx context.Context, s scenario, round int) (f figures, err error) {
	f = figures{Scenario: s.name, Round: round}
	first, dir, err := b.fresh(ctx, s, round, "BENCH_HOLD=1")
	if err != nil {
		return f, err
	}
	f.result, _, err = load(ctx, task{
		Address: first.Listen, Connections: b.Connections, Threads: b.Threads, Bodies: b.Bodies, Events: b.Backlog, Window: b.Backlog + 1,
		Duration: time.Duration(b.Backlog) * time.Millisecond, // far more than it takes
	})
	if err = errors.Join(err, first.kill()); err != nil {
		return f, err
	}
	start := time.Now()
	second, err := b.gatewayIn(ctx, dir, s, round)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, second.stop()) }()
	f.Ready = time.Since(start)
	err = second.metered(ctx, &f, func(meter) (_ time.Duration, err error) {
		f.Rate, err = drain(ctx, second.Admin, b.Backlog)
		return 0, err
	})
	if err != nil {
		return f, err
	}
	return f, drained(ctx, second.Admin, b.Backlog)
}

// drain waits until nothing is open any more and tells how many ended a second.
func drain(ctx context.Context, admin string, n int) (perSecond float64, err error) {
	start, began := time.Now(), int64(0)
	for {
		s, err := readStatus(ctx, admin)
		switch {
		case err != nil:
			return 0, err
		case s.Store.Pending == 0:
			return float64(began) / time.Since(start).Seconds(), nil
		case time.Since(start) > time.Duration(n)*time.Millisecond:
			return 0, fmt.Errorf("%d of %d are still open", s.Store.Pending, n)
		case began == 0:
			start, began = time.Now(), s.Store.Pending
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(watchEvery):
		}
	}
}

// drained tells whether all of a backlog has succeeded, once each.
func drained(ctx context.Context, admin string, n int) error {
	m, err := readMetrics(ctx, admin)
	if err != nil {
		return err
	}
	if got := m.attempts(); got["succeeded"] != int64(n) || len(got) != 1 {
		return fmt.Errorf("of %d deliveries, attempts by outcome: %v", n, got)
	}
	return nil
}
