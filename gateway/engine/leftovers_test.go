package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// manyTimes is how often an engine ends in each way; a quarter of that where it
// takes long. ENGINE_CRASHES changes it: make torture-engines says 200.
const manyTimes = 40

// together is how many engines of one pool end again and again at once: most of
// the time they wait.
const together = 8

// However an engine ends, and however often, nothing of it stays: no goroutine,
// no open file, no memory, no process, no socket. It is not parallel: it counts.
func TestCrashesLeaveNothingBehind(t *testing.T) {
	for workflow, why := range map[string]string{
		"crash": "exit status 7", "quit": "exit status 0", "kill": "signal: killed", "panic": "exit status 2", "hang": "hung",
	} {
		t.Run(workflow, func(t *testing.T) {
			n := times(t, manyTimes)
			if workflow == "hang" {
				n = times(t, manyTimes/4)
			}
			crashMany(t, n, workflow, why)
		})
	}
}

// times is how often something is done, unless the environment says otherwise.
func times(t *testing.T, otherwise int) int {
	t.Helper()
	text := os.Getenv("ENGINE_CRASHES")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("ENGINE_CRASHES: %v", err)
	}
	return n
}

func crashMany(t *testing.T, n int, workflow, why string) {
	t.Helper()
	b := newBench(t, func(x *timing) {
		x.backoffFirst, x.backoffMax = time.Millisecond, time.Millisecond
		x.exitWithin = 5 * time.Second // however busy the machine is, how it ended is told
		if workflow == "hang" {
			x.healthEvery, x.healthWithin = 20*time.Millisecond, 200*time.Millisecond
		}
	})
	engines := make([]*Engine, together)
	for i := range engines {
		s := spec(t, "ok")
		s.Name = fmt.Sprint("test-", i)
		engines[i] = b.acquire(s)
	}
	crashEach(t, engines, together, workflow, why)
	before := b.held(t)
	crashEach(t, engines, n, workflow, why)
	b.heldIs(t, before)
	b.only(together)
	restarts := 0
	for _, e := range engines {
		st := e.Status()
		if restarts += st.Restarts; st.Stuck != 0 {
			t.Errorf("%s: %d processes are stuck", st.Name, st.Stuck)
		}
	}
	if restarts != n+together {
		t.Errorf("%d restarts after %d crashes", restarts, n+together)
	}
	b.stop()
	if list := children(t, ""); len(list) > 0 {
		t.Errorf("processes left after stop: %v", list)
	}
}

// crashEach has engines crash n times in all, each one after the other and all
// at once, and waits until they are up again.
func crashEach(t *testing.T, engines []*Engine, n int, workflow, why string) {
	t.Helper()
	var all sync.WaitGroup
	for first, e := range engines {
		all.Go(func() {
			for i := first; i < n && !t.Failed(); i += len(engines) {
				crash(t, e, strconv.Itoa(i), workflow, why)
			}
		})
	}
	all.Wait()
	for _, e := range engines {
		waitReady(t, e)
	}
}

// crash ends an engine by a call, in the middle of another: both are lost, and
// the reason is told.
func crash(t *testing.T, e *Engine, key, workflow, why string) {
	sleeps, ends := newUpdates(), newUpdates()
	<-e.Ready()
	if err := errors.Join(e.Run(callOf("sleep-"+key, "sleep", ""), sleeps.report), e.Run(callOf(key, workflow, ""), ends.report)); err != nil {
		t.Errorf("call %s: %v", key, err)
		return
	}
	for _, u := range []updates{sleeps, ends} {
		select {
		case x := <-u:
			if x.Kind != Lost || !strings.Contains(x.Message, why) {
				t.Errorf("call %s: update %+v", key, x)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("call %s: no update", key)
		}
	}
}

// held is what leaks: goroutines, files and bytes of memory.
type held struct {
	goroutines, files int
	memory            int64
}

func (b *bench) held(t *testing.T) (h held) {
	b.logs.TakeAll() // it is the test that keeps them
	h.goroutines, h.files = settled(t)
	h.memory = inUse()
	return h
}

// heldIs waits until no more is held than before.
func (b *bench) heldIs(t *testing.T, before held) {
	t.Helper()
	var g, f int
	defer func() {
		if t.Failed() {
			t.Logf("%d goroutines and %d files, %d and %d before", g, f, before.goroutines, before.files)
			_ = pprof.Lookup("goroutine").WriteTo(t.Output(), 1)
		}
	}()
	eventually(t, "goroutines and files are as before", func() bool {
		g, f = settled(t)
		return g <= before.goroutines+2 && f <= before.files
	})
	if grown := b.held(t).memory - before.memory; grown > 4<<20 {
		t.Errorf("%d KiB more are in use", grown>>10)
	}
}

// only so many processes does the pool have, and no traces of others.
func (b *bench) only(n int) {
	b.t.Helper()
	if list, _ := filepath.Glob(filepath.Join(b.sockets(), "*")); len(list) != n {
		b.t.Errorf("folders of processes: %v", list)
	}
	if list, _ := filepath.Glob(filepath.Join(b.dir, "run", "*")); len(list) != n {
		b.t.Errorf("notes about processes: %v", list)
	}
	if zombies := children(b.t, "Z"); len(zombies) > 0 {
		b.t.Errorf("zombies: %v", zombies)
	}
}

// Engines that never get as far as being one leave nothing either.
func TestFailedStartsLeaveNothingBehind(t *testing.T) {
	b := newBench(t, nil)
	e := b.acquire(spec(t, "ok"))
	waitReady(t, e) // or what it holds is not counted before
	b.failEach()
	before := b.held(t)
	for range times(t, manyTimes/4) {
		b.failEach()
	}
	b.heldIs(t, before)
	b.only(1)
	if x := do(t, e, "a", "echo", "1"); x.Kind != Succeeded || e.Status().Restarts != 0 {
		t.Errorf("the neighbour: %+v", x)
	}
}

// failEach starts an engine of each kind that cannot be started, all at once.
func (b *bench) failEach() {
	b.t.Helper()
	var all sync.WaitGroup
	for _, mode := range []string{"exit", "hello", "other-version", "plaintext", "another checksum"} {
		s := spec(b.t, mode)
		if mode == "another checksum" {
			s = spec(b.t, "ok")
			s.SHA256 = strings.Repeat("0", 64)
		}
		all.Go(func() {
			if other, err := b.Acquire(b.t.Context(), s); err == nil {
				other.Release()
				b.t.Errorf("%s: started", mode)
			}
		})
	}
	all.Wait()
}

// inUse is the memory that is held, in bytes.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
