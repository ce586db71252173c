package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// folder is a folder with files of its own.
type folder struct {
	t   *testing.T
	dir string
}

// unpack lays out an archive.
func unpack(t *testing.T, archive string) folder {
	t.Helper()
	f := folder{t, t.TempDir()}
	for _, file := range txtar.Parse([]byte(archive)).Files {
		f.write(file.Name, string(file.Data))
	}
	return f
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) write(name, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) load() (*Document, Problems) { return Load(f.path("gateway.yaml"), testOptions()) }

// said is what is said, without the folder's name.
func (f folder) said(problems Problems) string {
	return strings.ReplaceAll(problems.Text(), f.dir+string(filepath.Separator), "")
}

const split = `
-- gateway.yaml --
version: 1
include: [engines.yaml, "routes.d/*.yaml"]
defaults: {engine: exec, retry: {attempts: 3}}
webhooks: {in: {scheme: github, secrets: ["${env:SECRET}"]}}
routes:
  own: {events: [a], run: w}
-- engines.yaml --
version: 1
engines:
  exec: {plugin: ./bin/exec, env: {WORD: "${file:word}"}}
-- word --
in a file
-- routes.d/b.yaml --
x-of-mine: &events [b]
routes:
  b: {events: *events, run: exec/w}
-- routes.d/a.yaml --
routes:
  a: {events: [a], run: w, retry: {attempts: 5}}
schedules:
  tick: {every: 5m}
-- routes.d/.hidden.yaml --
routes: {hidden: {events: [a], run: w}}
-- routes.d/notes.txt --
no YAML: [
`

const unsplit = `version: 1
defaults: {engine: exec, retry: {attempts: 3}}
webhooks: {in: {scheme: github, secrets: ["${env:SECRET}"]}}
engines:
  exec: {plugin: ./bin/exec, env: {WORD: "${file:word}"}}
routes:
  own: {events: [a], run: w}
  a: {events: [a], run: w, retry: {attempts: 5}}
  b: {events: [b], run: exec/w}
schedules:
  tick: {every: 5m}
`

// What is included is what it would be in the file: paths and references start
// from there, and defaults hold.
func TestInclude(t *testing.T) {
	t.Parallel()
	f := unpack(t, split)
	doc, problems := f.load()
	if len(problems) > 0 {
		t.Fatal(problems.Text())
	}
	one, problems := Parse(f.path("gateway.yaml"), []byte(unsplit), testOptions())
	if len(problems) > 0 {
		t.Fatal(problems.Text())
	}
	same(t, one, doc)
	for entry, want := range map[string]string{
		"routes.a.events[0]": "routes.d/a.yaml:2:16", "routes.b.run": "routes.d/b.yaml:3:29", "routes.own.run": "gateway.yaml:6:27",
		"engines.exec.plugin": "engines.yaml:3:18", "engines.gone": "gateway.yaml:1:1",
	} {
		p := doc.Problem(entry, "m", "")
		if got := strings.TrimPrefix(fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col), f.dir+"/"); got != want {
			t.Errorf("%s is at %s, want %s", entry, got, want)
		}
	}
	if doc.Made("routes.a") {
		t.Error("what is included passes for what was made while the gateway ran")
	}
	if p := doc.ProblemIn("schedules.tick.every", 1, 2, "m", ""); !strings.HasSuffix(p.File, "routes.d/a.yaml") || p.Line != 4 || p.Col != 18 {
		t.Errorf("inside of a text: %s", p)
	}
	own := []string{f.path("gateway.yaml"), f.path("engines.yaml"), "list:" + f.path("routes.d/*.yaml"), f.path("routes.d/a.yaml"), f.path("routes.d/b.yaml")}
	if !slices.Equal(doc.Own, own) || !slices.Equal(doc.Referred, []string{f.path("word")}) {
		t.Errorf("own files %q, referred %q", doc.Own, doc.Referred)
	}
}

// same tells whether two documents configure the same.
func same(t *testing.T, want, got *Document) {
	t.Helper()
	a, b := *want.Config, *got.Config
	a.Include, b.Include = nil, nil
	a.Engines, a.Webhooks, a.Schedules, a.Routes = filled(a.Engines), filled(a.Webhooks), filled(a.Schedules), filled(a.Routes)
	b.Engines, b.Webhooks, b.Schedules, b.Routes = filled(b.Engines), filled(b.Webhooks), filled(b.Schedules), filled(b.Routes)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("in one file:\n%+v\nin several:\n%+v", a, b)
	}
	plain, _ := want.Values()
	other, _ := got.Values()
	for section, entries := range plain {
		if entries, ok := entries.(map[string]any); !reflect.DeepEqual(entries, other[section]) && (!ok || len(entries) > 0) {
			t.Errorf("%s in one file:\n%v\nin several:\n%v", section, entries, other[section])
		}
	}
}

