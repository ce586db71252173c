package config

import (
	"encoding/json"
	"strings"
	"testing"
)

const positions = `version: 1
engines: {e: {plugin: ./x}}
routes:
  plain:
    events: [a]
    run: e/x
    when: event.data.ok
    match: {data.ref.name: [main, other]}
    with: {a: {b: "c"}, list: [1, {k: v}]}
  quoted:
    events: [a]
    run: e/x
    when: "a\t\"b\" ü\x21 == c"
    key: 'it''s here'
  block:
    events: [a]
    run: e/x
    when: |

      first
        second
    key: >
      folded text
      over lines
    with:
      title: deploy ${{ event.x }}
      other: ${env:WORD} ${{ event.x }}
  two-lines:
    events: [a]
    run: e/x
    when: one
      two
  aliased:
    events: &e [a]
    run: e/x
    when: |2
         indented
`

// TestPositions: what is pointed at, for paths and for places within text.
func TestPositions(t *testing.T) {
	t.Parallel()
	doc, problems := parseText(positions, testOptions())
	if len(problems) > 0 {
		t.Fatal(problems.Text())
	}
	lines := strings.Split(positions, "\n")
	for _, c := range []struct {
		path      string
		line, col int // within the text; 0 for none
		want      string
	}{
		{"routes.plain", 0, 0, "plain:"},
		{"routes.plain.when", 0, 0, "event.data.ok"},
		{"routes.plain.match.data.ref.name", 0, 0, "data.ref.name:"},
		{"routes.plain.match.data.ref.name[1]", 0, 0, "other]}"},
		{"routes.plain.with.a.b", 0, 0, `"c"}, list`},
		{"routes.plain.with.list[1].k", 0, 0, "v}]}"},
		{"routes.plain.with.list[1]", 0, 0, "{k: v}]}"},
		{"routes.plain.with.list[9].k", 0, 0, "list: [1"},
		{"routes.plain.timeout", 0, 0, "plain:"},
		{"routes.nowhere.when", 0, 0, "routes:"},
		{"nowhere", 0, 0, "version: 1"},
		{"routes.plain.when", 1, 7, "data.ok"},
		{"routes.plain.when", 1, 14, ""},
		{"routes.quoted.when", 1, 3, `\"b\"`},
		{"routes.quoted.when", 1, 8, `\x21 ==`},
		{"routes.quoted.when", 1, 10, `== c"`},
		{"routes.quoted.key", 1, 3, `''s here`},
		{"routes.quoted.key", 1, 5, ` here'`},
		{"routes.block.when", 2, 1, "first"},
		{"routes.block.when", 3, 3, "second"},
		{"routes.block.key", 1, 8, ">"},
		{"routes.block.with.title", 1, 12, "event.x }}"},
		{"routes.block.with.other", 1, 20, "${env:WORD} ${{"},
		{"routes.two-lines.when", 1, 2, "one"},
		{"routes.aliased.when", 1, 4, "indented"},
		{"routes.aliased.run", 7, 7, "e/x"},
		{"routes.aliased.run", -1, 0, "e/x"},
	} {
		p := doc.Problem(c.path, "m", "")
		if c.line != 0 {
			p = doc.ProblemIn(c.path, c.line, c.col, "m", "")
		}
		got := string([]rune(lines[p.Line-1])[p.Col-1:])
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s %d:%d points at %q, want %q", c.path, c.line, c.col, got, c.want)
		}
	}
}

func TestEndColumn(t *testing.T) {
	t.Parallel()
	doc, _ := parseText(positions, testOptions())
	lines := strings.Split(positions, "\n")
	for path, want := range map[string]string{
		"routes.plain.when":     "event.data.ok",
		"routes.plain.with.a.b": `"c"`,
		"routes.quoted.key":     `'it''s here'`,
		"routes.quoted":         "quoted",
		"routes.block.when":     "|",
	} {
		p := doc.Problem(path, "m", "")
		if got := string([]rune(lines[p.Line-1])[p.Col-1 : p.EndCol-1]); got != want {
			t.Errorf("%s spans %q, want %q", path, got, want)
		}
	}
}

func TestProblemJSON(t *testing.T) {
	t.Parallel()
	_, problems := parseText("version: 1\nsever: {}\n", testOptions())
	got, err := json.Marshal(problems)
	const want = `[{"file":"gateway.yaml","line":2,"col":1,"end_col":6,"path":"sever","message":"unknown key \"sever\"","hint":"did you mean \"server\"?","severity":"error"}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestWindowsLines: CRLF and a byte order mark change no position.
func TestWindowsLines(t *testing.T) {
	t.Parallel()
	text := "version: 1\nsever: {}\nserver:\n  listen: nowhere\n"
	_, want := parseText(text, testOptions())
	_, got := parseText("\xef\xbb\xbf"+strings.ReplaceAll(text, "\n", "\r\n"), testOptions())
	if got.Text() != want.Text() || len(got) != 2 {
		t.Errorf("got\n%swant\n%s", got.Text(), want.Text())
	}
}
