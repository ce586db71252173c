//go:build linux && amd64

package trials

import (
	"fmt"
	"time"

	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/tracer"
	"github.com/event-gateway/gateway/test/torture/trial"
)

// lives is how long a gateway may take to come to the step that ends it.
const lives = 30 * time.Second

// hold is how long a step is held up in every second round: what must not be
// said before it would be said by then.
const hold = 20 * time.Millisecond

// often is how many of a step come within a second or two.
func often(s tracer.Step) int {
	if s == tracer.SyncFill {
		return 3
	}
	return 20
}

// Steps kills the gateway before and after each step of its commit path.
func Steps(b *trial.Bench) error {
	s, err := b.Site("steps", site.Config)
	if err != nil {
		return err
	}
	defer s.End()
	load := site.NewLoad(s, 64)
	load.Rest = 10 * time.Millisecond // so that outcomes do not all ride on events
	load.Go(4)
	defer load.Stop()
	for round := range b.Times {
		for _, step := range []tracer.Step{
			tracer.LogEvent, tracer.SyncEvent, tracer.Answer, tracer.Dispatch,
			tracer.LogOutcome, tracer.SyncOutcome, tracer.Fill, tracer.SyncFill,
		} {
			for _, after := range []bool{false, true} {
				rule := tracer.Rule{Steps: []tracer.Step{step}, N: 1 + b.Rand.IntN(often(step)), After: after}
				if round%2 == 0 {
					rule.Hold = hold
				}
				l, r, err := fault(b, s, rule, lives)
				if err != nil {
					return err
				}
				if r.Fired == nil {
					return fmt.Errorf("%s %d was never reached: %v; the gateway said:\n%s", step, rule.N, r.Counts, l.Said())
				}
				b.Tries(1)
			}
		}
	}
	return finish(b, s, load)
}