func filled[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// TestIncludeProblems: testdata/include has an archive for each thing that can
// be wrong, which ends with what is said about it.
func TestIncludeProblems(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "testdata/include/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f := unpack(t, string(txtar.Format(archive)))
			_, problems := f.load()
			golden(t, strings.TrimSuffix(file, ".txtar")+".golden", f.said(problems))
		})
	}
}

// The bounds of what can be included.
func TestIncludeBounds(t *testing.T) {
	t.Parallel()
	f := unpack(t, "-- gateway.yaml --\nversion: 1\ninclude: ['r/*.yaml']\n")
	for i := range maxIncluded + 1 {
		f.write(fmt.Sprintf("r/%03d.yaml", i), "x-nothing: 1\n")
	}
	if _, problems := f.load(); len(problems) != 1 || !strings.Contains(problems.Error(), "gateway.yaml:2:11: include[0]: there are too many files: at most 500, of 16 MiB in all") {
		t.Errorf("%d files: %s", maxIncluded+1, problems)
	}
	if err := os.Remove(f.path("r/000.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, problems := f.load(); len(problems) > 0 {
		t.Errorf("%d files: %s", maxIncluded, problems)
	}
	for i := range 5 {
		f.write(fmt.Sprintf("r/%03d.yaml", i+1), "\xff"+strings.Repeat("x", 4<<20-1)) // no text, which is soon known
	}
	if _, problems := f.load(); !strings.Contains(problems.Error(), "there are too many files") {
		t.Errorf("20 MiB: %s", problems)
	}
}

// The revision and the fingerprint are of all files.
func TestIncludeRevision(t *testing.T) {
	t.Parallel()
	f := unpack(t, split)
	before, _ := f.load()
	for _, step := range []struct {
		what   string
		change func()
	}{
		{"another text", func() { f.write("routes.d/a.yaml", "routes: {a: {events: [z], run: w}}\n") }},
		{"one more file", func() { f.write("routes.d/c.yaml", "x-nothing: 1\n") }},
		{"one file less", func() { _ = os.Remove(f.path("routes.d/c.yaml")) }},
		{"another name", func() { _ = os.Rename(f.path("routes.d/b.yaml"), f.path("routes.d/d.yaml")) }},
		{"another engine", func() { f.write("engines.yaml", "engines: {exec: {plugin: ./other}}\n") }},
	} {
		last, _ := f.load()
		step.change()
		now, problems := f.load()
		if len(problems) > 0 || now.Revision == last.Revision || now.Fingerprint == last.Fingerprint || now.FingerprintOf(now.Own) == last.FingerprintOf(last.Own) {
			t.Errorf("%s: revision %.8s, then %.8s: %s", step.what, last.Revision, now.Revision, problems)
		}
	}
	again, problems := before.Again(testOptions())
	if len(problems) > 0 || again.Revision != before.Revision {
		t.Errorf("read again, from what was kept: %s", problems)
	}
	same(t, before, again)
	laid, problems := before.Overlaid([]Entry{made("routes.b", "routes: {b: {events: [a], run: w}}")})
	if laid.Made("routes.b") || !strings.Contains(problems.Error(), "the file has an entry of this name, at "+f.path("routes.d/b.yaml")+":3, and counts") {
		t.Errorf("what is included does not count: %s", problems)
	}
}

// What may be secret is kept in no text and no value, by whatever key.
func TestTextsHideSecrets(t *testing.T) {
	t.Parallel()
	const literal = "hunter2-hunter2-hunter2"
	f := unpack(t, strings.ReplaceAll(`
-- gateway.yaml --
version: 1
include: [a.yaml]
server: {tokens: {ci: {role: send, token: LITERAL}}}
-- a.yaml --
engines:
  e:
    plugin: ./e
    env: {ANY: LITERAL}
    config:
      headers: {Authorization: Bearer LITERAL, X-Api-Key: LITERAL, Cookie: LITERAL}
      db: {password: LITERAL, passphrase: LITERAL, credentials: [LITERAL, {a: LITERAL}]}
      private-key: |
        LITERAL
        LITERAL
webhooks:
  w: {scheme: github, secrets: [{value: LITERAL, until: 2030-01-01T00:00:00Z}, "${env:NOT_SET:-LITERAL}"]}
`, "LITERAL", literal))
	doc, problems := f.load()
	if problems.Failed() {
		t.Fatal(problems.Text())
	}
	texts, _ := doc.Texts()
	_, shown := doc.Values()
	if all := fmt.Sprint(texts, shown); strings.Contains(all, "hunter2") || !strings.Contains(all, "[redacted]") || !texts[0].Starred || !texts[1].Starred {
		t.Errorf("kept: %s", all)
	}
}
