//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// scenario is one thing to measure.
type scenario struct {
	name, what string
	// goals are the ratios to bare that the design asks for, by connections.
	goals map[int]float64
	// config is what gateway.yaml says beside addresses and store; the bare
	// server has none.
	config []string
	// runs: every event is run by the engine, else by none.
	runs bool
	// routes in the table.
	routes int
	// retain is how long what has ended is kept; empty: as long as usual.
	retain string
	// apart: measured only when it is asked for, because it takes long.
	apart   bool
	measure func(b *bench, ctx context.Context, s scenario, round int) (figures, error)
}

const bareName = "bare"

func scenarios() []scenario {
	load := (*bench).measure
	return []scenario{
		{name: bareName, what: "net/http reads the body, checks the signature, answers 202", measure: load},
		{
			name: "accepted", what: "durable before the 202; a route is tried and matches none", goals: map[int]float64{64: 0.60}, measure: load,
			config: []string{engineConfig, routeConfig("acme/other")}, routes: 1,
		},
		{
			name: "unrouted", what: "durable before the 202; no routes, no engine", measure: load,
		},
		{
			name: "run", what: "durable, run by an engine process, its outcome durable", goals: map[int]float64{64: 0.45, 256: 0.55}, measure: load,
			config: []string{engineConfig, routeConfig("acme/shop")}, runs: true, routes: 1,
		},
		{
			name: "routes-100", what: "accepted, with 100 routes that are all tried", measure: load,
			config: []string{engineConfig, routeTable(100, "acme/other")}, routes: 100,
		},
		{
			name: "routes-5000", what: "accepted, with 5,000 routes, of which 10 are tried", measure: load,
			config: []string{engineConfig, routeTable(5000, "acme/other")}, routes: 5000,
		},
		{
			name: "recovery", what: "a backlog found at the start: dispatch alone", measure: (*bench).recovery,
			config: []string{engineConfig, routeConfig("acme/shop")}, runs: true, routes: 1, apart: true,
		},
		{
			name: "reload", what: "5,000 routes, all of them changed, under a load of 800 requests a second", measure: (*bench).reload,
			config: []string{engineConfig, routeTable(5000, "acme/other")}, routes: 5000, apart: true,
		},
		{
			name: "soak", what: "seven tenths of what it can run, for long", measure: (*bench).soak,
			config: []string{engineConfig, routeConfig("acme/shop")}, runs: true, routes: 1, retain: "20s", apart: true,
		},
	}
}

// usual are the names of those that are measured unless others are asked for.
func usual(list []scenario) (names []string) {
	for _, s := range list {
		if !s.apart {
			names = append(names, s.name)
		}
	}
	return names
}

func names(list []scenario) (names []string) {
	for _, s := range list {
		names = append(names, s.name)
	}
	return names
}

const (
	serverConfig = `version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
webhooks:
  bench: {scheme: github, path: ` + hookPath + `, secrets: ["${env:BENCH_SECRET}"]}
`
	engineConfig = `engines:
  bench:
    plugin: %q
    env: {BENCH_PROFILE: "${env:BENCH_PROFILE:-}", BENCH_HOLD: "${env:BENCH_HOLD:-}"}
    limits: {in_flight: 4096}
`
)

func routeConfig(repository string) string {
	return fmt.Sprintf(`routes:
  bench:
    events: [github.push]
    match: {data.repository.full_name: [%s], data.ref: refs/heads/main}
    run: bench/nothing
`, repository)
}

// routeTable is many routes that an event does not take. Up to 100 are all for its
// type; of more, as in a table for many senders, ten are.
func routeTable(n int, repository string) string {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range n {
		typ := "github.push"
		if n > 100 && i%(n/10) != 0 {
			typ = fmt.Sprintf("sender-%d.push", i%500)
		}
		fmt.Fprintf(&b, `  route-%04d:
    events: [%s]
    match: {data.repository.full_name: [%s/%d], data.ref: refs/heads/main}
    when: event.data.text.size() > %d
    run: bench/nothing
    with: {n: %d, repository: "${{ event.data.repository.full_name }}"}
`, i, typ, repository, i, i%100, i)
	}
	return b.String()
}

