//go:build linux && amd64

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// planted are bugs that somebody might make, each a patch in testdata, with the
// trial that must find it and what that must say.
func planted() map[string]struct{ trial, complaint string } {
	return map[string]struct{ trial, complaint string }{
		"fsync-removed":        {"T2", `\d+ of \d+ acknowledged events are lost`},
		"value-not-synced":     {"T2", `damaged on disk|\d+ of \d+ acknowledged events are lost`},
		"dedupe-off":           {"T22", `new to [23] of those who sent it at once`},
		"lease-ignored":        {"T1", `two claims of one delivery`},
		"answer-before-commit": {"T27", `route any: acknowledged \d+, runs \d+, lost [1-9]`},
		"lost-wakeup":          {"T1", `deliveries have not ended after|out of order`},
	}
}

// Torture finds bugs: a gateway that has one fails the trial that is about it,
// for that reason.
func TestPlantedBugs(t *testing.T) {
	torture := filepath.Join(t.TempDir(), "torture")
	if out, err := exec.Command("go", "build", "-o", torture, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, bug := range planted() {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(torture, "-profile", "tiny", "-only", bug.trial, "-overlay", plant(t, name))
			cmd.Dir = root(t)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("%s did not find it:\n%s", bug.trial, out)
			}
			if !regexp.MustCompile(`PROBLEM: .*` + bug.complaint).Match(out) {
				t.Errorf("%s failed without saying %q:\n%s", bug.trial, bug.complaint, out)
			}
		})
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// plant applies a patch to copies of what it changes and makes the overlay for
// go build that puts them in the place of the originals.
func plant(t *testing.T, name string) (overlay string) {
	t.Helper()
	dir := t.TempDir()
	patch, err := os.ReadFile(filepath.Join("testdata", "planted", name+".patch"))
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for _, line := range strings.Split(string(patch), "\n") {
		path, ok := strings.CutPrefix(line, "+++ b/")
		if !ok {
			continue
		}
		original := filepath.Join(root(t), path)
		replace[original] = filepath.Join(dir, path)
		text, err := os.ReadFile(original)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(replace[original]), 0o700)
		}
		if err == nil {
			err = os.WriteFile(replace[original], text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	apply := exec.Command("git", "apply", "-")
	apply.Dir, apply.Stdin = dir, bytes.NewReader(patch)
	apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%s.patch does not apply any more; make it anew: %v\n%s", name, err, out)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}
