package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/compare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/consult"
	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/route"
)

// acquire starts or shares the engines and asks them about every route; old is
// the snapshot in force, nil at the start. On failure release gives back what
// was acquired.
func (s *snapshot) acquire(ctx context.Context, pool *engine.Pool, old *snapshot) config.Problems {
	b := builder{doc: s.doc, snap: s}
	asking := asking{builder: &b, old: old}
	if old != nil {
		asking.answered = old.answered
	}
	for _, name := range sortedKeys(s.doc.Config.Engines) {
		e := s.doc.Config.Engines[name]
		started, err := pool.Acquire(ctx, b.engineSpec(name, e))
		if err != nil {
			b.engineProblem(name, err)
			continue
		}
		s.engines[name] = started
		s.plan.Engines[name] = dispatch.Lane{Engine: started, InFlight: e.Limits.InFlight, Timeout: time.Duration(e.Limits.Timeout)}
	}
	routes := s.rules.Table.Routes()
	answers := consult.Ask(ctx, s.engines, routes, asking.answered)
	for _, r := range routes {
		if q := consult.About(s.engines[r.Engine], r); answers[q] != nil {
			asking.about(q, r, answers[q])
		}
	}
	b.problems.Sort()
	return b.problems
}

// release gives the engines back; those that no other snapshot uses drain and
// stop in the background.
func (s *snapshot) release() {
	for _, e := range s.engines {
		e.Release()
	}
}

func (b *builder) engineSpec(name string, e config.Engine) engine.Spec {
	env := make(map[string]string, len(e.Env))
	for k, v := range e.Env {
		env[k] = string(v.Reveal())
	}
	return engine.Spec{
		Name: name, Path: e.Plugin, SHA256: e.SHA256, Args: e.Args, Env: env, Config: e.Config,
		BaseDir: b.baseDir(), Plain: e.Transport == "plain", MaxMessage: b.maxMessage(),
		StartTimeout: time.Duration(e.Limits.StartTimeout), Drain: time.Duration(e.Limits.Drain),
		Memory: int64(e.Limits.Memory), OpenFiles: int64(e.Limits.OpenFiles),
		Restarts: e.Limits.Restarts.Count, RestartWindow: time.Duration(e.Limits.Restarts.Window),
	}
}

// overhead is what a message holds beside a body and its decoded form.
const overhead = 4 << 20

// maxMessage is the largest message to an engine: the largest body that is
// accepted, once as it came and once as JSON.
func (b *builder) maxMessage() int64 { return 3*compare.LargestBody(b.doc.Config) + overhead }

func (b *builder) engineProblem(name string, err error) {
	path := "engines." + name
	var refused *engine.ConfigError
	var sum *engine.ChecksumError
	var limit *engine.LimitError
	switch {
	case errors.As(err, &refused):
		for _, p := range refused.Problems {
			at := strings.Join(append([]string{path, "config"}, p.Path...), ".")
			b.problems = append(b.problems, b.doc.Problem(at, p.Message, ""))
		}
	case errors.As(err, &sum):
		b.report(path+".sha256", err)
	case errors.As(err, &limit):
		b.report(path+".limits", err)
	default:
		b.report(path+".plugin", err)
	}
}

// asking is what engines say to routes. What the snapshot in force had answered
// goes on to hold when an engine can't answer just now: one that is down or
// hangs keeps nobody from changing everything else.
type asking struct {
	*builder
	old      *snapshot
	answered map[consult.Question]bool
}

// about puts what the engine answered about a route into the problems.
func (a *asking) about(q consult.Question, r *route.Route, got *consult.Answer) {
	path := "routes." + r.Name
	switch {
	case got.Err != nil && (a.answered[q] || a.kept(r.Name)):
		p := a.doc.Problem(path+".run", fmt.Sprintf("the engine could not be asked again, and had accepted this before: %v", got.Err), "")
		p.Severity = config.Warning
		a.problems = append(a.problems, p)
	case got.Err != nil:
		a.report(path+".run", fmt.Errorf("the engine could not be asked: %w", got.Err))
	}
	for _, p := range got.Problems {
		at := path + ".run"
		if len(p.Path) > 0 {
			at = strings.Join(append([]string{path, "with"}, p.Path...), ".")
		}
		a.problems = append(a.problems, a.doc.Problem(at, p.Message, ""))
	}
	a.snap.answered[q] = len(got.Problems) == 0
}

// kept: an entry that was made while the gateway ran, and so accepted by its
// engine then. It does not go because of an engine that is silent.
func (a *asking) kept(route string) bool {
	name := "routes." + route
	return a.doc.Made(name) && (a.old == nil || a.old.doc.Made(name))
}
