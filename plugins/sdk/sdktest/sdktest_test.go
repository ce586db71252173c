//go:build unix

package sdktest

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

// build compiles the engine under testdata.
func build(t *testing.T) Options {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "engine")
	if out, err := exec.Command("go", "build", "-o", binary, "./testdata/engine").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return Options{
		Command:   []string{binary},
		Config:    json.RawMessage(`{"greeting": "hello"}`),
		BadConfig: json.RawMessage(`{"greting": "hello"}`),
		Workflow:  "quick", Slow: "slow", Asks: "ask",
		Input: json.RawMessage(`{"n": 1}`),
	}
}

func TestSDKKeepsThePromises(t *testing.T) {
	Run(t, build(t))
}

// The suite is worth as much as what it finds.
func TestDefectsAreFound(t *testing.T) {
	o := build(t)
	tests := []struct{ defect, trial string }{
		{"credulous", "configure-bad"},
		{"twice", "describe"},
		{"bad-log", "logs"},
		{"dies", "run"},
		{"dies", "concurrent"},
		{"refuses", "run"},
		{"hasty", "cancel"},
		{"hasty", "deadline"},
		{"deaf", "cancel"},
		{"leaky", "crash"},
	}
	for _, tt := range tests {
		t.Run(tt.defect+"/"+tt.trial, func(t *testing.T) {
			t.Parallel()
			o := o
			o.Env = []string{"DEFECT=" + tt.defect}
			v := find(t, tt.trial).try(t.Context(), o)
			if v.Err == nil {
				t.Error("not found")
			}
			t.Log(v.Err)
		})
	}
}

func find(t *testing.T, name string) trial {
	t.Helper()
	for _, trial := range trials() {
		if trial.name == name {
			return trial
		}
	}
	t.Fatalf("no trial %q", name)
	return trial{}
}

func TestUntried(t *testing.T) {
	v := find(t, "cancel").try(t.Context(), Options{Command: []string{"/nonexistent"}})
	if v.Untried != "no Options.Slow" || v.Err != nil {
		t.Errorf("got %+v", v)
	}
}

func TestNoSuchProgram(t *testing.T) {
	for _, v := range Check(t.Context(), Options{Command: []string{"/nonexistent/engine"}, Workflow: "w"}) {
		if v.Untried == "" && v.Err == nil {
			t.Errorf("%s: kept by a program that isn't there", v.Name)
		}
	}
}
