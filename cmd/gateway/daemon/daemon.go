// Package daemon is the gateway as a process runs it: one that may fall back on
// the last revision that was in force when the file is refused at the start.
package daemon

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/config"
)

// Daemon is a gateway, or the one that takes its place when its engines refuse
// the configuration.
type Daemon struct {
	options  gateway.Options
	fallBack bool
	current  atomic.Pointer[gateway.Gateway]
}

// New makes a gateway and starts nothing. When the file is refused, that is an
// error, or the last good revision is taken instead.
func New(o gateway.Options, fallBack bool) (*Daemon, error) {
	d := &Daemon{options: o, fallBack: fallBack}
	g, err := gateway.New(o)
	if refused := d.refused(err); refused != nil {
		return d, d.lastGood(refused)
	}
	d.current.Store(g)
	return d, err
}

// refused is what is wrong with the file where there is a way on.
func (d *Daemon) refused(err error) config.Problems {
	var problems config.Problems
	if !d.fallBack || !errors.As(err, &problems) {
		return nil
	}
	d.fallBack = false // there is one way on
	return problems
}

// lastGood makes the gateway of the last good revision; if that cannot be, the
// error has both reasons.
func (d *Daemon) lastGood(refused config.Problems) error {
	d.options.Refused = refused
	g, err := gateway.New(d.options)
	var more config.Problems
	if errors.As(err, &more) {
		return append(refused, more...)
	}
	d.current.Store(g)
	return err
}

// Run runs it until ctx ends or a part of it fails.
func (d *Daemon) Run(ctx context.Context) error {
	err := d.current.Load().Run(ctx)
	refused := d.refused(err)
	if refused == nil || ctx.Err() != nil {
		return err
	}
	if err := d.lastGood(refused); err != nil {
		return err
	}
	err = d.current.Load().Run(ctx)
	var more config.Problems
	if errors.As(err, &more) {
		return append(refused, more...)
	}
	return err
}

// Reload has it read its file again.
func (d *Daemon) Reload(ctx context.Context, reason string) (api.ReloadResult, error) {
	return d.current.Load().Reload(ctx, reason)
}
