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

func TestSDKKeepsThePromises(t *testing.T) { keepsAll(t, build(t, "engine"), "stream-lost") }

// An engine that is written from the text of the contract alone does too.
func TestTextIsEnough(t *testing.T) { keepsAll(t, build(t, "bare"), "stream-lost") }

// An engine may as well give its runs up with their stream.
func TestEngineThatStopsWithItsStream(t *testing.T) {
	keepsAll(t, defective(build(t, "bare"), "no-get"), "get-attach")
}

// Workflows that are strict about their input are given one each.
func TestInputOfEachWorkflow(t *testing.T) {
	o := defective(build(t, "bare"), "hurried", "unasking")
	o.SlowInput, o.AsksInput = json.RawMessage(`{"how":"slowly"}`), json.RawMessage(`{"ask":"Ada"}`)
	keepsAll(t, o, "stream-lost")
}

// A workflow that isn't what it is named for is told of once, in the words of
// engine-check.yaml, and what needs it is not tried.
func TestMisfitIsToldOnce(t *testing.T) {
	t.Parallel()
	told := map[string]string{
		"slow": `the workflow "slow" (slow: in engine-check.yaml) was given {"n": 1} and ended at once: FAILURE_KIND_PERMANENT: how slow?`,
		"asks": `the workflow "ask" (asks: in engine-check.yaml) was given {"n": 1} and ended at once: FAILURE_KIND_PERMANENT: ask what?`,
	}
	for v := range Check(t.Context(), defective(build(t, "bare"), "hurried", "unasking")) {
		said := ""
		if v.Err != nil {
			said = v.Err.Error()
		}
		if said != told[v.Name] {
			t.Errorf("%s: %s", v.Name, said)
		}
		needs := slices.Contains([]string{"cancel", "moved", "start-again", "answer", "answer-lost"}, v.Name)
		if needs && !strings.Contains(v.Untried, "see the trial `") {
			t.Errorf("%s: tried, or not for this: %q", v.Name, v.Untried)
		}
	}
}

// keepsAll wants that all promises are kept, but for those that don't concern
// an engine with these abilities.
func keepsAll(t *testing.T, o Options, others ...string) {
	t.Helper()
	t.Parallel()
	tried := 0
	for v := range Check(t.Context(), o) {
		tried++
		if v.Err != nil || (v.Untried != "") != slices.Contains(others, v.Name) {
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
	{"unhealthy", []string{"health"}, nil},
	{"not-serving", []string{"health"}, nil},
	{"credulous-tls", []string{"stranger"}, nil},
	{"newest", []string{"version"}, nil},
	{"tls-only", []string{"plain", "stdout", "parent-death"}, nil},
	{"starts-by-hand", []string{"by-hand"}, nil},
	{"silent-by-hand", []string{"by-hand"}, nil},
	{"nameless", []string{"describe"}, nil},
	{"listed-twice", []string{"describe"}, nil},
	{"picky", []string{"configure"}, allBut("by-hand", "handshake", "configure-bad")},
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
	{"one-stream", []string{"two-streams", "get-attach", "moved"}, nil},
	{"boastful", []string{"large-output"}, nil},
	{"hurried", []string{"slow"}, midRun},
	{"twice", []string{"start-again"}, []string{"moved"}},
	{"refuses-again", []string{"start-again", "moved"}, []string{"same-key"}},
	{"stays", []string{"moved"}, nil},
	{"stops-moved", []string{"moved"}, []string{"get-attach"}},
	{"goes-on", []string{"stream-lost"}, []string{"get-attach"}},
	{"goes-on-quietly", []string{"stream-lost"}, []string{"get-attach", "get-running", "get-ended", "get-unknown", "answer-late"}},
	{"unasking", []string{"asks"}, []string{"answer", "answer-late"}},
	{"ignores-lost", []string{"answer-lost"}, nil},
	{"deaf", []string{"cancel", "get-attach", "moved"}, nil},
	{"timeless", []string{"deadline"}, []string{"start-again"}}, // that it runs twice would be silent
	{"hasty", []string{"cancel", "deadline"}, []string{"get-attach", "start-again", "moved"}},
	{"pleased", []string{"cancel", "deadline"}, []string{"get-attach", "start-again", "moved"}},
	{"knows-all", []string{"get-unknown"}, nil},
	{"hopeful", []string{"get-running", "get-attach"}, nil},
	{"never-done", []string{"get-ended"}, nil},
	{"forgets-runs", []string{"get-attach"}, []string{"moved"}},
	{"impatient", []string{"answer"}, []string{"answer-late"}},
	{"unanswerable", []string{"answer"}, []string{"answer-late", "answer-lost"}},
	{"forgetful", []string{"answer-late"}, nil},
	{"leaky", []string{"crash"}, []string{"get-running", "restart", "shutdown-busy", "slow"}},
}

// runs are the promises that no engine keeps whose runs don't succeed.
var runs = []string{"batch", "concurrent", "get-ended", "interrupt", "large", "large-output", "logs", "plain", "restart", "run",
	"run-unknown", "same-key", "stdout", "strays", "two-streams", "version"}

// midRun are the promises that can't be tried without a run that goes on.
var midRun = []string{"cancel", "crash", "deadline", "get-attach", "get-running", "moved", "parent-death", "restart",
	"shutdown-busy", "start-again", "stream-lost"}

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
	o := complete(t.Context(), build(t, "bare"))
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

// The page for authors says where each trial comes from.
func TestTrialsAreOnThePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/engine-authors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range trials() {
		if !strings.Contains(string(page), "`"+trial.name+"`") {
			t.Errorf("%s: not in docs/engine-authors.md", trial.name)
		}
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
