package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/api/revisions"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
)

// folder is a folder with a configuration in several files.
type folder struct {
	t   *testing.T
	dir string
}

const (
	first = `version: 1
include: [routes.d/*.yaml]
store: {path: ./kept}
engines: {e: {plugin: ./e}}
webhooks: {in: {scheme: github, secrets: ["${env:SECRET}"]}}
`
	second = "routes:\n  a: {events: [x], run: e/w}\n"
)

func newFolder(t *testing.T) folder {
	t.Helper()
	f := folder{t, t.TempDir()}
	f.write("gateway.yaml", first)
	f.write("routes.d/a.yaml", second)
	return f
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) write(name, text string) {
	f.t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(f.path(name)), 0o755), os.WriteFile(f.path(name), []byte(text), 0o600))
	if err != nil {
		f.t.Fatal(err)
	}
}

func options(overlay ...config.Entry) config.Options {
	return config.Options{Overlay: overlay, Env: func(string) (string, bool) { return "a-secret-of-the-environment", true }}
}

func (f folder) load(overlay ...config.Entry) *config.Document {
	f.t.Helper()
	doc, problems := config.Load(f.path("gateway.yaml"), options(overlay...))
	if problems.Failed() {
		f.t.Fatal(problems.Text())
	}
	return doc
}

// open opens the store of the configuration.
func (f folder) open() (h History, shut func()) {
	f.t.Helper()
	s, err := sqlite.Open(sqlite.Options{Dir: f.path("kept")})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return History{Store: s}, func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			f.t.Error(err)
		}
	}
}

func (f folder) add(h History, before, now *config.Document, reason string) {
	f.t.Helper()
	if err := h.Add(context.Background(), Step{Before: before, Now: now, Revision: now.Revision[:12], Names: []string{"routes: ~a", "engines: +e"}, Reason: reason, By: "ops"}); err != nil {
		f.t.Fatal(err)
	}
}

func told(c revisions.Changes) (list []string) {
	for _, change := range c.Changes {
		list = append(list, change.String())
	}
	return list
}

// What comes into force is kept with what changed, shown and compared; at the
// next start it is compared with what was kept.
func TestHistory(t *testing.T) {
	t.Parallel()
	f, ctx := newFolder(t), context.Background()
	h, shut := f.open()
	one := f.load()
	f.add(h, nil, one, "start")
	made := config.Entry{Name: "routes.b", Text: []byte("routes: {b: {events: [x], run: e/w, with: {password: hunter2}}}"), At: time.Now()}
	two := f.load(made)
	f.add(h, one, two, "api")
	shut()
	f.write("routes.d/a.yaml", strings.Replace(second, "[x]", "[y]", 1))
	f.write("routes.d/c.yaml", "routes: {c: {events: [x], run: e/w}}\n")
	h, shut = f.open()
	defer shut()
	three := f.load(made)
	f.add(h, nil, three, "start")

	list, err := h.List(ctx, 0, 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d revisions, %v", len(list), err)
	}
	for i, want := range [][]string{
		{`routes.a.events[0] changed: "x" -> "y"`, `routes.c added: {"events":["x"],"run":"e/w"}`},
		{"routes.b added"},
		{`engines.e added: {"plugin":"./e"}`, `routes.a added: {"events":["x"],"run":"e/w"}`, `store.path added: "./kept"`,
			`webhooks.in added: {"scheme":"github","secrets":["${env:SECRET}"]}`},
	} {
		if diff := cmp.Diff(want, told(list[i].Changes)); diff != "" {
			t.Errorf("revision %d: %s", i, diff)
		}
	}
	if r := list[1]; r.Reason != "api" || r.By != "ops" || !slices.Equal(r.Differences, []string{"routes: ~a", "engines: +e"}) || list[0].Differences != nil {
		t.Errorf("in the list: %+v, %+v", r, list[0])
	}
	all, err := h.Show(ctx, "")
	if err != nil || all.Revision.Revision != three.Revision[:12] || len(all.Files) != 3 || all.Files[0].Text != first || len(all.Overlay) != 1 || strings.Contains(fmt.Sprint(all), "hunter2") {
		t.Errorf("in force: %+v %v", all, err)
	}
	between, err := h.Diff(ctx, one.Revision[:6], "")
	if want := []string{`routes.a.events[0] changed: "x" -> "y"`, "routes.b added", `routes.c added: {"events":["x"],"run":"e/w"}`}; err != nil || !slices.Equal(told(between.Changes), want) {
		t.Errorf("between: %v, %v", told(between.Changes), err)
	}
	for _, want := range []string{
		"--- routes.d/a.yaml\n+++ routes.d/a.yaml\n@@ -1,2 +1,2 @@\n routes:\n-  a: {events: [x], run: e/w}\n+  a: {events: [y], run: e/w}\n",
		"--- /dev/null\n+++ routes.d/c.yaml\n", "--- /dev/null\n+++ overlay/routes.b\n",
	} {
		if !strings.Contains(between.Text, want) {
			t.Errorf("no %q in\n%s", want, between.Text)
		}
	}
	if strings.Contains(fmt.Sprint(between), "hunter2") || strings.Contains(between.Text, "gateway.yaml") {
		t.Errorf("between: %s", between.Text)
	}
	if last, err := h.Diff(ctx, "", ""); err != nil || last.From != two.Revision[:12] || last.To != three.Revision[:12] {
		t.Errorf("the last step: %s to %s, %v", last.From, last.To, err)
	}
	for from, to := range map[string]string{"": one.Revision[:12], "f00d": "", "f00e": "f00d"} {
		if _, err := h.Diff(ctx, from, to); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("from %q to %q: %v", from, to, err)
		}
	}
}

