// Package editor holds what an editor says about a configuration against what
// `gateway validate` says. The editor is the YAML language server that VS Code,
// Neovim, Helix and others run; it reads gateway.schema.json.
package editor

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	top = "../.."
	bad = top + "/gateway/config/testdata/bad"
)

// TestEditorAgrees: over the broken files of the validator, the editor finds what
// can be found in a file alone, at the same lines, and nothing else; over sound
// ones it finds nothing.
func TestEditorAgrees(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	texts, broken := map[string]string{}, map[string]string{}
	for _, pattern := range []string{"gateway.yaml", "examples/*/gateway.yaml", "gateway/config/testdata/good/*.yaml", "gateway/config/testdata/bad/*.yaml"} {
		for _, file := range glob(t, filepath.Join(root, pattern)) {
			uri := "file://" + file
			// Those that name a schema lie elsewhere.
			texts[uri] = strings.ReplaceAll(read(t, file), "yaml-language-server:", "")
			if strings.Contains(file, "/bad/") {
				broken[strings.TrimSuffix(filepath.Base(file), ".yaml")] = uri
			}
		}
	}
	found := start(t, root).open(t, texts)
	for uri, ds := range found {
		if !strings.Contains(uri, "/bad/") && len(ds) > 0 {
			t.Errorf("%s is sound, and the editor says %v", uri, ds)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		compare(t, name, found[broken[name]])
	}
}

// compare holds the lines of the editor against those of the validator.
func compare(t *testing.T, name string, ds []diagnostic) {
	t.Helper()
	wanted, got := lines(read(t, filepath.Join(bad, name+".golden"))), map[int]string{}
	for _, d := range ds {
		got[d.Range.Start.Line+1] = d.Message
	}
	alone, missed := without(got, wanted), without(wanted, got)
	switch {
	case elsewhere(name) != "":
		if len(alone) == 0 || len(got) == 0 {
			t.Errorf("%s: not elsewhere: take it off the list", name)
		}
		return
	case len(alone) > 0:
		t.Errorf("%s: the editor alone says %v", name, alone)
	}
	switch {
	case len(missed) > 0 && beyond(name) == "":
		t.Errorf("%s: the editor does not say %v", name, missed)
	case len(missed) == 0 && beyond(name) != "":
		t.Errorf("%s: the editor finds all of it: take it off the list", name)
	}
}

// without are the lines of some problems at which there are no others.
func without(these, others map[int]string) map[int]string {
	left := map[int]string{}
	for line, message := range these {
		if others[line] == "" {
			left[line] = message
		}
	}
	return left
}

// lines are those with problems, from a golden file.
func lines(golden string) map[int]string {
	all := map[int]string{}
	for _, m := range regexp.MustCompile(`(?m)^[\w-]+\.yaml:(\d+):\d+: (.*)$`).FindAllStringSubmatch(golden, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && !strings.HasPrefix(m[2], "warning: ") {
			all[n] = m[2]
		}
	}
	return all
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
