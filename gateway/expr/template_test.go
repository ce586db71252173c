package expr_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/expr"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		with any
		want string
		err  string
	}{
		{name: "constant", with: map[string]any{"b": 1, "a": []any{true, nil, 1.5, "x\"\n"}}, want: `{"a":[true,null,1.5,"x\"\n"],"b":1}`},
		{name: "lone keeps its type", with: map[string]any{"n": "${{ event.data.big }}"}, want: `{"n":9007199254740993}`},
		{name: "lone list", with: "${{ event.data.tags }}", want: `["a","","c"]`},
		{name: "numbers pass as they came", with: "${{ event.data.numbers }}", want: `[1,2.50]`},
		{name: "text around", with: "deploy ${{ event.data.after.substring(0, 7) }}!", want: `"deploy 0123456!"`},
		{name: "number in text", with: "n=${{ event.data.repository.stars }}", want: `"n=3"`},
		{name: "object in text", with: "r=${{ event.data.repository }}", want: `"r={\"full_name\":\"acme/shop\",\"stars\":3}"`},
		{name: "two neighbours", with: "${{ 1 }}${{ 2 }}", want: `"12"`},
		{name: "made map", with: `${{ {"b": event.data.price, "a": {"x": event.data.tags}} }}`, want: `{"a":{"x":["a","","c"]},"b":1.1}`},
		{name: "braces without spaces", with: `${{{"a":{"b":1}}}}`, want: `{"a":{"b":1}}`},
		{name: "braces in a string", with: `${{ "}}" + '\'}}' + r"\" + """ "}} """ }}.`, want: `"}}'}}\\ \"}} ."`},
		{name: "literal opening", with: `${{ "${{" }} x }}`, want: `"${{ x }}"`},
		{name: "comment", with: "${{ 1 // }} '\n}}", want: `1`},
		{name: "missing optional", with: `${{ event.data.?nope }}`, want: `null`},
		{name: "filtered", with: `${{ event.data.commits.filter(c, c.id == "2") }}`, want: `[{"id":"2","modified":[]}]`},
		{name: "bytes", with: `${{ b"\xff" }}`, want: `"/w=="`},
		{name: "time", with: `${{ event.time }}`, want: `"2026-03-01T12:30:00Z"`},
		{name: "headers", with: `${{ event.headers }}`, want: `{"x-request-id":"r-7"}`},
		{name: "error has the place", with: map[string]any{"a": []any{"${{ event.data.typo }}"}}, err: "a.0: no such key: typo"},
		{name: "infinite", with: `${{ 1.0 / 0.0 }}`, err: "no JSON"},
	}
	env := expr.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := must(env.Template(tt.with)).Render(push())
			if string(got) != tt.want || !says(err, tt.err) {
				t.Errorf("got %s, %v; want %s, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestTemplateErrorsAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := expr.New().Template(map[string]any{
		"a":        "über ${{ event.typo }}",
		"b":        []any{"x", map[string]any{"c": "line\n${{ 1 + }}"}},
		"d":        "${{ 1 ",
		"e":        "${{ }}",
		"${{ f }}": 1,
		"g":        map[int]string{1: "x"},
	})
	var errs expr.Errors
	if !errors.As(err, &errs) {
		t.Fatal(err)
	}
	want := []expr.Error{
		{Path: []string{"${{ f }}"}, Line: 1, Column: 1, Message: "a key cannot be computed"},
		{Path: []string{"a"}, Offset: 15, Line: 1, Column: 15, Message: "undeclared reference to 'event.typo' (did you mean 'event.type'?)"},
		{Path: []string{"b", "1", "c"}, Offset: 13, Line: 2, Column: 9, Message: "ends too early"},
		{Path: []string{"d"}, Line: 1, Column: 1, Message: "${{ is not closed: }} is missing"},
		{Path: []string{"e"}, Line: 1, Column: 1, Message: "empty expression"},
	}
	for i, w := range want {
		g := errs[i]
		if !slices.Equal(g.Path, w.Path) || g.Offset != w.Offset || g.Line != w.Line || g.Column != w.Column || g.Message != w.Message {
			t.Errorf("got %+v\nwant %+v", *g, w)
		}
	}
}

