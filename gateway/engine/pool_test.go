package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/event-gateway/gateway/gateway/event"
)

// bench is a running pool with quick intervals, and the log that it writes.
type bench struct {
	*Pool
	t    testing.TB
	logs *observer.ObservedLogs
	stop func()
}

func newBench(t testing.TB, change func(*timing)) *bench {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	pool, err := NewPool(Options{RuntimeDir: t.TempDir(), Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	pool.timing.backoffFirst = 10 * time.Millisecond
	if change != nil {
		change(&pool.timing)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- pool.Run(ctx) }()
	b := &bench{Pool: pool, t: t, logs: logs}
	b.stop = func() {
		cancel()
		if err, ok := <-done; ok && err != nil {
			t.Errorf("pool: %v", err)
		}
		close(done)
		b.stop = func() {}
	}
	t.Cleanup(func() { b.stop() })
	return b
}

// sockets is the folder with a folder for each process.
func (b *bench) sockets() string {
	if note, err := os.ReadFile(filepath.Join(b.dir, "sockets")); err == nil {
		return string(note)
	}
	return filepath.Join(b.dir, "p")
}

func self(t testing.TB) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func spec(t testing.TB, mode string) Spec {
	return Spec{Name: "test", Path: self(t), Env: map[string]string{"TEST_ENGINE": mode}, StartTimeout: 20 * time.Second}
}

func (b *bench) acquire(s Spec) *Engine {
	b.t.Helper()
	e, err := b.Acquire(b.t.Context(), s)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// updates collects what is reported for one call.
type updates chan Update

func newUpdates() updates { return make(updates, 100) }

func (u updates) report(x Update) { u <- x }

// final waits for the end of the call.
func (u updates) final(t testing.TB) Update {
	t.Helper()
	for {
		select {
		case x := <-u:
			if x.Kind.Final() {
				return x
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no final update")
		}
	}
}

func (u updates) next(t testing.TB) Update {
	t.Helper()
	select {
	case x := <-u:
		return x
	case <-time.After(20 * time.Second):
		t.Fatal("no update")
		return Update{}
	}
}

func do(t testing.TB, e *Engine, key, workflow string, input string) Update {
	t.Helper()
	u := newUpdates()
	if err := e.Run(callOf(key, workflow, input), u.report); err != nil {
		t.Fatalf("run %s: %v", workflow, err)
	}
	return u.final(t)
}

func callOf(key, workflow, input string) Call {
	return Call{Key: key, Workflow: workflow, Input: []byte(input), Attempt: 1, FirstAttemptAt: time.Now(),
		Event: &event.Event{ID: key, Source: "/api", Type: "test", Time: time.Now(), Body: []byte(`{"n":1}`)}}
}

func waitReady(t testing.TB, e *Engine) {
	t.Helper()
	select {
	case <-e.Ready():
	case <-time.After(20 * time.Second):
		t.Fatalf("not ready: %+v", e.Status())
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		b := newBench(t, nil)
		s := spec(t, "ok")
		s.Plain = plain
		e := b.acquire(s)
		u := newUpdates()
		if err := e.Run(callOf("a", "steps", ""), u.report); err != nil {
			t.Fatal(err)
		}
		if x := u.next(t); x.Kind != Accepted || x.RunID != "run-a" {
			t.Errorf("first update %+v", x)
		}
		if x := u.next(t); x.Kind != Progress || x.Step != "one" || x.Fraction != 0.5 {
			t.Errorf("second update %+v", x)
		}
		if x := u.next(t); x.Kind != Succeeded || string(x.Output) != `{"n":1}` {
			t.Errorf("last update %+v", x)
		}
		if st := e.Status(); st.State != Up || st.PID == 0 || st.Version != "1.2.3" || st.InFlight != 0 {
			t.Errorf("status %+v", st)
		}
		e.Release()
		b.stop()
	}
}
