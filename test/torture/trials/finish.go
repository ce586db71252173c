//go:build linux && amd64

package trials

import (
	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/trial"
)

// finish starts a gateway with nothing in its way, ends the load, waits until
// all has ended, and audits.
func finish(b *trial.Bench, s *site.Site, load *site.Load) error {
	l, err := s.Start()
	if err != nil {
		return err
	}
	b.Recovered(l.Took)
	if before := load.Acked(); load.Running() {
		if err := until(resumes, "events are accepted at the end", func() bool { return load.Acked() > before+100 }); err != nil {
			b.Problem("%v", err)
		}
	}
	acked := load.Stop()
	if err := l.Settle(drain); err != nil {
		b.Problem("%v", err)
	}
	if err := l.Stop(); err != nil {
		b.Problem("%v", err)
	}
	return b.Audit(s, acked)
}
