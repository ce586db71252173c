//go:build unix

package sdktest

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Trials mostly wait: more of them at once than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// build compiles an engine under testdata.
func build(t *testing.T, name string) Options {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-o", binary, "./testdata/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return Options{
		Command:   []string{binary},
		BaseDir:   dir,
		Config:    json.RawMessage(`{"greeting": "hello"}`),
		BadConfig: json.RawMessage(`{"greting": "hello"}`),
		Workflow:  "quick", Slow: "slow", Asks: "ask",
		Input: json.RawMessage(`{"n": 1}`),
	}
}

func TestSDKKeepsThePromises(t *testing.T) { keepsAll(t, build(t, "engine")) }

// An engine that is written from the text of the contract alone does too.
func TestTextIsEnough(t *testing.T) { keepsAll(t, build(t, "bare")) }

func keepsAll(t *testing.T, o Options) {
	t.Parallel()
	tried := 0
	for v := range Check(t.Context(), o) {
		tried++
		if v.Err != nil || v.Untried != "" {
			t.Errorf("%s: %v %s\n%s", v.Name, v.Err, v.Untried, v.Said)
		}
	}
	if tried != len(trials()) {
		t.Errorf("%d of %d promises were tried", tried, len(trials()))
	}
}

// defects are what can be wrong with the engine under testdata/bare: the
// promises that each breaks, and others that can't be kept either.
var defects = []struct {
	name         string
	breaks, also []string
}{
	{"unhealthy", []string{"handshake", "plain", "version"}, nil},
	{"credulous-tls", []string{"stranger"}, nil},
	{"newest", []string{"version"}, nil},
	{"tls-only", []string{"plain", "stdout", "parent-death"}, nil},
	{"starts-by-hand", []string{"by-hand"}, nil},
	{"silent-by-hand", []string{"by-hand"}, nil},
	{"nameless", []string{"describe"}, nil},
	{"listed-twice", []string{"describe"}, nil},
	{"picky", []string{"configure"}, allBut("by-hand", "configure-bad")},
	{"talks-first", []string{"handshake", "stdout"}, allBut("by-hand")},
	{"credulous", []string{"configure-bad"}, nil},
	{"wordless", []string{"configure-bad"}, nil},
	{"takes-any-route", []string{"check"}, nil},
	{"takes-no-route", []string{"check"}, nil},
	{"bad-log", []string{"logs"}, nil},
	{"torn-log", []string{"logs"}, nil},
	{"long-log", []string{"logs"}, nil},
	{"long-line", []string{"stdout"}, nil},
	{"no-shutdown", []string{"shutdown", "shutdown-busy"}, nil},
	{"busy-shutdown", []string{"shutdown-busy"}, nil},
	{"interruptible", []string{"interrupt"}, nil},
	{"orphan", []string{"parent-death"}, nil},
	{"orphans", []string{"parent-death"}, nil},
	{"dies", []string{"run"}, runs},
	{"refuses", []string{"run"}, runs},
	{"no-json", []string{"run"}, runs},
	{"other-key", []string{"run", "concurrent"}, runs},
	{"ends-twice", []string{"run", "concurrent"}, runs},
	{"strict", []string{"run-unknown"}, nil},
	{"first-only", []string{"batch"}, nil},
	{"small-crowd", []string{"concurrent"}, []string{"logs", "stdout"}},
	{"fragile", []string{"strays"}, nil},
	{"small", []string{"large"}, nil},
	{"once", []string{"same-key", "restart"}, []string{"two-streams"}},
	{"locked", []string{"restart"}, []string{"same-key", "two-streams"}}, // a run may just be ending
	{"one-stream", []string{"two-streams", "get-attach"}, nil},
	{"deaf", []string{"cancel", "get-attach"}, nil},
	{"timeless", []string{"deadline"}, nil},
	{"hasty", []string{"cancel", "deadline"}, nil},
	{"pleased", []string{"cancel", "deadline"}, nil},
	{"knows-all", []string{"get-unknown"}, nil},
	{"hopeful", []string{"get-running", "get-attach"}, nil},
	{"never-done", []string{"get-ended"}, nil},
	{"forgets-runs", []string{"get-attach"}, nil},
	{"impatient", []string{"answer"}, []string{"answer-late"}},
	{"unanswerable", []string{"answer"}, []string{"answer-late"}},
	{"forgetful", []string{"answer-late"}, nil},
	{"leaky", []string{"crash"}, []string{"get-running", "restart", "shutdown-busy"}},
}

// runs are the promises that no engine keeps whose runs don't succeed.
var runs = []string{"batch", "concurrent", "get-ended", "handshake", "interrupt", "large", "logs", "plain", "restart", "run",
	"run-unknown", "same-key", "stdout", "strays", "two-streams", "version"}

func allBut(names ...string) (rest []string) {
	for _, t := range trials() {
		if !slices.Contains(names, t.name) {
			rest = append(rest, t.name)
		}
	}
	return rest
}

// The suite is worth as much as what it finds: an engine with one defect
// breaks the promises that are about it. With all defects but those, it keeps
// them: none is found where it isn't.
func TestDefectsAreFound(t *testing.T) {
	o := build(t, "bare")
	o.MaxMessage = 8 << 20
	found := map[string]bool{}
	for _, d := range defects {
		for _, name := range d.breaks {
			found[name] = true
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				v := find(t, name).try(t.Context(), defective(o, d.name))
				if v.Err == nil {
					t.Error("not found", v.Untried)
				}
				t.Log(v.Err)
			})
		}
	}
	for _, trial := range trials() {
		if trial.advice == "" {
			t.Errorf("%s: no advice", trial.name)
		}
		if !found[trial.name] {
			t.Errorf("%s: no defect breaks it", trial.name)
		}
		var others []string
		for _, d := range defects {
			if !slices.Contains(append(d.breaks, d.also...), trial.name) {
				others = append(others, d.name)
			}
		}
		t.Run("others/"+trial.name, func(t *testing.T) {
			t.Parallel()
			if v := trial.try(t.Context(), defective(o, others...)); v.Err != nil {
				t.Errorf("%v\nwith %s\n%s", v.Err, others, v.Said)
			}
		})
	}
}

func defective(o Options, defects ...string) Options {
	o.Env = []string{"TMPDIR=" + o.BaseDir, "DEFECTS=" + strings.Join(defects, ",")}
	return o
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
	for v := range Check(t.Context(), Options{Command: []string{"/nonexistent/engine"}, Workflow: "w"}) {
		if v.Untried == "" && v.Err == nil {
			t.Errorf("%s: kept by a program that isn't there", v.Name)
		}
	}
}

// Without a workflow the engine is asked for one.
func TestWorkflowIsFound(t *testing.T) {
	o := build(t, "engine")
	o.Workflow, o.Slow, o.Asks = "", "slow", "ask"
	if got := complete(t.Context(), o); got.Workflow != "quick" || got.MaxMessage == 0 {
		t.Errorf("got %+v", got)
	}
}
