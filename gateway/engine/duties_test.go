package engine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

// eventually waits for a state that no channel tells of.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// alive tells whether a process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	state := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[0]
	return state != "Z" && state != "X"
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// An engine that says that it is not well is believed.
func TestUnwellEngineIsKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(x *timing) { x.healthEvery = 50 * time.Millisecond })
	e := b.acquire(spec(t, "unwell"))
	u := newUpdates()
	if err := e.Run(callOf("a", "sleep", ""), u.report); err != nil {
		t.Fatal(err)
	}
	if x := u.final(t); x.Kind != Lost || !strings.Contains(x.Message, "3 health checks in a row did not say SERVING (last: NOT_SERVING)") {
		t.Errorf("update %+v", x)
	}
}

func TestHungEngineIsKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(x *timing) { x.healthEvery, x.healthWithin = 50*time.Millisecond, 200*time.Millisecond })
	e := b.acquire(spec(t, "ok"))
	pid := e.Status().PID
	u := newUpdates()
	if err := e.Run(callOf("a", "hang", ""), u.report); err != nil {
		t.Fatal(err)
	}
	x := u.final(t)
	if x.Kind != Lost || !strings.Contains(x.Message, "3 health checks in a row did not say SERVING (last: no answer within 200ms)") {
		t.Errorf("update %+v", x)
	}
	eventually(t, "the hung process is gone", func() bool { return !alive(pid) && !zombie(pid) })
	waitReady(t, e)
	if x := do(t, e, "b", "echo", `1`); x.Kind != Succeeded {
		t.Errorf("after the restart: %+v", x)
	}
}

func TestStopOfHungEngineIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(x *timing) {
		x.healthEvery, x.stopWithin = time.Hour, 300*time.Millisecond
	})
	e := b.acquire(spec(t, "ok"))
	pid := e.Status().PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stop took %v", took)
	}
	if alive(pid) || zombie(pid) {
		t.Error("the process is still there")
	}
	if st := e.Status(); st.State != Stopped || st.Stuck != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestStderrCannotHurt(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	e := b.acquire(spec(t, "ok"))
	for _, line := range []string{
		`stderr 1 {"@level":"warn","@message":{"a":1},"@timestamp":"x","k":[1]}`,
		`stderr 1 {"@level":7,"@message":null}`,
		"stderr 1 \x1b[31m\xff\xfe red",
		`stderr 3 x*200000`,
		`stdout 3 x*1048576`,
		`stderr 20000 flood`,
		`stderr 1 [WARN] last`,
	} {
		if x := do(t, e, "k", "say", line); x.Kind != Succeeded {
			t.Errorf("%.40q: %+v", line, x)
		}
	}
	eventually(t, "the drop notice is logged", func() bool {
		return b.logs.FilterMessageSnippet("log lines dropped").Len() > 0 || func() bool {
			do(t, e, "k", "say", "stderr 1 tick")
			return false
		}()
	})
	if n := b.logs.FilterMessage("flood").Len(); n < 900 || n > 4000 {
		t.Errorf("%d of 20000 lines logged", n)
	}
	if b.logs.FilterMessage(`{"a":1}`).FilterLevelExact(zap.WarnLevel).Len() != 1 {
		t.Error("a message that is an object is not logged as it is")
	}
	lines := b.Log(e.Status().Name)
	if len(lines) != tailLines || b.Log("other") != nil {
		t.Errorf("%d lines kept", len(lines))
	}
	for i := range lines[1:] {
		if lines[i+1].N <= lines[i].N {
			t.Fatalf("line %d is %d, the one before %d", i+1, lines[i+1].N, lines[i].N)
		}
	}
}

func TestEnvironmentIsExplicit(t *testing.T) {
	t.Setenv("WEBHOOK_SECRET", "canary-of-the-host")
	t.Setenv("SHARED", "host")
	b := newBench(t, nil)
	s := spec(t, "ok")
	s.Env["SHARED"] = "operator"
	s.MaxMessage = 5 << 20
	e := b.acquire(s)
	var env []string
	if err := json.Unmarshal(do(t, e, "a", "env", "").Output, &env); err != nil {
		t.Fatal(err)
	}
	for _, entry := range env {
		if strings.Contains(entry, "canary") {
			t.Errorf("the engine sees %s", entry)
		}
	}
	for _, want := range []string{"SHARED=operator", "PATH=" + os.Getenv("PATH"), "GATEWAY_MAX_MESSAGE_BYTES=5242880"} {
		if !slices.Contains(env, want) {
			t.Errorf("the engine does not see %s", want)
		}
	}
	if x := do(t, e, "b", "stdin", ""); string(x.Output) != `""` {
		t.Errorf("stdin held %s", x.Output)
	}
}

func TestGrandchildrenDieWithTheEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	e := b.acquire(spec(t, "grandchild"))
	pids := map[string]int{}
	eventually(t, "both grandchildren are known", func() bool {
		for _, entry := range b.logs.All() {
			if f := strings.Fields(entry.Message); len(f) == 3 && f[0] == "grandchild" {
				pids[f[2]], _ = strconv.Atoi(f[1])
			}
		}
		return len(pids) == 2
	})
	defer func() { _ = syscall.Kill(pids["true"], syscall.SIGKILL) }()
	pid := e.Status().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the group is gone", func() bool { return !alive(pids["false"]) && !zombie(pid) })
	eventually(t, "a new process is up", func() bool { st := e.Status(); return st.State == Up && st.PID != pid })
	if !alive(pids["true"]) {
		t.Error("a process that left the group was killed")
	}
}

// TestDeathOfTheGateway kills a whole gateway: its engine goes with it, and
// what is left of the engine's group goes when the next gateway starts.
func TestDeathOfTheGateway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	for range times(t, manyTimes/4) {
		killGateway(t, dir)
	}
}

func killGateway(t *testing.T, dir string) {
	t.Helper()
	host := startHost(t, dir, "grandchild-group")
	engine := host.enginePID
	left := membersOf(t, engine)
	if len(left) != 2 {
		t.Fatalf("members of the group: %v", left)
	}
	if err := host.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.cmd.Wait()
	began := time.Now()
	eventually(t, "the engine died with its gateway", func() bool { return !alive(engine) })

	ctx, cancel := context.WithCancel(t.Context())
	pool, err := NewPool(Options{RuntimeDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- pool.Run(ctx) }()
	<-pool.opened
	for _, pid := range left {
		eventually(t, "the rest of the group is gone", func() bool { return !alive(pid) })
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("something lived for %v longer than its gateway", took)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "run")); len(entries) != 0 {
		t.Errorf("left-over notes: %v", entries)
	}
}

func TestOneGatewayPerRuntimeFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.acquire(spec(t, "ok"))
	other, err := NewPool(Options{RuntimeDir: b.dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another gateway uses it") {
		t.Errorf("error %v", err)
	}
	if _, err := other.Acquire(t.Context(), spec(t, "ok")); err == nil {
		t.Error("acquired from a pool that could not start")
	}
}

func TestCrashLoop(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(x *timing) { x.backoffFirst, x.backoffMax = time.Millisecond, 50*time.Millisecond })
	s := spec(t, "ok")
	s.Restarts = 2
	e := b.acquire(s)
	for i := range 3 {
		u := newUpdates()
		waitReady(t, e)
		if err := e.Run(callOf("a", "crash", ""), u.report); err != nil {
			t.Fatal(i, err)
		}
		u.final(t)
	}
	eventually(t, "the crash loop is seen", func() bool {
		return b.logs.FilterMessage("engine is down").FilterField(zap.String("state", string(CrashLoop))).Len() == 1
	})
	waitReady(t, e) // and it is still tried
	if x := do(t, e, "b", "echo", "1"); x.Kind != Succeeded {
		t.Errorf("update %+v", x)
	}
}

func TestDownRefusesCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(x *timing) { x.backoffFirst = time.Hour; x.backoffMax = time.Hour })
	e := b.acquire(spec(t, "ok"))
	u := newUpdates()
	if err := e.Run(callOf("a", "panic", ""), u.report); err != nil {
		t.Fatal(err)
	}
	if x := u.final(t); x.Kind != Lost {
		t.Errorf("update %+v", x)
	}
	if err := e.Run(callOf("a", "echo", ""), u.report); !errors.Is(err, ErrDown) {
		t.Errorf("error %v", err)
	}
	if _, err := e.Get(t.Context(), "a", ""); !errors.Is(err, ErrDown) {
		t.Errorf("error %v", err)
	}
	eventually(t, "the state is down", func() bool { return e.Status().State == Down })
	eventually(t, "the panic is logged as an error", func() bool {
		return b.logs.FilterMessageSnippet("out of workflows").FilterLevelExact(zap.ErrorLevel).Len() > 0
	})
}
