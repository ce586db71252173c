//go:build linux && amd64

package trials

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/tracer"
	"github.com/event-gateway/gateway/test/torture/trial"
)

// Tracer is the argument by which the command is asked to be one; the plan's
// file and the program follow.
const Tracer = "trace"

// under has a site's gateways run under a tracer with a plan.
func under(b *trial.Bench, s *site.Site, plan tracer.Plan) error {
	plan.Dir, plan.Report = s.Path("data"), s.Path("report.json")
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	s.Wrap = []string{b.Self, Tracer, s.Path("plan.json")}
	return errors.Join(os.WriteFile(s.Path("plan.json"), text, 0o600), remove(plan.Report))
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// fault runs the gateway until a rule has its way, at most for a while; what
// it reports tells whether it had.
func fault(b *trial.Bench, s *site.Site, rule tracer.Rule, limit time.Duration) (l *site.Life, r tracer.Report, err error) {
	if err := under(b, s, tracer.Plan{Rule: &rule}); err != nil {
		return nil, r, err
	}
	defer func() { s.Wrap = nil }()
	if l, err = s.Launch(); err != nil {
		return nil, r, err
	}
	if err := s.Ready(l, drain); err != nil && !errors.Is(err, site.ErrEnded) {
		return l, r, err
	}
	goesOn := l.Wait(limit)
	text, err := os.ReadFile(s.Path("report.json"))
	if err != nil {
		return l, r, fmt.Errorf("%w: the tracer said:\n%s", err, l.Said())
	}
	return l, r, errors.Join(json.Unmarshal(text, &r), goesOn)
}

// Record starts a site's gateway and has all that it does to the disk and tells
// senders written to a file, which is whole when the gateway has ended.
func Record(b *trial.Bench, s *site.Site, file string) (*site.Life, error) {
	if err := under(b, s, tracer.Plan{Record: file}); err != nil {
		return nil, err
	}
	defer func() { s.Wrap = nil }()
	return s.Start()
}
