package route

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
)

// made makes routes and events of few enough parts that they meet.
type made struct{ *rand.Rand }

func (m made) one(list ...string) string { return list[m.IntN(len(list))] }

func (m made) spec(i int) Spec {
	s := Spec{Name: fmt.Sprintf("r%02d", i), Events: []string{m.one("a.b", "a.*", "*", "*.b", "c")}, Match: map[string][]any{}}
	for range m.IntN(3) {
		path := m.one("data.x", "data.y", "subject", "data.list.0", "headers.k")
		s.Match[path] = []any{m.one("1", "2"), json.Number(m.one("1", "2")), nil}[m.IntN(2) : 2+m.IntN(2)]
	}
	if m.IntN(2) == 0 {
		s.When = m.one("event.data.x == 1", "event.data.y > 1 || event.subject == '1'", "event.data.list.exists(e, e == 2) && event.data.x == 1", "event.data.x")
	}
	if m.IntN(3) == 0 {
		s.Key = m.one("event.data.x", "event.subject", "event.data.list")
	}
	if m.IntN(3) == 0 {
		s.With = map[string]any{"v": m.one("${{ event.data.y }}", "fixed", "${{ event.data.list[0] }}")}
	}
	return s
}

func (m made) event() *event.Event {
	return &event.Event{
		Type: m.one("a.b", "a.c", "c", "x.b"), Subject: m.one("", "1", "2"), Headers: map[string]string{"k": m.one("1", "2")},
		Body: []byte(m.one(`{"x":1,"y":2,"list":[1,2]}`, `{"x":"1","list":["1"]}`, `{"x":2,"y":1,"list":[]}`, `{"x":true,"y":null}`, `{`, ``)),
	}
}

// TestExplainIsMatch: explanations never disagree with what happens.
func TestExplainIsMatch(t *testing.T) {
	seed := rand.Uint64()
	m := made{rand.New(rand.NewPCG(seed, 0))}
	env, steps := expr.New(), map[Step]int{}
	for range 40 {
		var specs []Spec
		for i := range 1 + m.IntN(20) {
			specs = append(specs, m.spec(i))
		}
		table := compileEnv(t, env, specs)
		for range 30 {
			ev := m.event()
			hits, misses := table.Match(ev)
			var took, could []string
			for _, h := range hits {
				took = append(took, h.Route.Name+string(h.Input)+h.Key)
			}
			for _, miss := range misses {
				could = append(could, miss.Route.Name+miss.Err.Error())
			}
			var explained, unclear []string
			for _, r := range table.Routes() {
				v := r.Explain(ev)
				steps[v.Step]++
				if v.Step == Matched {
					explained = append(explained, r.Name+string(v.Hit.Input)+v.Hit.Key)
				}
				if v.Err != nil {
					unclear = append(unclear, r.Name+v.Err.Error())
				}
				if v.Step == When && m.IntN(8) == 0 { // it compiles anew, slowly
					if f := r.Why(ev); f.Part == "" || (f.Err == nil) != (v.Err == nil) {
						t.Fatalf("seed %d: %s says %+v, explained by %+v", seed, specs[0].When, v, f)
					}
				}
			}
			if !slices.Equal(took, explained) || !slices.Equal(could, unclear) {
				t.Fatalf("seed %d: %s %s takes %v and could not tell %v; explained %v, %v", seed, ev.Type, ev.Body, took, could, explained, unclear)
			}
			decided := 0
			table.Decide(ev, func(v *Verdict) {
				if v.Step == Matched {
					decided++
				}
			})
			if decided != len(hits) {
				t.Fatalf("seed %d: %d decided, %d hits", seed, decided, len(hits))
			}
		}
	}
	for step := Matched; step <= With; step++ {
		if steps[step] == 0 {
			t.Errorf("seed %d: nothing ended at %s", seed, step)
		}
	}
}

func compileEnv(t *testing.T, env *expr.Env, specs []Spec) *Table {
	t.Helper()
	table, mistakes := Compile(specs, env, &Counters{})
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	return table
}

func TestExplainParts(t *testing.T) {
	table := compileAll(t, Spec{Name: "b", Events: []string{"t", "u.*"}, Match: map[string][]any{"data.x": {"1", json.Number("2")}, "subject": {"s"}}, When: "true"}, Spec{Name: "a"})
	r := table.Route("b")
	if r == nil || table.Route("c") != nil || !slices.Equal(r.Events(), []string{"t", "u.*"}) || !r.Conditional() || table.Route("a").Conditional() {
		t.Fatalf("routes %+v", r)
	}
	var paths []string
	for _, l := range r.Lines() {
		paths = append(paths, l.Path+strconv.Itoa(len(l.Accept)))
	}
	if got := strings.Join(paths, " "); got != "subject1 data.x2" {
		t.Errorf("lines in the order of asking: %s", got)
	}
	ev := &event.Event{Type: "t", Subject: "s", Body: []byte(`{"x":2.0}`)}
	if r.Accepted(1, ev) != 1 || r.Accepted(0, &event.Event{}) != -1 {
		t.Error("not the value that was accepted")
	}
	before, asked := r.Count().Matched.Load(), 0
	table.Decide(ev, func(*Verdict) { asked++ })
	if r.Explain(ev).Step != Matched || asked != 1 || r.Count().Matched.Load() != before {
		t.Error("explanations are counted")
	}
}
