package layout

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestForm: how a configuration is written.
func TestForm(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"levels", "a:\n    b:\n        c: 1\n    d: 2\n", "a:\n  b:\n    c: 1\n  d: 2\n"},
		{"lists are further in", "a:\n- 1\n- b: 2\n  c: 3\nd: 4\n", "a:\n  - 1\n  - b: 2\n    c: 3\nd: 4\n"},
		{"wide items", "a:\n  -   b: 2\n      c: 3\n  -  -  x\n     -  y\n", "a:\n  - b: 2\n    c: 3\n  - - x\n    - y\n"},
		{"an item below its dash", "a:\n  -\n    b: 1\n", "a:\n  -\n    b: 1\n"},
		{"colons", "a :   1\n\"b\" :  2\n'c d':   {x : y}\n", "a: 1\n\"b\": 2\n'c d': {x: y}\n"},
		{"brackets", "a: [ 1,2 ,3 ]   # of them\nb: { c : 1,d: [ ] }\n", "a: [1, 2, 3]   # of them\nb: {c: 1, d: []}\n"},
		{"quotes in brackets", `a: {"b":1, 'c' : "x , ]", d: it's}` + "\n", `a: {"b": 1, 'c': "x , ]", d: it's}` + "\n"},
		{"brackets over lines", "a: [\n1,  # one\n\n\n      {b: 2,\n c: 3}\n    ]\nd: 4\n", "a: [\n  1,  # one\n\n  {b: 2,\n    c: 3}\n]\nd: 4\n"},
		{"blank lines", "\n\na: 1\n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n"},
		{"spaces and ends", "a: 1   \r\nb:\t\r\n  c: 2", "a: 1\nb:\n  c: 2\n"},
		{"a byte order mark", "\xef\xbb\xbfa: 1\n", "a: 1\n"},
		{"comments", "# top\na:   # of a\n    # of b\n    b: 1  # here\n    # c: 2\n      # further in\n# of d\nd:\n    # nothing here\n",
			"# top\na:   # of a\n  # of b\n  b: 1  # here\n  # c: 2\n    # further in\n# of d\nd:\n  # nothing here\n"},
		{"comments of a list", "a:\n# one\n- 1\n# two\n- 2\nb: 1\n", "a:\n  # one\n  - 1\n  # two\n  - 2\nb: 1\n"},
		{"a block", "a:\n    b: |\n          one\n            two\n\n\n          three  \n    c: >-  # folded\n        x\n        # y\n    # z\n    d: 1\n",
			"a:\n  b: |\n    one\n      two\n\n\n    three  \n  c: >-  # folded\n    x\n    # y\n  # z\n  d: 1\n"},
		{"a block that says how far it is in", "a:\n    b: |2\n         one\n       two\n", "a:\n  b: |2\n       one\n     two\n"},
		{"a block that keeps its end", "a:\n    b: |+\n        one\n\n\n    c: 1\n", "a:\n  b: |+\n    one\n\n\n  c: 1\n"},
		{"blocks in a list", "a:\n- |\n  one\n- b: >\n        two\n", "a:\n  - |\n    one\n  - b: >\n      two\n"},
		{"plain text over lines", "a:\n    when: one\n       two\n\n\n       three\n    b:\n          four\n", "a:\n  when: one\n    two\n\n\n    three\n  b:\n    four\n"},
		{"quoted text over lines", "a:\n    b: \"one\n\n       two\\\n       three\" # end\n    c: 'it''s\n          here'\n", "a:\n  b: \"one\n\n    two\\\n    three\" # end\n  c: 'it''s\n    here'\n"},
		{"anchors and tags", "a: &x   {b: 1}\nc:\n    <<: *x\n    d: !!str   1\n    e: &y\n        f: 1\n", "a: &x {b: 1}\nc:\n  <<: *x\n  d: !!str 1\n  e: &y\n    f: 1\n"},
		{"what begins a document", "%YAML 1.1\n---\na:\n   b: 1\n", "%YAML 1.1\n---\na:\n  b: 1\n"},
		{"expressions", "with:\n     a: ${{ event.data.x }}   # x\n     b: \"${{ {'a': 1 } }}\"\n", "with:\n  a: ${{ event.data.x }}   # x\n  b: \"${{ {'a': 1 } }}\"\n"},
		{"keys that look like more", "match: {data.ref: [ main ]}\n\"a: b\":\n   'c #d': http://x:80\n", "match: {data.ref: [main]}\n\"a: b\":\n  'c #d': http://x:80\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Format("gateway.yaml", []byte(tt.text))
			if err != nil || string(got) != tt.want {
				t.Fatalf("%v\n--- got\n%s--- want\n%s", err, got, tt.want)
			}
			if again, err := Format("gateway.yaml", got); err != nil || string(again) != string(got) {
				t.Errorf("again: %v\n%s", err, again)
			}
		})
	}
}

// TestRefuses: what cannot be kept is left alone, and what is no YAML is told.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":        {"a: [\n", "not closed"},
		"an escaped end": {"a: \"b \\ \n  c\"\n", "left as it is"},
	} {
		if got, err := Format("gateway.yaml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// corpus are all configurations of the project: those that run, those of the
// manual, and the broken ones.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	const top = "../../.."
	all := map[string]string{}
	for _, pattern := range []string{"gateway.yaml", "examples/*/gateway.yaml", "gateway/config/testdata/*/*.yaml", "docs/*.md", "docs/*/*.md", "docs/*/*/gateway.yaml", "README.md"} {
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, ".md") {
				all[file] = string(text)
				continue
			}
			for i, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
				if !strings.HasPrefix(m[1], " ") { // a part, as deep as it is in the whole
					all[file+string(rune('a'+i))] = m[1]
				}
			}
		}
	}
	return all
}

// TestCorpus: every configuration can be formed, says the same after it, and
// stays as it is the second time; those that people are shown stay the first
// time.
func TestCorpus(t *testing.T) {
	t.Parallel()
	formed, shown := 0, 0
	for name, text := range corpus(t) {
		got, err := Format(name, []byte(text))
		if err != nil {
			if strings.Contains(err.Error(), errUnlike.Error()) && !strings.Contains(name, "testdata/bad") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		formed++
		if again, err := Format(name, got); err != nil || string(again) != string(got) {
			t.Errorf("%s again: %v\n%s", name, err, again)
		}
		if !strings.Contains(name, "testdata") {
			shown++
			if string(got) != text {
				t.Errorf("%s is not in its form:\n%s", name, got)
			}
		}
	}
	if formed < 100 || shown < 15 {
		t.Errorf("only %d were formed, %d of those that are shown", formed, shown)
	}
}

// FuzzFormat: whatever is made says the same, and is made of itself.
func FuzzFormat(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Format("gateway.yaml", []byte(text))
		if err != nil {
			return
		}
		again, err := Format("gateway.yaml", got)
		if err != nil || string(again) != string(got) {
			t.Errorf("again: %v\n--- first\n%q\n--- then\n%q", err, got, again)
		}
	})
}
