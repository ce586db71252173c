package plan_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/rehearse/plan"
	"github.com/event-gateway/gateway/gateway/route"
)

func order(id int, body string) *event.Event {
	return &event.Event{ID: fmt.Sprint(id), Source: "/webhooks/shop", Type: "order.placed", Body: []byte(body)}
}

func TestChanges(t *testing.T) {
	spec := func(s route.Spec) []route.Spec {
		s.Name, s.Engine = "r", "exec"
		if s.Workflow == "" {
			s.Workflow = "ship"
		}
		if s.Events == nil {
			s.Events = []string{"order.*"}
		}
		return []route.Spec{s}
	}
	with := func(src string) map[string]any { return map[string]any{"n": src} }
	for name, c := range map[string]struct {
		old, now []route.Spec
		want     string
	}{
		"nothing":         {spec(route.Spec{}), spec(route.Spec{}), ""},
		"new":             {nil, spec(route.Spec{}), "runs: the route is new"},
		"gone":            {spec(route.Spec{}), nil, "stops: the route is gone"},
		"narrowed":        {spec(route.Spec{}), spec(route.Spec{When: "event.data.n > 5"}), "stops: when does not hold: event.data.n > 5 (event.data.n is 1)"},
		"widened":         {spec(route.Spec{Match: map[string][]any{"data.n": {json.Number("2")}}}), spec(route.Spec{}), "runs: data.n is 1, not 2"},
		"type":            {spec(route.Spec{}), spec(route.Spec{Events: []string{"order.paid"}}), `stops: the type "order.placed" is not "order.paid"`},
		"another type":    {spec(route.Spec{Events: []string{"x"}}), spec(route.Spec{}), `runs: the type "order.placed" is not "x"`},
		"input":           {spec(route.Spec{With: with("a")}), spec(route.Spec{With: with("${{ event.data.n }}")}), "changed: input"},
		"the same input":  {spec(route.Spec{With: with("1")}), spec(route.Spec{With: with("${{ string(event.data.n) }}")}), ""},
		"key":             {spec(route.Spec{}), spec(route.Spec{Key: "event.id"}), "changed: key"},
		"workflow":        {spec(route.Spec{}), spec(route.Spec{Workflow: "pack"}), "changed: run"},
		"all of it":       {spec(route.Spec{}), spec(route.Spec{Workflow: "pack", Key: "event.id", With: with("1")}), "changed: run, input, key"},
		"another writing": {spec(route.Spec{When: "event.data.n == 1"}), spec(route.Spec{When: "event.data.n < 2"}), ""},
		"a filter broken": {spec(route.Spec{}), spec(route.Spec{When: "event.data.missing == 1"}), "stops: when cannot tell: event.data.missing == 1: no such key: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			p, mistakes := plan.New(c.old, c.now, expr.New())
			if len(mistakes) > 0 {
				t.Fatal(mistakes)
			}
			var got []string
			for _, change := range p.Of(order(1, `{"n":1}`)) {
				got = append(got, change.Kind+": "+change.Why+strings.Join(change.Fields, ", "))
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	r := func(name, when string) route.Spec {
		return route.Spec{Name: name, Events: []string{"order.*"}, When: when, Engine: "exec", Workflow: "w"}
	}
	p, _ := plan.New([]route.Spec{r("a", "event.data.n < 3"), r("same", "")}, []route.Spec{r("a", "event.data.n > 1"), r("same", ""), r("b", "event.data.n == 0")}, expr.New())
	var events []*event.Event
	for n := range 5 {
		events = append(events, order(n, fmt.Sprintf(`{"n":%d}`, n)))
	}
	got := p.All(events, 3)
	if got.Looked != 5 || got.Affected != 4 || got.Runs != 3 || got.Stops != 2 || got.Changed != 0 || len(got.Changes) != 3 || got.Left != 2 {
		t.Errorf("%+v", got)
	}
	if want := []plan.Count{{Route: "a", Runs: 2, Stops: 2}, {Route: "b", Runs: 1}}; !slices.Equal(got.Routes, want) || !slices.Equal(p.Routes(), []string{"a", "b"}) {
		t.Errorf("%+v, asked %v", got.Routes, p.Routes())
	}
}

// An expression that newly fails is told: it is no match, and no mistake that
// validate could have found.
func TestFails(t *testing.T) {
	r := func(when string) route.Spec {
		return route.Spec{Name: "r", Events: []string{"order.*"}, When: when, Engine: "exec", Workflow: "w"}
	}
	bad := "event.data.customer.id == 7"
	for name, c := range map[string]struct {
		old, now []route.Spec
		want     string
	}{
		"a new route":      {nil, []route.Spec{r(bad)}, plan.Fails},
		"one that said no": {[]route.Spec{r("false")}, []route.Spec{r(bad)}, plan.Fails},
		"one that matched": {[]route.Spec{r("true")}, []route.Spec{r(bad)}, plan.Stops},
		"one that failed":  {[]route.Spec{r("event.data.nobody == 1")}, []route.Spec{r(bad)}, ""},
	} {
		p, _ := plan.New(c.old, c.now, expr.New())
		got := p.Of(order(1, `{"n":1}`))
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: %+v", name, got)
		case c.want != "" && (len(got) != 1 || got[0].Kind != c.want || !strings.Contains(got[0].Why, "customer")):
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
		if all := p.All([]*event.Event{order(1, `{"n":1}`)}, 9); (all.Fails == 1) != (c.want == plan.Fails) {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// spent is the processor time of this process: a busy machine takes longer, but
// not more of it.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// racing: the race detector makes everything many times slower.
func racing() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestThousandRoutes: a thousand routes, all changed and with a filter in each,
// and ten thousand events take less than five seconds.
func TestThousandRoutes(t *testing.T) {
	const routes = 1000
	events := 10_000
	if racing() {
		events = 1000
	}
	table := func(limit int) (specs []route.Spec) {
		for i := range routes {
			specs = append(specs, route.Spec{
				Name: fmt.Sprintf("r%d", i), Events: []string{fmt.Sprintf("order.%d", i%200)}, Match: map[string][]any{"data.shop": {"a", "b"}},
				When: fmt.Sprintf("event.data.n > %d", limit), With: map[string]any{"n": "${{ event.data.n }}"}, Engine: "exec", Workflow: "w",
			})
		}
		return specs
	}
	random := rand.New(rand.NewPCG(1, 2))
	list := make([]*event.Event, events)
	for i := range list {
		list[i] = order(i, fmt.Sprintf(`{"shop":"a","n":%d,"items":[{"sku":"x","price":12}]}`, random.IntN(100)))
		list[i].Type = fmt.Sprintf("order.%d", random.IntN(200))
	}
	began := spent(t)
	p, _ := plan.New(table(10), table(20), expr.New())
	got := p.All(list, 1000)
	took := spent(t) - began
	t.Logf("%d routes, %d events: %d changes in %s", routes, events, got.Stops, took)
	if got.Stops == 0 || got.Runs != 0 || got.Looked != events {
		t.Errorf("%d stop, %d run, at %d routes", got.Stops, got.Runs, len(got.Routes))
	}
	if took > 5*time.Second && !racing() {
		t.Errorf("took %s of a processor, at most 5s are promised", took)
	}
}
