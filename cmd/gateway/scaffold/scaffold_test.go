package scaffold

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the examples anew, and the Python module as it is now")

const root = "../../.."

// examples/engine-* are what is made, so that there is one text to keep.
func TestExamplesAreWhatIsMade(t *testing.T) {
	for _, language := range Languages() {
		t.Run(language, func(t *testing.T) {
			dir := filepath.Join(root, "examples", "engine-"+language)
			p := Project{Name: "engine-" + language, Language: language, Version: "v0.0.0", SDK: "../.."}
			if *update {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				if _, err := p.Write(dir); err != nil {
					t.Fatal(err)
				}
			}
			want, err := p.Files()
			if err != nil {
				t.Fatal(err)
			}
			same(t, dir, want)
		})
	}
}

// same compares the files that git has, or would take.
func same(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	git := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	git.Dir = dir
	out, err := git.Output()
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Fields(string(out))
	slices.Sort(have)
	if names := slices.Sorted(maps.Keys(want)); !slices.Equal(have, slices.Compact(names)) {
		t.Errorf("files %q, want %q", have, names)
	}
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s is not what is made (%v): change the template, then -update", name, err)
		}
	}
}

// There is one implementation of the contract in Python: where an engine of
// ours has it too, it is the same.
func TestOnePython(t *testing.T) {
	const here = "templates/python/gateway_engine"
	sources, err := filepath.Glob(root + "/plugins/*/gateway_engine/*.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(here, filepath.Base(source))
		if *update {
			if err := os.WriteFile(to, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s is not %s (%v): -update takes it", to, source, err)
		}
	}
	if list, err := filepath.Glob(here + "/*.py"); err != nil || len(list) < 5 || len(sources) > 0 && len(list) != len(sources) {
		t.Errorf("%d files here, %d there, %v", len(list), len(sources), err)
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"greeter": true, "a1": true, "my-engine": true,
		"": false, "a": false, "Greeter": false, "1a": false, "-a": false, "a-": false, "a/b": false, "../a": false, "a.b": false,
		"a b": false, "a_b": false, strings.Repeat("a", 51): false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNothingIsWrittenOver(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Project{Name: "greeter", Language: "node"}.Write(dir)
	if err == nil || !strings.Contains(err.Error(), "gateway.yaml is there already: nothing was written") {
		t.Errorf("got %v", err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files", len(list))
	}
}

func TestWhereTheSDKIs(t *testing.T) {
	clone, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	inside, outside := filepath.Join(clone, "cmd", "gateway"), t.TempDir()
	tests := []struct {
		name, version, asked string
		places               []string
		sdk, require, err    string
	}{
		{name: "a release", version: "v1.2.3", places: []string{inside}, require: "v1.2.3"},
		{name: "a release, and a clone that is asked for", version: "v1.2.3", asked: clone, sdk: clone, require: "v0.0.0"},
		{name: "built from source", version: "v1.2.3-4-gabc", places: []string{outside, inside}, sdk: clone, require: "v0.0.0"},
		{name: "built from source, far away", version: "devel", places: []string{outside}, err: "--sdk"},
		{name: "no clone", version: "devel", asked: outside, err: "not a clone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Project{Name: "greeter", Language: "go"}
			err := p.FindSDK(tt.version, tt.asked, tt.places...)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			files, ferr := p.Files()
			if err != nil || ferr != nil || p.SDK != tt.sdk {
				t.Fatalf("got %q, %v, %v", p.SDK, err, ferr)
			}
			mod := string(files["go.mod"])
			if !strings.Contains(mod, "gateway "+tt.require+"\n") || strings.Contains(mod, "replace") != (tt.sdk != "") {
				t.Errorf("go.mod:\n%s", mod)
			}
		})
	}
}
