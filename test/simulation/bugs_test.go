package simulation

import (
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/test/simulation/memory"
)

// bugs are planted: the zero value has none.
type bugs struct {
	onRule   func(dispatch.Rule) dispatch.Rule
	onCall   func(engine.Call) engine.Call
	onStore  func(*memory.Options)
	onSlot   func(*event.Event) *event.Event
	onClaim  func(store.Claim, func(store.Claimed, error)) func(store.Claimed, error)
	noDedupe bool
}

func (b bugs) rule(r dispatch.Rule) dispatch.Rule {
	if b.onRule != nil {
		return b.onRule(r)
	}
	return r
}

func (b bugs) call(c engine.Call) engine.Call {
	if b.onCall != nil {
		return b.onCall(c)
	}
	return c
}

func (b bugs) store(o *memory.Options) {
	if b.onStore != nil {
		b.onStore(o)
	}
}

func (b bugs) slot(ev *event.Event) *event.Event {
	if b.onSlot != nil {
		return b.onSlot(ev)
	}
	return nil
}

func (b bugs) claim(c store.Claim, then func(store.Claimed, error)) func(store.Claimed, error) {
	if b.onClaim != nil {
		return b.onClaim(c, then)
	}
	return then
}

func (b bugs) window(d time.Duration) time.Duration {
	if b.noDedupe {
		return time.Nanosecond
	}
	return d
}

func (b bugs) now() time.Time { return time.Now() }