// The last revision comes back though its files are broken or gone, wherever a
// store can be found; or it is told why not.
func TestLastGood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broken, folder, want string
	}{
		"a mistake":             {broken: strings.Replace(first, "scheme", "shceme", 1)},
		"a key that is no YAML": {broken: "webhooks: [\n" + first},
		"YAML no more, below":   {broken: first + "}"},
		"elsewhere, said so":    {broken: "", folder: "kept"},
		"empty":                 {broken: "", want: "/data: no revision was kept here"},
		"a broken section":      {broken: "store: {path: [}\nx: }", want: "gateway.yaml: the store is not known"},
		"another store":         {broken: "store: {path: ./other}", want: "/other: no revision was kept here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			h, shut := f.open()
			good := f.load()
			f.add(h, nil, good, "start")
			shut()
			f.write("gateway.yaml", c.broken)
			if err := os.RemoveAll(f.path("routes.d")); err != nil {
				t.Fatal(err)
			}
			folder := c.folder
			if folder != "" {
				folder = f.path(folder)
			}
			doc, problems := LastGood(context.Background(), folder, f.path("gateway.yaml"), options())
			if c.want != "" {
				if !problems.Failed() || !strings.Contains(problems.Error(), c.want) {
					t.Errorf("%v, want %q", problems, c.want)
				}
				return
			}
			if problems.Failed() || doc.Revision != good.Revision {
				t.Fatalf("%v", problems)
			}
			if doc.Config.Engines["e"].Plugin != f.path("e") || doc.Config.Store.Path != f.path("kept") || len(doc.Config.Routes) != 1 {
				t.Errorf("came back as %+v", doc.Config)
			}
			opts := options()
			opts.Env = func(string) (string, bool) { return "", false }
			_, problems = LastGood(context.Background(), f.path("kept"), f.path("gateway.yaml"), opts)
			if !strings.Contains(problems.Error(), "in the last good revision "+good.Revision[:12]+": environment variable SECRET is not set") {
				t.Errorf("without its secret: %v", problems)
			}
		})
	}
}

// A configuration comes back from what was kept of it, with its secrets only
// where they still stand.
func TestRestore(t *testing.T) {
	t.Parallel()
	const literal = "0123456789abcdef-literal"
	f := newFolder(t)
	f.write("routes.d/c.yaml", "webhooks:\r\n  more: {scheme: gitlab, secrets: [\"${env:SECRET}\"]} # ours\r\n")
	doc := f.load()
	kept := KeptOf(doc)
	for _, name := range []string{"gateway.yaml", "routes.d/a.yaml"} {
		f.write(name, "broken: [")
	}
	f.write("routes.d/new.yaml", "routes: {new: {events: [a], run: w}}\n")
	back, problems := kept.Restore(f.path("gateway.yaml"), options())
	if len(problems) > 0 || back.Revision != doc.Revision {
		t.Fatalf("references alone: %s", problems)
	}

	f = newFolder(t)
	f.write("routes.d/c.yaml", "\xef\xbb\xbfwebhooks:\r\n  more: {scheme: gitlab, secrets: ["+literal+"]} # ours\r\n")
	doc = f.load()
	if kept = KeptOf(doc); strings.Contains(fmt.Sprint(kept), literal) || !kept.Files[len(kept.Files)-1].Starred {
		t.Fatalf("kept: %v", kept)
	}
	f.write("routes.d/c.yaml", "\xef\xbb\xbfwebhooks: [\r\n  more: {scheme: gitlab, secrets: ["+literal+"]} # ours\r\n")
	back, problems = kept.Restore(f.path("gateway.yaml"), options())
	if problems.Failed() || back.Revision != doc.Revision {
		t.Errorf("a literal that still stands there: %s", problems)
	}
	f.write("routes.d/c.yaml", strings.ReplaceAll("webhooks:\n  more: {scheme: gitlab, secrets: [X]} # ours\n", "X", strings.ToUpper(literal)))
	for range 2 {
		_, problems = kept.Restore(f.path("gateway.yaml"), options())
		if len(problems) != 1 || !strings.HasPrefix(problems.Error(), "routes.d/c.yaml: has literal values under keys like secret or env") {
			t.Errorf("another literal, or none: %s", problems)
		}
		_ = os.Remove(f.path("routes.d/c.yaml"))
	}
	kept.Files[0].Text += "# more\n"
	kept.Files[len(kept.Files)-1].Starred = false
	if _, problems = kept.Restore(f.path("gateway.yaml"), options()); !strings.Contains(problems.Error(), "is not what it was when it was kept") {
		t.Errorf("another text: %s", problems)
	}
}
