package gateway

import (
	"context"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/store"
)

// heard is the store for intake: what it accepts is told to who follows.
type heard struct{ *Gateway }

func (h heard) Append(ctx context.Context, e *store.Entry) (store.Receipt, error) {
	receipt, err := h.store.Append(ctx, e)
	if err == nil && h.live.Followed() {
		h.tellAccepted(e, receipt)
	}
	return receipt, err
}

func (h heard) AppendAll(ctx context.Context, es []*store.Entry) ([]store.Receipt, error) {
	receipts, err := h.store.AppendAll(ctx, es)
	if err == nil && h.live.Followed() {
		for i, e := range es {
			h.tellAccepted(e, receipts[i])
		}
	}
	return receipts, err
}

func (g *Gateway) tellAccepted(e *store.Entry, receipt store.Receipt) {
	if !receipt.Duplicate {
		g.live.Tell(api.AcceptedMessage(e.Event, e.Revision, receipt.Deliveries))
	}
}

func (g *Gateway) tellDelivery(d *store.Delivery) {
	if g.live.Wants(d.EventID) {
		g.live.Tell(api.DeliveryMessage(d))
	}
}

// followed is asked by dispatch about every change what to do once it is on
// disk: to tell of it, if anybody is there.
func (g *Gateway) followed(c *store.Change) func() {
	if !g.live.Wants(c.Delivery.EventID) {
		return nil
	}
	// As the change has it, and what never changes: by now dispatch may have gone
	// on with the delivery.
	of := c.Delivery
	d := store.Delivery{
		Seq: of.Seq, Event: of.Event, EventID: of.EventID, Route: of.Route, Engine: of.Engine, Workflow: of.Workflow, Key: of.Key,
		State: c.State, Due: c.Due, RunID: c.RunID, Attempt: c.Attempts, FirstAttemptAt: c.FirstAttemptAt, Last: c.Attempt,
	}
	m, emitted := api.DeliveryMessage(&d), c.Emit
	return func() {
		g.live.Tell(m)
		if emitted != nil && g.live.Followed() {
			g.tellAccepted(emitted, store.Receipt{Deliveries: len(emitted.Deliveries)})
		}
	}
}

// engineEvery is how often engines are looked at for who follows them.
const engineEvery = 500 * time.Millisecond

// watchEngines tells of engines that are in another state than they were.
func (g *Gateway) watchEngines(ctx context.Context) error {
	tick := time.NewTicker(engineEvery)
	defer tick.Stop()
	var before map[string]string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !g.live.Followed() {
			before = nil
			continue
		}
		before = g.tellEngines(before)
	}
}

// tellEngines tells of changes since before; nil is the first look.
func (g *Gateway) tellEngines(before map[string]string) map[string]string {
	now := map[string]string{}
	for _, e := range engineStatus(g.current.Load()) {
		now[e.Name] = e.State
		if before != nil && before[e.Name] != e.State {
			g.live.Tell(api.EngineMessage(e))
		}
	}
	return now
}
