package screen

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func newScreen(format string) (*Screen, *bytes.Buffer) {
	var out bytes.Buffer
	return &Screen{Out: &out, Format: format, Now: func() time.Time { return noon }}, &out
}

// TestYAMLReadsAsJSON prints hard values as YAML and reads them back.
func TestYAMLReadsAsJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"a":[],"b":{},"c":null,"d":true,"e":-1.5e3,"f":""}`,
		`["true","null","~","012","1e3","0x1f","on","2026-01-31","- a","a: b","# c","%","@x","<<"]`,
		`{"1":"one","true":2,"":3,"a b":4,"<<":{"k":1}}`,
		`"\ud83d\ude00 \u2028 \u0085 \u001b[2J \t tab"`,
		`["line\nline\n","\n"," lead","trail ","\r\n"]`,
		`[[1,[2,[]]],{"a":{"b":[{"c":1}]}}]`,
	} {
		s, out := newScreen(YAML)
		if err := s.Show(json.RawMessage(text), nil); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var want, got any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(out.Bytes(), &got); err != nil {
			t.Errorf("%s: %v in %s", text, err, out)
			continue
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Errorf("%s: %v in %s", text, err, out)
			continue
		}
		var back any
		if err := json.Unmarshal(again, &back); err != nil || !reflect.DeepEqual(want, back) {
			t.Errorf("%s printed\n%s read as %s", text, out, again)
		}
		if bytes.ContainsRune(out.Bytes(), 0x1b) {
			t.Errorf("%s: an escape sequence is printed", text)
		}
	}
}

func TestYAMLKeepsOrderAndDigits(t *testing.T) {
	t.Parallel()
	s, out := newScreen(YAML)
	if err := s.ShowEach(json.RawMessage(`{"z":12345678901234567890.10,"a":"x"}`), nil); err != nil {
		t.Fatal(err)
	}
	if want := "---\nz: 12345678901234567890.10\na: x\n"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	s, out := newScreen(JSON)
	v := map[string]any{"a": "<&>"}
	if err := s.ShowEach(v, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Show(v, nil); err != nil {
		t.Fatal(err)
	}
	if want := "{\"a\":\"<&>\"}\n{\n  \"a\": \"<&>\"\n}\n"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	s, out := newScreen(Table)
	rows := [][]Cell{Row("a", "längst", ""), {Red.Text("b\x1b[2J"), Text("x\ny"), Text("last")}}
	s.Table([]string{"ONE", "TWO", "THREE"}, rows)
	want := "ONE       TWO     THREE\na         längst\nb\\x1b[2J  x\\ny    last\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	out.Reset()
	s.Color = true
	s.Columns([][]Cell{{Red.Text("a"), Text("b")}, {Text("long"), Green.Text("")}})
	if want := "\x1b[31ma\x1b[0m     b\nlong\n"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"plain ü 漢 …":     {"plain ü 漢 …", "plain ü 漢 …"},
		"a\tb\nc\r":       {`a\tb\nc\r`, "a\tb\nc\\r"},
		"\x1b]0;x\a":      {`\x1b]0;x\a`, `\x1b]0;x\a`},
		"\u009b2J":        {`\u009b2J`, `\u009b2J`},
		"\u202egnp":       {`\u202egnp`, `\u202egnp`},
		"cut \xff\xfe":    {`cut \ufffd\ufffd`, `cut \ufffd\ufffd`},
		"\u200bhidden":    {`\u200bhidden`, `\u200bhidden`},
		"back\\slash\x00": {`back\slash\x00`, `back\slash\x00`},
	} {
		if got := [2]string{Line(in), Block(in)}; got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestAges(t *testing.T) {
	t.Parallel()
	s, _ := newScreen(Table)
	for d, want := range map[time.Duration]string{
		-time.Hour: "0ms", 0: "0ms", 999 * time.Millisecond: "999ms", time.Second: "1s", 119 * time.Second: "119s",
		2 * time.Minute: "2m", 119 * time.Minute: "119m", 2 * time.Hour: "2h", 47 * time.Hour: "47h", 48 * time.Hour: "2d",
	} {
		if got := s.Age(noon.Add(-d)); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
	if got := s.Age(time.Time{}) + s.Until(time.Time{}) + s.Until(noon) + s.Until(noon.Add(90*time.Second)); got != "--nowin 90s" {
		t.Errorf("got %s", got)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 3 << 29: "1.5 GiB", 1 << 60: "1048576.0 TiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
