package underway

import (
	"context"

	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/gather"
	"github.com/event-gateway/gateway/gateway/store"
)

// Decisions are what the store lets people decide about deliveries.
type Decisions interface {
	Retry(ctx context.Context, seq int64) (*store.Delivery, error)
	Discard(ctx context.Context, seq int64) (*store.Delivery, error)
}

// Deliveries is what people may do with deliveries. Those that memory holds are
// not the store's alone.
type Deliveries struct {
	Store    Decisions
	Dispatch *dispatch.Dispatcher
	Gather   *gather.Gatherer
	// Tell is told of a delivery that somebody has changed.
	Tell func(*store.Delivery)
}

// Retry makes a delivery due now.
func (u Deliveries) Retry(ctx context.Context, seq int64) error {
	if u.Gather.Retry(seq) || u.Dispatch.Retry(seq) {
		return nil
	}
	d, err := u.Store.Retry(ctx, seq)
	return u.Due(d, err)
}

// Due is for a delivery that is to run again, if there is no error.
func (u Deliveries) Due(d *store.Delivery, err error) error {
	if err == nil {
		u.Gather.Nudge(d.Route)
		u.Dispatch.Nudge(d.Route)
		u.Tell(d)
	}
	return err
}

// Discard ends a delivery.
func (u Deliveries) Discard(ctx context.Context, seq int64) error {
	d, err := u.Store.Discard(ctx, seq)
	if err == nil {
		u.Gather.Discard(seq)
		u.Dispatch.Discard(seq)
		u.Tell(d)
	}
	return err
}
