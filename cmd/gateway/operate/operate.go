// Package operate is what people look at and steer by name: the runs, the
// schedules and the engines of a gateway. Its verbs stand beside those of
// events and deliveries, over the same client.
package operate

import (
	"context"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
)

// Desk is where an operator sits.
type Desk struct {
	*screen.Screen
	// Client calls the running gateway.
	Client func() (*remote.Client, error)
	// Read is data as curl reads it: text, @file, or - for stdin.
	Read func(data string) ([]byte, error)
	// Warn tells of one of several things that went wrong.
	Warn func(error)
	// Config is the configuration's file.
	Config func() string
}

func (d *Desk) get(ctx context.Context, path string, into any) error {
	c, err := d.Client()
	if err != nil {
		return err
	}
	return c.Get(ctx, path, nil, into)
}

func (d *Desk) post(ctx context.Context, path string, body, into any) error {
	c, err := d.Client()
	if err != nil {
		return err
	}
	return c.Post(ctx, path, body, into)
}

// each does one thing after the other; one that goes wrong does not keep the
// others from it.
func (d *Desk) each(names []string, do func(name string) error) error {
	failed := false
	for _, name := range names {
		if err := do(name); err != nil {
			failed = true
			d.Warn(err)
		}
	}
	if failed {
		return screen.ErrSaid
	}
	return nil
}