// bench is what all measurements share.
type bench struct {
	options
	scenarios []scenario
	// dir is a folder of this run's own, on the disk that is measured.
	dir, gateway, engine string
}

// prepare builds what is measured.
func prepare(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{options: o, gateway: o.gateway}
	for _, s := range scenarios() {
		if slices.Contains(o.Scenarios, s.name) {
			b.scenarios = append(b.scenarios, s)
		}
	}
	if len(b.scenarios) != len(o.Scenarios) {
		return nil, fmt.Errorf("scenarios are %s", strings.Join(names(scenarios()), ", "))
	}
	for _, dir := range []string{o.dir, o.profiles} {
		if err := os.MkdirAll(dir, 0o750); dir != "" && err != nil {
			return nil, err
		}
	}
	if b.dir, err = os.MkdirTemp(o.dir, "bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.cleanup()
		}
	}()
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return nil, err
	}
	if b.gateway == "" {
		b.gateway = filepath.Join(b.dir, "gateway")
		if err := build(ctx, b.gateway, "cmd/gateway"); err != nil {
			return nil, err
		}
	}
	b.engine = filepath.Join(b.dir, "engine")
	return b, build(ctx, b.engine, "bench/engine")
}

func (b *bench) cleanup() { _ = os.RemoveAll(b.dir) }

func build(ctx context.Context, out, name string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, "github.com/event-gateway/gateway/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, text)
	}
	return nil
}

// figures of one scenario in one round.
type figures struct {
	Scenario string `json:"scenario"`
	Round    int    `json:"round"`
	result
	// Rate is events a second that reached the scenario's end: answered, or
	// with their outcome on the disk. Ratio is to bare's in the same round.
	Rate  float64 `json:"rate"`
	Ratio float64 `json:"ratio"`
	// CPURatio is the CPU that bare took for an event, the generator's
	// included, to what this took: what the ratio would be if nothing ever
	// waited. On a machine with other work it is the steadier of the two.
	CPURatio float64 `json:"cpu_ratio"`
	// CPU microseconds for each event; what else the machine did meanwhile, as
	// a share of one CPU.
	ServerCPU    float64 `json:"server_cpu_us"`
	EngineCPU    float64 `json:"engine_cpu_us"`
	GeneratorCPU float64 `json:"generator_cpu_us"`
	Others       float64 `json:"others_cpus"`
	// Most ever resident, in bytes; events for each flush of the store.
	ServerMemory    int64   `json:"server_memory"`
	EngineMemory    int64   `json:"engine_memory"`
	EventsPerCommit float64 `json:"events_per_commit"`
	// What the gateway allocated for each event.
	Allocations float64 `json:"allocations"`
	Allocated   float64 `json:"allocated_bytes"`
	// P99Ratio is P99 to bare's in the same round.
	P99Ratio float64 `json:"p99_ratio,omitempty"`
	// Ready is how long a start took with a backlog.
	Ready time.Duration `json:"ready_ns,omitempty"`
	// Reload is how long reloads took, median and longest; Slowest is the request
	// that took longest of those that met one, and of all others.
	Reload        time.Duration `json:"reload_ns,omitempty"`
	LongestReload time.Duration `json:"longest_reload_ns,omitempty"`
	Slowest       time.Duration `json:"slowest_ns,omitempty"`
	SlowestElse   time.Duration `json:"slowest_else_ns,omitempty"`
	// Levels of what must not grow.
	Levels []level `json:"levels,omitempty"`
}

func (f figures) cpu() float64 { return f.ServerCPU + f.EngineCPU + f.GeneratorCPU }

