package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
)

func compileAll(t testing.TB, specs ...Spec) *Table {
	t.Helper()
	table, mistakes := Compile(specs, expr.New(), &Counters{})
	for _, m := range mistakes {
		t.Error(m)
	}
	return table
}

func names(hits []Hit) (list []string) {
	for _, h := range hits {
		list = append(list, h.Route.Name)
	}
	return list
}

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern  string
		yes, not []string
	}{
		{"github.push", []string{"github.push"}, []string{"github", "github.push.x", "github.pushx", "GitHub.push", ""}},
		{"*", []string{"a", "a.b", "a.b.c"}, nil},
		{"github.*", []string{"github.push", "github.issues.opened"}, []string{"github", "gitlab.push", "x.github.push"}},
		{"*.push", []string{"github.push", "a.b.push"}, []string{"push", "github.push.x"}},
		{"a.*.z", []string{"a.b.z", "a.b.c.z", "a.z.z"}, []string{"a.z", "a.b.c", "b.b.z"}},
		{"*.*", []string{"a.b", "a.b.c"}, []string{"a"}},
		{"a.*.b.*.c", []string{"a.x.b.y.c", "a.b.b.b.c", "a.x.b.b.y.c"}, []string{"a.b.x.c", "a.x.b.c"}},
	} {
		p, err := parsePattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
		}
		for _, typ := range test.yes {
			if !p.match(typ) {
				t.Errorf("%s does not match %q", test.pattern, typ)
			}
		}
		for _, typ := range test.not {
			if p.match(typ) {
				t.Errorf("%s matches %q", test.pattern, typ)
			}
		}
	}
	for _, text := range []string{"", ".", "a.", ".a", "a..b", "git*", "a.*b", "**"} {
		if _, err := parsePattern(text); err == nil {
			t.Errorf("%q is a pattern", text)
		}
	}
}

// FuzzPattern compares with a regular expression that says the same.
func FuzzPattern(f *testing.F) {
	f.Add("a.*.b", "a.x.b")
	f.Add("*.*.*", "a.b")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, text, typ string) {
		p, err := parsePattern(text)
		if err != nil || len(text) > 100 {
			return
		}
		parts := strings.Split(text, ".")
		for i, s := range parts {
			if parts[i] = regexp.QuoteMeta(s); s == "*" {
				parts[i] = `[^.]*(\.[^.]*)*`
			}
		}
		re, err := regexp.Compile(`(?s)\A` + strings.Join(parts, `\.`) + `\z`)
		if err != nil {
			return // not UTF-8
		}
		if got, want := p.match(typ), re.MatchString(typ); got != want {
			t.Errorf("%q matches %q: %t, want %t", text, typ, got, want)
		}
	})
}

func TestMatchLines(t *testing.T) {
	ev := &event.Event{
		ID: "1", Type: "t", Source: "/api", Subject: "s",
		Headers: map[string]string{"x-kind": "a"}, Query: map[string]string{"Q": "1", "empty": ""},
		Body: []byte(`{"s":"x","n":1.50,"big":12345678901234567890,"exp":1e2,"yes":true,"null":null,
			"list":[{"id":7},"b"],"o":{"p":{"q":"deep"}},"huge":1e999999999,"0":"zero"}`),
	}
	num := func(s string) any { return json.Number(s) }
	for _, test := range []struct {
		path   string
		accept []any
		want   bool
	}{
		{"id", []any{"1"}, true}, {"id", []any{num("1")}, false},
		{"type", []any{"t"}, true}, {"source", []any{"/x", "/api"}, true}, {"subject", []any{"S"}, false},
		{"event.type", []any{"t"}, true}, {"event.data.s", []any{"x"}, true},
		{"headers.X-Kind", []any{"a"}, true}, {"headers.x-none", []any{nil}, true}, {"headers.x-none", []any{""}, false},
		{"query.Q", []any{"1"}, true}, {"query.q", []any{"1"}, false}, {"query.empty", []any{""}, true}, {"query.empty", []any{nil}, false},
		{"data.s", []any{"x"}, true}, {"data.s", []any{"y", "x"}, true}, {"data.s", []any{"X"}, false},
		{"data.n", []any{num("1.5")}, true}, {"data.n", []any{num("15e-1")}, true}, {"data.n", []any{"1.50"}, false}, {"data.n", []any{num("1.51")}, false},
		{"data.big", []any{num("12345678901234567890")}, true}, {"data.big", []any{num("12345678901234567891")}, false},
		{"data.exp", []any{num("100")}, true}, {"data.huge", []any{num("1e999999999")}, true}, {"data.huge", []any{num("1e999999998")}, false},
		{"data.yes", []any{true}, true}, {"data.yes", []any{"true"}, false}, {"data.yes", []any{false}, false}, {"data.yes", []any{num("1")}, false},
		{"data.null", []any{nil}, true}, {"data.missing", []any{nil}, true}, {"data.missing.more", []any{nil}, true}, {"data.missing", []any{""}, false},
		{"data.list.0.id", []any{num("7")}, true}, {"data.list.1", []any{"b"}, true}, {"data.list.2", []any{nil}, true}, {"data.list.-1", []any{nil}, true},
		{"data.o.p.q", []any{"deep"}, true}, {"data.o.p", []any{"deep", nil}, false}, {"data.list", []any{nil}, false}, {"data.0", []any{"zero"}, true},
		{"data", []any{nil}, false},
	} {
		table := compileAll(t, Spec{Name: "r", Events: []string{"t"}, Match: map[string][]any{test.path: test.accept}})
		hits, misses := table.Match(ev)
		if got := len(hits) == 1; got != test.want || misses != nil {
			t.Errorf("%s in %#v: %t, want %t; %v", test.path, test.accept, got, test.want, misses)
		}
	}
}

