package gather

import (
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/store"
)

// claim is a question to the store.
type claim struct {
	store.Claim
	of *route
}

// hungry makes the claims of the routes that should claim. What is committed
// after a claim was made says so itself, before or after the answer.
func (g *Gatherer) hungry(now time.Time) (claims []claim) {
	for _, r := range g.routes {
		if !r.backlog || r.claiming || r.rule == nil || now.Before(r.paused) {
			continue
		}
		if !g.fits(r) {
			r.known = true // all that there is room for
			continue
		}
		c := claim{of: r, Claim: store.Claim{
			Route: r.name, Limit: claimSize, MaxBytes: min(claimBytes, g.spare(r)), Now: now, InOrder: true, Gather: true,
		}}
		r.backlog, r.claiming = false, true
		g.bytes += c.MaxBytes // room for the answer
		claims = append(claims, c)
	}
	slices.SortFunc(claims, func(a, b claim) int { return strings.Compare(a.Route, b.Route) })
	return claims
}

// claimed takes the answer, which may be late.
func (g *Gatherer) claimed(c claim, got store.Claimed, err error) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	r := c.of
	r.claiming = false
	g.bytes -= c.MaxBytes
	for _, d := range got.Deliveries {
		g.join(r, d, now)
	}
	if err != nil {
		g.opts.Log.Warn("claim", zap.String("route", c.Route), zap.Error(err))
		r.backlog, r.paused = true, now.Add(pollTime)
	} else {
		r.backlog = r.backlog || got.More
		r.known = r.known || !got.More
	}
	g.signal()
}
