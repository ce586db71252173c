//go:build linux

// Command bench measures a running gateway from outside: it starts the real
// binary, sends it signed webhooks over keep-alive connections, and prints
// what it took as ratios to a bare net/http handler of the same round. It
// stands beside the flow and imports nothing of it.
//
// It is one program with three roles, each a process of its own: the
// conductor, the bare server and the load generator. README.md says what is
// measured and how to read it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Roles of this program, as its first argument.
const (
	roleBare = "bare-server"
	roleLoad = "load-generator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == roleBare {
		return serveBare(ctx, os.Stderr)
	}
	if len(args) > 0 && args[0] == roleLoad {
		return generate(ctx, os.Stdin, os.Stdout)
	}
	if len(args) == 3 && args[0] == "compare" {
		return compare(os.Stdout, args[1], args[2])
	}
	// Processes die with the thread that started them (see start), which
	// therefore has to stay.
	runtime.LockOSThread()
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return conduct(ctx, o)
}

// options of a measurement.
type options struct {
	Rounds      int           `json:"rounds"`
	Connections int           `json:"connections"`
	Threads     int           `json:"generator_threads"`
	Warmup      time.Duration `json:"warmup_ns"`
	Duration    time.Duration `json:"duration_ns"`
	Window      int           `json:"window"`
	Bodies      int           `json:"bodies"`
	Backlog     int           `json:"backlog"`
	Soak        time.Duration `json:"soak_ns"`
	P99         time.Duration `json:"p99_limit_ns"`
	Scenarios   []string      `json:"scenarios"`

	// gateway is a binary that exists already; profiles is a folder.
	dir, gateway, json, profiles string
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.Rounds, "rounds", 5, "how often each scenario is measured")
	flags.IntVar(&o.Connections, "connections", 64, "keep-alive connections")
	flags.IntVar(&o.Threads, "threads", 2, "threads of the load generator")
	flags.DurationVar(&o.Warmup, "warmup", time.Second, "load before measuring")
	flags.DurationVar(&o.Duration, "duration", 4*time.Second, "load while measuring")
	flags.IntVar(&o.Window, "window", 4096, "events that may be accepted and not settled: more wait unsent")
	flags.IntVar(&o.Bodies, "bodies", 64, "bodies of each thread that have nothing in common, which none compresses; 1: all differ in a few bytes only")
	flags.IntVar(&o.Backlog, "backlog", 200_000, "deliveries that recovery finds at its start")
	flags.DurationVar(&o.Soak, "soak", 10*time.Minute, "how long soak goes on")
	flags.DurationVar(&o.P99, "p99", 50*time.Millisecond, "the p99 that soak may have; 0: any")
	flags.StringVar(&o.dir, "dir", "bin", "`folder` for data: its disk is what is measured")
	flags.StringVar(&o.gateway, "gateway", "", "gateway `binary` to measure (default: built from this tree)")
	flags.StringVar(&o.json, "json", filepath.Join("bin", "bench-"+time.Now().UTC().Format("20060102-150405")+".json"), "write all figures to this `file`")
	flags.StringVar(&o.profiles, "profile", "", "write CPU profiles of gateway and engine to this `folder`")
	list := flags.String("scenarios", strings.Join(usual(scenarios()), ","), "what to measure, or all; bare is needed for ratios")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.Scenarios = strings.Split(*list, ","); *list == "all" {
		o.Scenarios = names(scenarios())
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for _, n := range []int{o.Rounds, o.Connections, o.Threads, o.Window, o.Bodies, o.Backlog, int(o.Duration)} {
		if n <= 0 {
			return o, errors.New("numbers must be above zero")
		}
	}
	o.Threads = min(o.Threads, o.Connections) // one without a connection has nothing to do
	return o, nil
}

// conduct measures everything and prints it.
func conduct(ctx context.Context, o options) error {
	b, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	defer b.cleanup()
	r := report{Options: o, Machine: describe()}
	if r.DiskBefore, err = probe(b.dir); err != nil {
		return err
	}
	for round := 1; round <= o.Rounds; round++ {
		for _, s := range b.scenarios {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round, o.Rounds, s.name)
			figures, err := s.measure(b, ctx, s, round)
			if err != nil {
				return fmt.Errorf("round %d: %s: %w", round, s.name, err)
			}
			r.Runs = append(r.Runs, figures)
		}
	}
	if r.DiskAfter, err = probe(b.dir); err != nil {
		return err
	}
	r.summarise(b.scenarios)
	r.print(os.Stdout)
	fmt.Printf("\nall of it is in %s; go run ./bench compare BEFORE AFTER shows two of them side by side\n", o.json)
	return r.save(o.json)
}

func (r *report) save(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}