func TestConstant(t *testing.T) {
	t.Parallel()
	template := must(expr.New().Template(map[string]any{
		"target": "production",
		"repo":   "${{ event.data.repository.full_name }}",
		"deep":   map[string]any{"n": 1, "list": []any{"x ${{ event.id }}"}},
		"plain":  map[string]any{"n": 1},
	}))
	constant, computed := template.Constant()
	if string(constant) != `{"plain":{"n":1},"target":"production"}` || !slices.Equal(computed, []string{"deep", "repo"}) {
		t.Errorf("got %s, %v", constant, computed)
	}
	if constant, computed := must(expr.New().Template("${{ event.data }}")).Constant(); constant != nil || computed != nil {
		t.Errorf("got %s, %v", constant, computed)
	}
}

// Whatever a template gives is JSON, also for strings that are not UTF-8.
func TestRenderIsJSON(t *testing.T) {
	t.Parallel()
	ev := push()
	ev.Headers = map[string]string{"x": "a\xff\x01\"\\ü\t"}
	out := must(must(expr.New().Template("h: ${{ event.headers.x }}")).Render(ev))
	var got string
	if err := json.Unmarshal(out, &got); err != nil || got != "h: a\uFFFD\x01\"\\ü\t" {
		t.Errorf("got %q, %v from %s", got, err, out)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		`${{ event.data.a }}`, `x ${{ event.data.list.map(x, x.s) }} y`, `${{ {"a": event.data} }}`,
		`${{ "}}" }}`, `${{ event.data.a.replace("a", "b").split("").join(",") }}`, `${{`, `$${{ 1 }}`,
		`${{ event.data.?x.orValue(1) }}`, `${{ r'\' }}`,
	} {
		f.Add(s, `{"a":"aa","list":[{"s":1e400}]}`)
	}
	env := expr.New()
	f.Fuzz(func(t *testing.T, src, body string) {
		template, err := env.Template(src)
		if err != nil {
			var errs expr.Errors
			if !errors.As(err, &errs) || len(errs) == 0 || errs[0].Offset > len(src) || errs[0].Line < 1 || errs[0].Column < 1 {
				t.Fatalf("bad error %#v", err)
			}
			return
		}
		ev := push()
		ev.Body = []byte(body)
		out, err := template.Render(ev)
		if err == nil && !json.Valid(out) {
			t.Fatalf("%q made %q, not JSON", src, out)
		}
		if !strings.Contains(src, "${{") && err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{
		`event.type == "x"`, `event.data.list.exists(x, x.s > 1)`, `event.data.a.matches(event.data.a)`,
		`event.data.a.substring(1, 2) == ""`, `[1,2,3].all(x, x in event.data.list)`, `event.time > timestamp("x")`,
	} {
		f.Add(s, `{"a":"(a+)+$","list":[{"s":2}]}`)
	}
	env := expr.New()
	f.Fuzz(func(t *testing.T, src, body string) {
		c, err := env.Condition(src)
		if err != nil {
			return
		}
		ev := push()
		ev.Body = []byte(body)
		if ok, err := c.Match(ev); ok && err != nil {
			t.Fatalf("%q: true and %v", src, err)
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	for name, src := range map[string]string{
		"simple": `event.type == "github.push" && event.data.ref in ["refs/heads/main"]`,
		"type":   `event.type == "other" && event.data.ref == "x"`,
		"nested": `event.data.commits.exists(c, c.modified.exists(f, f.startsWith("services/")))`,
		"regex":  `event.data.after.matches("^[0-9a-f]+$")`,
	} {
		b.Run(name, func(b *testing.B) {
			c := must(expr.New().Condition(src))
			ev := push()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Match(ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	template := must(expr.New().Template(map[string]any{
		"repo": "${{ event.data.repository.full_name }}", "title": "deploy ${{ event.data.after.substring(0, 7) }}", "target": "production",
	}))
	ev := push()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Render(ev); err != nil {
			b.Fatal(err)
		}
	}
}
