package underway

import (
	"context"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/gather"
	"github.com/event-gateway/gateway/gateway/store"
)

// Reading is the store as people read it. When a delivery that is gathered runs
// depends on its group, which is in memory.
type Reading struct {
	api.Reader
	Gather *gather.Gatherer
}

// EventByID finds an event and its deliveries.
func (r Reading) EventByID(ctx context.Context, id string) (*store.StoredEvent, []*store.Delivery, error) {
	ev, list, err := r.Reader.EventByID(ctx, id)
	return ev, r.dated(list), err
}

// Deliveries lists deliveries.
func (r Reading) Deliveries(ctx context.Context, f store.DeliveryFilter) ([]*store.Delivery, error) {
	list, err := r.Reader.Deliveries(ctx, f)
	return r.dated(list), err
}

// Delivery finds a delivery and its attempts.
func (r Reading) Delivery(ctx context.Context, seq int64) (*store.Delivery, []store.Attempt, error) {
	d, attempts, err := r.Reader.Delivery(ctx, seq)
	if err == nil {
		r.dated([]*store.Delivery{d})
	}
	return d, attempts, err
}

func (r Reading) dated(list []*store.Delivery) []*store.Delivery {
	for _, d := range list {
		if d.Gather && d.State == store.Pending {
			d.Due = r.Gather.Due(d)
		}
	}
	return list
}
