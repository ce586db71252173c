package gateway

import (
	"context"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/timetable"
	"github.com/event-gateway/gateway/gateway/trial"
	"github.com/event-gateway/gateway/gateway/webhook"
)

// Validate builds a configuration as a reload would, engines left out, and
// touches nothing. It tells the next n firings of each schedule, too.
func Validate(path string, opts config.Options, n int) (config.Problems, []steer.Schedule) {
	problems, schedules, _ := validate(path, opts, n)
	return problems, schedules
}

// ValidateEngines is Validate with the engines. They are started in a folder of
// their own, beside those of any gateway that runs, asked about every route, and
// stopped again. The error is of this machine, not of the configuration.
func ValidateEngines(ctx context.Context, path string, opts config.Options, n int, log *zap.Logger) (config.Problems, []steer.Schedule, error) {
	problems, schedules, snap := validate(path, opts, n)
	if problems.Failed() {
		return problems, schedules, nil
	}
	err := trial.With(ctx, log, func(pool *engine.Pool) {
		problems = append(problems, snap.acquire(ctx, pool, nil)...)
		snap.release()
	})
	problems.Sort()
	return problems, schedules, err
}

func validate(path string, opts config.Options, n int) (config.Problems, []steer.Schedule, *snapshot) {
	doc, problems := config.Load(path, opts)
	if problems.Failed() {
		return problems, []steer.Schedule{}, nil
	}
	g := &Gateway{env: expr.New(), hooks: webhook.NewRegistry()}
	snap, more := g.compile(doc)
	problems = append(problems, more...)
	problems.Sort()
	return problems, timetable.Rehearse(doc, snap.schedules, n), snap
}
