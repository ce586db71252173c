package sdk

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// service is the contract, spoken for an Engine.
type service struct {
	enginev1.UnimplementedEngineServiceServer
	engine     Engine
	limit      int // bytes of one output
	runs       *runs
	configured atomic.Bool
}

func newService(engine Engine, limit int) *service {
	_, keep := engine.(Getter)
	return &service{engine: engine, limit: limit, runs: &runs{
		keep: keep, live: map[string]*run{}, drained: make(chan struct{}),
	}}
}

// Describe adds what can be told without asking the author.
func (s *service) Describe(ctx context.Context, _ *enginev1.DescribeRequest) (*enginev1.DescribeResponse, error) {
	d, err := s.describe(ctx)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, text(err.Error()))
	}
	out := &enginev1.DescribeResponse{
		Name: text(d.Name), Version: text(d.Version), Abilities: abilities(s.engine, d),
	}
	for _, w := range d.Workflows {
		out.Workflows = append(out.Workflows, &enginev1.Workflow{
			Name: text(w.Name), Description: text(w.Description), InputSchema: w.InputSchema,
		})
	}
	return out, nil
}

func (s *service) describe(ctx context.Context) (Description, error) {
	var d Description
	if describer, ok := s.engine.(Describer); ok {
		var err error
		if d, err = describer.Describe(ctx); err != nil {
			return d, err
		}
	}
	if d.Name == "" {
		d.Name = strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	}
	if info, ok := debug.ReadBuildInfo(); ok && d.Version == "" {
		d.Version = info.Main.Version
	}
	return d, nil
}

func abilities(engine Engine, d Description) []enginev1.Ability {
	var out []enginev1.Ability
	if _, ok := engine.(Checker); ok || len(d.Workflows) > 0 {
		out = append(out, enginev1.Ability_ABILITY_CHECK)
	}
	if _, ok := engine.(Getter); ok {
		out = append(out, enginev1.Ability_ABILITY_GET)
	}
	if _, ok := engine.(Answerer); ok {
		out = append(out, enginev1.Ability_ABILITY_ANSWER)
	}
	return out
}

// Configure hands the configuration over, once it was taken never again: runs
// may be reading what it set.
func (s *service) Configure(ctx context.Context, m *enginev1.ConfigureRequest) (*enginev1.ConfigureResponse, error) {
	if s.configured.Load() {
		return nil, status.Error(codes.FailedPrecondition, "configured already")
	}
	c := &Config{JSON: m.Config, BaseDir: m.BaseDir}
	var err error
	if configurer, ok := s.engine.(Configurer); ok {
		err = configurer.Configure(ctx, c)
	} else if c.configured() {
		err = Problem{Message: "this engine takes no configuration"}
	}
	out := &enginev1.ConfigureResponse{Problems: problems(err)}
	s.configured.Store(len(out.Problems) == 0)
	return out, nil
}

// Check asks the author, who knows best, and then refuses a workflow that
// isn't listed.
func (s *service) Check(ctx context.Context, m *enginev1.CheckRequest) (*enginev1.CheckResponse, error) {
	d, err := s.describe(ctx)
	if err != nil {
		return &enginev1.CheckResponse{Problems: problems(err)}, nil
	}
	if checker, ok := s.engine.(Checker); ok {
		err = checker.Check(ctx, Route{Workflow: m.Workflow, Input: m.Input, Computed: m.Computed})
	}
	if names := d.names(); err == nil && len(names) > 0 && !slices.Contains(names, m.Workflow) {
		err = unknownWorkflow(m.Workflow, names)
	}
	return &enginev1.CheckResponse{Problems: problems(err)}, nil
}

func (d *Description) names() []string {
	var out []string
	for _, w := range d.Workflows {
		out = append(out, w.Name)
	}
	return out
}