func TestInputAndKey(t *testing.T) {
	table := compileAll(t, Spec{
		Name: "r", Events: []string{"t"}, When: "event.data.n > 1", Key: "event.data.repo",
		With: map[string]any{"fixed": "x", "n": "${{ event.data.n }}"}, Engine: "e", Workflow: "w",
	})
	r := table.Routes()[0]
	if r.Engine != "e" || r.Workflow != "w" || string(r.Constant) != `{"fixed":"x"}` || !slices.Equal(r.Computed, []string{"n"}) {
		t.Errorf("route %+v, constant %s", r, r.Constant)
	}
	hits, _ := table.Match(&event.Event{Type: "t", Body: []byte(`{"n":2,"repo":"a/b"}`)})
	if len(hits) != 1 || hits[0].Key != "a/b" || string(hits[0].Input) != `{"fixed":"x","n":2}` {
		t.Errorf("hits %+v", hits)
	}
	if hits, misses := table.Match(&event.Event{Type: "t", Body: []byte(`{"n":1}`)}); hits != nil || misses != nil {
		t.Errorf("a condition that does not hold: %v %v", hits, misses)
	}
	if c := r.Count(); c.Matched.Load() != 1 || c.Errors.Load() != 0 {
		t.Errorf("counted %d %d", c.Matched.Load(), c.Errors.Load())
	}
}

func TestMisses(t *testing.T) {
	for _, test := range []struct {
		spec Spec
		body string
		want string
	}{
		{Spec{When: "event.data.a.b == 1"}, `{}`, "when: "},
		{Spec{Key: "event.data.key"}, `{}`, "key: "},
		{Spec{With: map[string]any{"x": "${{ event.data.x }}"}}, `{}`, "with: "},
		{Spec{Match: map[string][]any{"data.x": {"y"}}}, `{`, "match.data.x: body: "},
	} {
		test.spec.Name, test.spec.Events = "r", []string{"t"}
		table := compileAll(t, test.spec)
		hits, misses := table.Match(&event.Event{Type: "t", Body: []byte(test.body)})
		if hits != nil || len(misses) != 1 || !strings.HasPrefix(misses[0].Err.Error(), test.want) {
			t.Errorf("%+v: %v %v", test.spec, hits, misses)
		}
		if n := table.Routes()[0].Count().Errors.Load(); n != 1 {
			t.Errorf("%+v: %d errors counted", test.spec, n)
		}
	}
}

// Lines that need no decoding are asked first: a body that is no JSON is no
// error where they already say no.
func TestAttributesBeforeData(t *testing.T) {
	table := compileAll(t, Spec{Name: "r", Events: []string{"*"}, Match: map[string][]any{"data.x": {"y"}, "source": {"/other"}}})
	if _, misses := table.Match(&event.Event{Type: "t", Source: "/api", Body: []byte("{")}); misses != nil {
		t.Error(misses)
	}
}

