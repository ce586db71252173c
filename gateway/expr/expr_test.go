package expr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
)

const body = `{
	"ref": "refs/heads/main",
	"after": "0123456789abcdef",
	"big": 9007199254740993,
	"huge": 18446744073709551615,
	"price": 1.10,
	"draft": false,
	"none": null,
	"tags": ["a", "", "c"],
	"numbers": [1, 2.50],
	"mixed": ["a", 1],
	"repository": {"full_name": "acme/shop", "stars": 3},
	"commits": [{"id": "1", "modified": ["services/x.go"]}, {"id": "2", "modified": []}]
}`

func push() *event.Event {
	return &event.Event{
		ID:      "d-1",
		Source:  "/webhooks/github",
		Type:    "github.push",
		Time:    time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC),
		Headers: map[string]string{"x-request-id": "r-7"},
		Query:   map[string]string{"team": "ops"},
		Body:    []byte(body),
	}
}

func TestCondition(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want bool
		err  string
	}{
		{src: `event.type == "github.push" && event.data.ref in ["refs/heads/main"]`, want: true},
		{src: `event.type == "other" && event.data.nowhere`},
		{src: `event.data.ref.startsWith("refs/heads/")`, want: true},
		{src: `event.data.commits.exists(c, c.modified.exists(f, f.startsWith("services/")))`, want: true},
		{src: `event.data.commits.all(c, size(c.modified) > 0)`},
		{src: `event.data.big == 9007199254740993`, want: true},
		{src: `event.data.big == 9007199254740992`},
		{src: `event.data.huge == 18446744073709551615u`, want: true},
		{src: `event.data.repository.stars >= 3 && event.data.price < 2`, want: true},
		{src: `event.data.?pull_request.?draft.orValue(false)`},
		{src: `has(event.data.ref) && !has(event.data.typo)`, want: true},
		{src: `event.headers["x-request-id"] == "r-7" && event.query.team == "ops"`, want: true},
		{src: `event.time.getHours() == 12 && event.time < timestamp("2027-01-01T00:00:00Z")`, want: true},
		{src: `size(event.raw) > 100`, want: true},
		{src: `event.data.none == null`, want: true},
		{src: `event.data.draft`},
		{src: `event.data.after.matches("^[0-9a-f]+$")`, want: true},
		{src: `event.data.typo == "x"`, err: "no such key: typo"},
		{src: `event.headers["nope"] == "x"`, err: "no such key: nope"},
		{src: `event.data.ref`, err: "result is string, must be bool"},
		{src: `event.data.none`, err: "result is null, must be bool"},
	}
	env := expr.New()
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			c, err := env.Condition(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Match(push())
			if got != tt.want || !says(err, tt.err) {
				t.Errorf("got %v, %v; want %v, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestBodyThatIsNotJSON(t *testing.T) {
	t.Parallel()
	c := must(expr.New().Condition(`event.data.x == 1`))
	ev := push()
	ev.Body = []byte(`{"x":`)
	if got, err := c.Match(ev); got || !says(err, "not valid JSON") {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want, err string }{
		{src: `event.data.repository.full_name`, want: "acme/shop"},
		{src: `"partner." + event.query.team`, want: "partner.ops"},
		{src: `event.data.big`, want: "9007199254740993"},
		{src: `event.data.huge`, want: "18446744073709551615"},
		{src: `event.data.price`, want: "1.1"},
		{src: `event.data.draft`, want: "false"},
		{src: `event.time`, want: "2026-03-01T12:30:00Z"},
		{src: `event.data.?missing.orValue("-")`, want: "-"},
		{src: `event.data.none`, err: "result is null"},
		{src: `event.data.tags`, err: "result is list"},
		{src: `event.data.?tags`, err: "end it with .orValue"},
	}
	env := expr.New()
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			text, err := env.Text(tt.src)
			got := ""
			if err == nil {
				got, err = text.Eval(push())
			}
			if got != tt.want || !says(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want, err string }{
		{src: `"aXbX".replace("X", "--")`, want: "a--b--"},
		{src: `"ab".replace("", "-")`, want: "-a-b-"},
		{src: `"grüße".indexOf("ß")`, want: "3"},
		{src: `"abab".lastIndexOf("ab")`, want: "2"},
		{src: `"ab".indexOf("x")`, want: "-1"},
		{src: `event.data.after.substring(0, 7)`, want: "0123456"},
		{src: `"grüße".substring(2)`, want: "üße"},
		{src: `"grüße".substring(2, 4)`, want: "üß"},
		{src: `"abc".substring(1, 99)`, want: "bc"},
		{src: `"abc".substring(9)`, want: ""},
		{src: `"abc".substring(2, 1)`, err: "not a range"},
		{src: `"abc".substring(-1)`, err: "not a range"},
		{src: `"a,b,c".split(",")[1]`, want: "b"},
		{src: `event.data.tags.join("+")`, want: "a++c"},
		{src: `["", "x"].join(",")`, want: ",x"},
		{src: `event.data.commits.map(c, c.id).join()`, want: "12"},
		{src: `event.data.numbers.join()`, err: "no such overload: join"},
		{src: `event.data.mixed.join()`, err: "something else than strings"},
		{src: `"ÄbC".lowerAscii()`, want: "Äbc"},
		{src: `"äbC".upperAscii()`, want: "äBC"},
		{src: `"ÄB".lower()`, want: "äb"},
		{src: `"äb".upper()`, want: "ÄB"},
		{src: `"  x\n".trim()`, want: "x"},
		{src: `event.data.ref.trimPrefix("refs/heads/")`, want: "main"},
		{src: `"a.go".trimSuffix(".go")`, want: "a"},
	}
	env := expr.New()
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			got, err := must(env.Text(tt.src)).Eval(push())
			if got != tt.want || !says(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src       string
		line, col int
		message   string
	}{
		{`event.typo == "x"`, 1, 6, "undeclared reference to 'event.typo' (did you mean 'event.type'?)"},
		{`event.data.ref.startWith("r")`, 1, 25, "undeclared reference to 'startWith' (did you mean 'startsWith'?)"},
		{"event.type == 'x' &&\n  event.type == 3", 2, 14, "found no matching overload for '_==_' applied to '(string, int)'"},
		{`data.ref == "x"`, 1, 1, "undeclared reference to 'data' (did you mean 'event.data'?)"},
		{`event.data.a and event.data.b`, 1, 14, "unexpected 'and' (did you mean '&&'?)"},
		{`event.type = "x"`, 1, 12, "unexpected '=' (did you mean '=='?)"},
		{`event.type == `, 1, 15, "ends too early"},
		{`event.type == "x`, 1, 15, `unexpected '"x'`},
		{`event.type`, 1, 1, "result is string, must be bool"},
		{"\n  event.type", 2, 3, "result is string, must be bool"},
		{`event.data.?draft`, 1, 1, "result is optional (end it with .orValue(…)), must be bool"},
		{`now() > event.time`, 1, 4, "undeclared reference to 'now'"},
		{`"x" == "ü" && nope`, 1, 15, "undeclared reference to 'nope' (a text stands in quotes: \"nope\")"},
		{`event.data.x.matches("(")`, 1, 22, "invalid matches argument"},
		{``, 1, 1, "ends too early"},
		{strings.Repeat("x", 9000), 1, 1, "longer than 8192 bytes"},
	}
	env := expr.New()
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.40s", tt.src), func(t *testing.T) {
			t.Parallel()
			_, err := env.Condition(tt.src)
			var errs expr.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("got %v, want Errors", err)
			}
			e := errs[0]
			if e.Line != tt.line || e.Column != tt.col || e.Message != tt.message {
				t.Errorf("got %d:%d: %s\nwant %d:%d: %s", e.Line, e.Column, e.Message, tt.line, tt.col, tt.message)
			}
			if strings.Contains(err.Error(), "cel.") || strings.Contains(err.Error(), "ext.") {
				t.Errorf("speaks of Go: %v", err)
			}
		})
	}
}

