// Package trial has engines for a moment: in a folder of their own, beside those
// of any gateway that runs. It is how a configuration is tried before it counts.
package trial

import (
	"context"
	"errors"
	"os"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/engine"
)

// With hands over a pool. When use returns, all that it started is stopped, and
// nothing of it is left. The error is of this machine alone.
func With(ctx context.Context, log *zap.Logger, use func(*engine.Pool)) (err error) {
	dir, err := os.MkdirTemp("", "gateway-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pool, err := engine.NewPool(engine.Options{RuntimeDir: dir, Log: log})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- pool.Run(running) }()
	use(pool)
	stop()
	return errors.Join(ctx.Err(), <-ended)
}