// measure measures one scenario with fresh processes and an empty store.
func (b *bench) measure(ctx context.Context, s scenario, round int) (f figures, err error) {
	f = figures{Scenario: s.name, Round: round}
	var target *server
	if s.name == bareName {
		target, err = startBare(ctx)
	} else {
		target, _, err = b.fresh(ctx, s, round)
	}
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, target.stop()) }()
	t := task{
		Address: target.Listen, Connections: b.Connections, Threads: b.Threads, Bodies: b.Bodies,
		Warmup: b.Warmup, Duration: b.Duration, Window: b.Window,
	}
	if s.runs {
		t.Admin = target.Admin
	}
	err = target.metered(ctx, &f, func(meter) (generator time.Duration, err error) {
		f.result, generator, err = load(ctx, t)
		return generator, err
	})
	if err != nil {
		return f, err
	}
	f.Rate = f.Answered
	if s.runs {
		f.Rate = f.Settled
	}
	if s.name == bareName {
		return f, nil
	}
	return f, verify(ctx, target.Admin, s, &f)
}

func startBare(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, self, []string{roleBare}, nil)
}

// fresh starts a gateway in a folder of its own.
func (b *bench) fresh(ctx context.Context, s scenario, round int, env ...string) (target *server, dir string, err error) {
	if dir, err = b.site(s); err != nil {
		return nil, "", err
	}
	target, err = b.gatewayIn(ctx, dir, s, round, env...)
	return target, dir, err
}

const configName = "gateway.yaml"

// site is a folder with a configuration.
func (b *bench) site(s scenario) (dir string, err error) {
	if dir, err = os.MkdirTemp(b.dir, s.name+"-"); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, configName), b.text(dir, s), 0o600)
}

func (b *bench) text(dir string, s scenario) []byte {
	retain := ""
	if s.retain != "" {
		retain = fmt.Sprintf(", retain: {succeeded: %s, unrouted: %[1]s}", s.retain)
	}
	text := serverConfig + fmt.Sprintf("store: {path: %q%s}\n", filepath.Join(dir, "data"), retain) + strings.Join(s.config, "")
	if len(s.config) > 0 {
		text = strings.Replace(text, "%q", fmt.Sprintf("%q", b.engine), 1)
	}
	return []byte(text)
}

// gatewayIn starts a gateway on what is in a folder.
func (b *bench) gatewayIn(ctx context.Context, dir string, s scenario, round int, env ...string) (*server, error) {
	args := []string{"run", "--config", filepath.Join(dir, configName), "--log-format", "json", "--log-level", "info"}
	env = append(env, "BENCH_SECRET="+secret)
	if b.profiles != "" {
		path, err := filepath.Abs(filepath.Join(b.profiles, fmt.Sprintf("%s-%d", s.name, round)))
		if err != nil {
			return nil, err
		}
		args = append(args, "--cpuprofile", path+".gateway.pprof")
		env = append(env, "BENCH_PROFILE="+path+".engine.pprof")
	}
	return start(ctx, b.gateway, args, env)
}

// verify tells whether the gateway did what is claimed of it.
func verify(ctx context.Context, admin string, s scenario, f *figures) error {
	st, err := readStatus(ctx, admin)
	if err != nil {
		return err
	}
	if st.Store.Commits > 0 {
		f.EventsPerCommit = float64(f.Sent) / float64(st.Store.Commits)
	}
	sent, unrouted, succeeded := int64(f.Sent), int64(f.Sent), int64(0)
	if s.runs {
		unrouted, succeeded = 0, sent
	}
	m, err := readMetrics(ctx, admin)
	if err != nil {
		return err
	}
	attempts := m.attempts()
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"events accepted", st.Intake.Accepted, sent},
		{"events stored", st.Store.Entries, sent},
		{"duplicates", st.Intake.Duplicates + st.Intake.Conflicts, 0},
		{"events without a route", st.Intake.Unrouted, unrouted},
		{"deliveries that have not ended", st.Store.Pending, 0},
		{"attempts that succeeded", attempts["succeeded"], succeeded},
		{"outcomes of other kinds", int64(len(attempts)), min(1, succeeded)},
		{"restarts of the engine", int64(st.restarts()), 0},
	} {
		if c.got != c.want {
			return fmt.Errorf("of %d events sent: %s: %d, want %d", sent, c.what, c.got, c.want)
		}
	}
	return nil
}