// What a hostile payload can make of a harmless expression stays bounded.
func TestBounds(t *testing.T) {
	t.Parallel()
	ev := push()
	ev.Body = fmt.Appendf(nil, `{"s": %q, "list": [%s0]}`, strings.Repeat("a", 200_000), strings.Repeat("0,", 5000))
	tests := []struct{ src, err string }{
		{`event.data.s.replace("a", event.data.s)`, "replace: result larger"},
		{`event.data.s.split("")`, "split: more than"},
		{`[event.data.s, event.data.s, event.data.s, event.data.s, event.data.s, event.data.s].join()`, "join: result larger"},
		{`[event.data.s, event.data.s, event.data.s, event.data.s, event.data.s, event.data.s]`, "result larger"},
		{`event.data.list.map(a, event.data.list.map(b, event.data.list))`, "cost limit"},
		{`event.data.list.all(a, event.data.s.indexOf("b") < 0)`, "cost limit"},
	}
	env := expr.New()
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, err := must(env.Template("${{" + tt.src + "}}")).Render(ev)
			// A slow machine meets the limit of time before that of cost.
			if !says(err, tt.err) && (tt.err != "cost limit" || !says(err, "deadline exceeded")) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// says tells whether err contains text, or is nil when text is empty.
func says(err error, text string) bool {
	if err == nil || text == "" {
		return err == nil && text == ""
	}
	return strings.Contains(err.Error(), text)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