func TestCompileErrors(t *testing.T) {
	for _, test := range []struct {
		spec  Spec
		field []string
		says  string
		at    int // the offset of CEL's mistake; -1: not CEL's
	}{
		{Spec{Events: []string{"a", "b*"}}, []string{"events[1]"}, "whole segments", -1},
		{Spec{Events: []string{""}}, []string{"events[0]"}, "empty segment", -1},
		{Spec{Match: map[string][]any{"body.x": {1}}}, []string{"match", "body.x"}, `not "body"`, -1},
		{Spec{Match: map[string][]any{"data..x": {1}}}, []string{"match", "data..x"}, "empty part", -1},
		{Spec{Match: map[string][]any{"type.x": {1}}}, []string{"match", "type.x"}, "type is a text", -1},
		{Spec{Match: map[string][]any{"headers": {1}}}, []string{"match", "headers"}, "one name", -1},
		{Spec{Match: map[string][]any{"headers.a.b": {1}}}, []string{"match", "headers.a.b"}, "one name", -1},
		{Spec{Match: map[string][]any{"data.x": {}}}, []string{"match", "data.x"}, "never match", -1},
		{Spec{When: "event.type =="}, []string{"when"}, "", 13},
		{Spec{When: "event.typo == 'x'"}, []string{"when"}, "typ", 5},
		{Spec{When: "1 + 1"}, []string{"when"}, "bool", 0},
		{Spec{Key: "nope"}, []string{"key"}, "nope", 0},
		{Spec{With: map[string]any{"a": map[string]any{"b": "x ${{ oops }}"}}}, []string{"with", "a", "b"}, "oops", 6},
	} {
		test.spec.Name = "r"
		_, mistakes := Compile([]Spec{test.spec}, expr.New(), &Counters{})
		if len(mistakes) != 1 {
			t.Errorf("%+v: %v", test.spec, mistakes)
			continue
		}
		m := mistakes[0]
		if m.Route != "r" || !slices.Equal(m.Field, test.field) || !strings.Contains(m.Error(), test.says) || !strings.HasPrefix(m.Error(), "route r: ") {
			t.Errorf("%+v: %v at %q", test.spec, m, m.Field)
		}
		var cel *expr.Error
		if errors.As(m, &cel) != (test.at >= 0) || cel != nil && cel.Offset != test.at {
			t.Errorf("%+v: position %+v, want %d", test.spec, cel, test.at)
		}
	}
	_, all := Compile([]Spec{{Name: "a", When: "x", Key: "y"}, {Name: "b", Events: []string{"*x"}}}, expr.New(), &Counters{})
	if len(all) != 3 {
		t.Errorf("not every mistake: %v", all)
	}
}

func TestCountersGoOn(t *testing.T) {
	var c Counters
	specs := []Spec{{Name: "r", Events: []string{"t"}}}
	for range 2 {
		table, _ := Compile(specs, expr.New(), &c)
		table.Match(&event.Event{Type: "t"})
	}
	if n := c.of("r").Matched.Load(); n != 2 {
		t.Errorf("%d after two tables, want 2", n)
	}
}

// TestIndex: the index finds what asking every route finds, in order.
func TestIndex(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	segments := []string{"a", "b", "c", "*"}
	word := func(n int) string {
		parts := make([]string, 1+r.IntN(4))
		for i := range parts {
			parts[i] = segments[r.IntN(n)]
		}
		return strings.Join(parts, ".")
	}
	env := expr.New()
	for range 100 {
		var specs []Spec
		for i := range r.IntN(40) {
			s := Spec{Name: fmt.Sprintf("r%02d", i)}
			for range 1 + r.IntN(3) {
				s.Events = append(s.Events, word(4))
			}
			if r.IntN(3) == 0 {
				s.Match = map[string][]any{"subject": {"yes"}}
			}
			specs = append(specs, s)
		}
		r.Shuffle(len(specs), func(i, j int) { specs[i], specs[j] = specs[j], specs[i] })
		table, _ := Compile(specs, env, &Counters{})
		for range 50 {
			ev := &event.Event{Type: word(3), Subject: []string{"yes", "no"}[r.IntN(2)]}
			var want []string
			for _, route := range table.Routes() {
				if _, at, _ := route.decide(ev); at.step == Matched && route.takes(ev.Type) {
					want = append(want, route.Name)
				}
			}
			hits, _ := table.Match(ev)
			if got := names(hits); !slices.Equal(got, want) || !slices.IsSorted(got) {
				t.Fatalf("seed %d: %s takes %v, want %v", seed, ev.Type, got, want)
			}
		}
	}
}

// BenchmarkMatch: what an event costs follows from the routes that it could
// take, not from how many there are.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 100, 5000} {
		specs := []Spec{{Name: "hit", Events: []string{"github.push"}, Match: map[string][]any{"data.ref": {"main"}}}}
		for i := range n - 1 {
			specs = append(specs, Spec{Name: fmt.Sprint("other-", i), Events: []string{fmt.Sprintf("source%d.push", i), fmt.Sprintf("x%d.*", i)}})
		}
		table := compileAll(b, specs...)
		ev := &event.Event{Type: "github.push", Body: []byte(`{"ref":"main"}`)}
		other := &event.Event{Type: "gitlab.push"}
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if hits, _ := table.Match(ev); len(hits) != 1 {
					b.Fatal(hits)
				}
			}
		})
		b.Run(fmt.Sprintf("routes=%d/none", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Match(other)
			}
		})
	}
}

func TestMatchAllocatesLittle(t *testing.T) {
	table := compileAll(t, Spec{Name: "a", Events: []string{"t"}, Match: map[string][]any{"data.ref": {"main"}}}, Spec{Name: "b", Events: []string{"x.*"}})
	hit, none := &event.Event{Type: "t", Body: []byte(`{"ref":"main"}`)}, &event.Event{Type: "nobody"}
	if n := testing.AllocsPerRun(100, func() { table.Match(hit) }); n > 2 {
		t.Errorf("%v allocations for a hit", n)
	}
	if n := testing.AllocsPerRun(100, func() { table.Match(none) }); n > 0 {
		t.Errorf("%v allocations for nothing", n)
	}
}
