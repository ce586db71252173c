package hindsight

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/again"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/replay"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/compare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/rehearse/plan"
	"github.com/event-gateway/gateway/gateway/routing"
	"github.com/event-gateway/gateway/gateway/timetable"
)

// running is a configuration and, where a gateway has it in force, what that is
// doing.
type running struct {
	replay.Written
	schedules []steer.Schedule
	engines   map[string]api.EngineStatus
	runs      []runs.Run
	live      bool
}

// observe asks a gateway for all that a plan needs.
func observe(ctx context.Context, c *remote.Client) (was running, err error) {
	var schedules struct{ Schedules []steer.Schedule }
	var engines struct{ Engines []api.EngineStatus }
	var underway runs.RunList
	err = errors.Join(
		c.Get(ctx, "/api/v1/export/config", nil, &was.Written),
		c.Get(ctx, "/api/v1/schedules?next=5", nil, &schedules),
		c.Get(ctx, "/api/v1/engines", nil, &engines),
		c.Get(ctx, "/api/v1/runs?limit=1000", nil, &underway),
	)
	was.schedules, was.runs, was.live, was.engines = schedules.Schedules, underway.Runs, true, map[string]api.EngineStatus{}
	for _, e := range engines.Engines {
		was.engines[e.Name] = e
	}
	return was, err
}

// two are the configurations to compare. Both are read as they may be shown:
// literal secrets are starred out in each.
type two struct {
	was      running
	old, now *config.Document
	file     string
	problems config.Problems // of the new one
	// schedules of each with their next firings.
	before, after []steer.Schedule
}

// pair reads both, as if in the folder of the new one, with what was laid over
// the old one laid over the new one, too.
func pair(was running, path string) (*two, error) {
	p := &two{was: was, file: path}
	var loaded *config.Document
	if loaded, p.problems = config.Load(path, config.Options{NoSecrets: true, Overlay: entries(was.Written)}); p.problems.Failed() {
		return p, nil
	}
	all, more := gateway.Compile(loaded)
	if p.problems = append(p.problems, more...); p.problems.Failed() {
		p.problems.Sort()
		return p, nil
	}
	var err error
	if p.old, err = known(path, was.Written); err != nil {
		return p, err
	}
	if p.now, err = known(path, again.Written(loaded)); err != nil {
		return p, err
	}
	p.after = timetable.Rehearse(loaded, all.Schedules, firings)
	if p.before = was.schedules; !was.live {
		compiled, _ := gateway.Compile(p.old)
		p.before = timetable.Rehearse(p.old, compiled.Schedules, firings)
	}
	return p, nil
}

// known is a configuration of which all texts are known. What else is wrong with
// it, such as secrets that are starred out, matters to nothing here.
func known(path string, w replay.Written) (*config.Document, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	content := map[string][]byte{}
	for i, f := range w.Files {
		at := filepath.Join(filepath.Dir(path), f.Name)
		if i == 0 {
			at = path
		}
		content[at] = []byte(f.Text)
	}
	doc, _ := config.LoadKnown(path, content, config.Options{NoSecrets: true, Overlay: entries(w)})
	return doc, nil
}

func entries(w replay.Written) (list []config.Entry) {
	for _, o := range w.Overlay {
		list = append(list, config.Entry{Name: o.Name, Text: []byte(o.Text)})
	}
	return list
}

// firings are told of each schedule.
const firings = 5

func (p *two) compare(events []*event.Event) (*Plan, error) {
	out := &Plan{Old: p.was.Revision, New: name(p.file), Differences: compare.Differences(p.old.Config, p.now.Config), Refused: []string{}}
	if !p.was.live {
		out.Old = name(p.was.File)
	}
	if out.Differences == nil {
		out.Differences = []string{}
	}
	for _, one := range compare.NeedRestart(p.old, p.now) {
		out.Refused = append(out.Refused, one.Path+": "+one.Message)
	}
	routes, mistakes := plan.New(routing.Specs(p.old.Config), routing.Specs(p.now.Config), expr.New())
	if len(mistakes) > 0 {
		return nil, mistakes[0]
	}
	out.Events = routes.All(events, maxChanges)
	out.Schedules, out.Engines = p.schedules(), p.engines()
	return out, nil
}

// Schedule is one whose next firings change.
type Schedule struct {
	Name string `json:"name"`
	// Kind is added, removed or changed.
	Kind   string      `json:"kind"`
	Before []time.Time `json:"before"`
	After  []time.Time `json:"after"`
}

func (p *two) schedules() []Schedule {
	list := []Schedule{}
	before, after := times(p.before), times(p.after)
	for _, name := range names(p.old.Config.Schedules, p.now.Config.Schedules) {
		old, was := p.old.Config.Schedules[name]
		now, is := p.now.Config.Schedules[name]
		one := Schedule{Name: name, Kind: "changed", Before: list0(before[name]), After: list0(after[name])}
		switch {
		case !was:
			one.Kind = "added"
		case !is:
			one.Kind = "removed"
		case reflect.DeepEqual(old, now) || slices.EqualFunc(one.Before, one.After, time.Time.Equal):
			continue
		}
		list = append(list, one)
	}
	return list
}

func list0(list []time.Time) []time.Time {
	if list == nil {
		return []time.Time{}
	}
	return list
}

func times(schedules []steer.Schedule) map[string][]time.Time {
	out := map[string][]time.Time{}
	for _, s := range schedules {
		for _, f := range s.Firings {
			out[s.Name] = append(out[s.Name], f.Slot)
		}
	}
	return out
}

func names[V any](maps ...map[string]V) (list []string) {
	for _, m := range maps {
		for name := range m {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Engine is one whose process starts, restarts or stops, and what it is doing
// now.
type Engine struct {
	compare.Engine
	State    string `json:"state,omitempty"`
	InFlight int    `json:"in_flight"`
	Waiting  int    `json:"waiting,omitempty"`
	// Runs are the deliveries under way in it.
	Runs []string `json:"runs,omitempty"`
}

func (p *two) engines() []Engine {
	list := []Engine{}
	for _, e := range compare.Engines(p.old.Config, p.now.Config) {
		one := Engine{Engine: e}
		if now, ok := p.was.engines[e.Name]; ok {
			one.State, one.InFlight, one.Waiting = now.State, now.InFlight, now.Waiting
		}
		for _, r := range p.was.runs {
			if r.Engine == e.Name {
				one.Runs = append(one.Runs, r.Delivery)
			}
		}
		list = append(list, one)
	}
	return list
}
