//go:build linux && amd64

// Command torture measures the gateway's promises while it is killed, its disk
// is full or fails, and the power goes. It runs the trials of
// docs/reliability.md against the binary as it ships, prints a table, and fails
// if a promise was broken.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/tracer"
	"github.com/event-gateway/gateway/test/torture/trial"
	"github.com/event-gateway/gateway/test/torture/trials"
)

type options struct {
	profile, only, report, overlay string
	times                          int
	seed                           uint64
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == tracer.Stage {
		fmt.Fprintln(os.Stderr, tracer.Become(os.Args[2:]))
		os.Exit(1)
	}
	if len(os.Args) > 3 && os.Args[1] == trials.Tracer {
		os.Exit(trace(os.Args[2], os.Args[3:]))
	}
	var o options
	flag.StringVar(&o.profile, "profile", "quick", "how often to try: "+strings.Join(profiles(), ", "))
	flag.StringVar(&o.only, "only", "", "trials to run, separated by commas; all without")
	flag.StringVar(&o.report, "report", "", "file for the results as JSON")
	flag.StringVar(&o.overlay, "overlay", "", "file that replaces sources, for go build")
	flag.IntVar(&o.times, "times", 0, "how often to try, whatever the profile says")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64()>>1, "what random numbers begin with")
	flag.Parse()
	ok, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// trace is this program as a tracer.
func trace(file string, command []string) int {
	var plan tracer.Plan
	text, err := os.ReadFile(file)
	if err = errors.Join(err, json.Unmarshal(text, &plan)); err == nil {
		var code int
		if code, err = tracer.Run(plan, os.Args[0], command); err == nil {
			return code
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// run runs the trials; ok tells that no promise was broken.
func run(o options) (ok bool, err error) {
	chosen, err := choose(o)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "torture-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	binaries, err := build(dir, o.overlay)
	if err != nil {
		return false, err
	}
	fmt.Printf("torture: profile %s, seed %d (-seed %d repeats it)\n", o.profile, o.seed, o.seed)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	var results []trial.Result
	ok = true
	for _, t := range chosen {
		if len(stop) > 0 {
			return false, errors.New("interrupted")
		}
		r, err := one(t, o, dir, binaries)
		if err != nil {
			return false, err
		}
		results = append(results, r)
		ok = ok && len(r.Problems) == 0
	}
	trial.Print(os.Stdout, results)
	return ok, report(o, results)
}

// one runs a trial in a folder of its own, which goes with it.
func one(t trial.Trial, o options, dir string, binaries site.Binaries) (r trial.Result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	b := &trial.Bench{Times: t.Figures[o.profile], Dir: filepath.Join(dir, t.Name), Binaries: binaries, Self: self}
	b.Log = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		return r, err
	}
	if o.times > 0 {
		b.Times = o.times
	}
	fmt.Printf("torture: %s: %s, %d times\n", t.Name, t.Title, b.Times)
	r = t.Do(b, o.seed)
	fmt.Printf("torture: %s: %d problems, %s\n", t.Name, len(r.Problems), r.Took.Round(100*time.Millisecond))
	return r, os.RemoveAll(b.Dir)
}

func choose(o options) (chosen []trial.Trial, err error) {
	only := map[string]bool{}
	for _, name := range strings.FieldsFunc(o.only, func(r rune) bool { return r == ',' }) {
		only[name] = true
	}
	all := len(only) == 0
	for _, t := range matrix() {
		if _, ok := t.Figures[o.profile]; !ok && (all || only[t.Name]) {
			return nil, fmt.Errorf("%s has no profile %q: %s", t.Name, o.profile, strings.Join(profiles(), ", "))
		}
		if all || only[t.Name] {
			chosen = append(chosen, t)
			delete(only, t.Name)
		}
	}
	for name := range only {
		return nil, fmt.Errorf("no trial %q", name)
	}
	return chosen, nil
}

// build makes the programs, the gateway with sources replaced if asked to.
func build(dir, overlay string) (b site.Binaries, err error) {
	b = site.Binaries{Gateway: filepath.Join(dir, "gateway"), Engine: filepath.Join(dir, "testengine")}
	for binary, source := range map[string]string{b.Gateway: "./cmd/gateway", b.Engine: "./test/e2e/testengine"} {
		args := []string{"build", "-o", binary}
		if overlay != "" {
			args = append(args, "-overlay", overlay)
		}
		if out, err := exec.Command("go", append(args, source)...).CombinedOutput(); err != nil {
			return b, fmt.Errorf("build %s: %w\n%s", source, err, out)
		}
	}
	return b, nil
}

func report(o options, results []trial.Result) error {
	if o.report == "" {
		return nil
	}
	text, err := json.MarshalIndent(map[string]any{"profile": o.profile, "seed": o.seed, "at": time.Now().UTC(), "trials": results}, "", "  ")
	return errors.Join(err, os.WriteFile(o.report, append(text, '\n'), 0o600))
}
