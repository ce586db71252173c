package engine

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEqualSpecsShareAProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var wg sync.WaitGroup
	engines := make([]*Engine, 4)
	for i := range engines {
		s := spec(t, "ok")
		s.Drain = time.Duration(i+1) * time.Second // limits are not identity
		wg.Go(func() { engines[i], _ = b.Acquire(t.Context(), s) })
	}
	wg.Wait()
	for _, e := range engines {
		if e == nil || e != engines[0] {
			t.Fatal("equal specs have different engines")
		}
	}
	s := spec(t, "ok")
	s.Args = []string{"-x"}
	other := b.acquire(s)
	if other == engines[0] {
		t.Error("other arguments share the process")
	}
	for _, e := range engines[1:] {
		e.Release()
	}
	if do(t, engines[0], "a", "echo", "1").Kind != Succeeded {
		t.Error("stopped before the last release")
	}
}

func TestReleaseDrains(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	e := b.acquire(spec(t, "ok"))
	run, wait := newUpdates(), newUpdates()
	if err := errors.Join(e.Run(callOf("a", "sleep", ""), run.report), e.Run(callOf("w", "wait", ""), wait.report)); err != nil {
		t.Fatal(err)
	}
	if x := wait.next(t); x.Kind != Waiting || x.Prompt != "go on?" {
		t.Errorf("update %+v", x)
	}
	e.Release()
	if e.Status().State != Draining {
		t.Errorf("state %s", e.Status().State)
	}
	if err := e.Run(callOf("b", "echo", ""), run.report); !errors.Is(err, ErrDown) {
		t.Errorf("a draining engine takes calls: %v", err)
	}
	if got := b.acquire(spec(t, "ok")); got != e {
		t.Fatal("an engine that drains is not taken up again")
	}
	if do(t, e, "c", "echo", "1").Kind != Succeeded {
		t.Error("taken up again, it takes no calls")
	}
	e.Release()
	e.Cancel("a", "enough")
	if x := run.final(t); x.Kind != Failed || x.Message != "cancelled: enough" {
		t.Errorf("update %+v", x)
	}
	if x := wait.final(t); x.Kind != Lost { // not waited for
		t.Errorf("update %+v", x)
	}
	<-e.ended
	if e.Status().State != Stopped || len(b.Engines()) != 0 {
		t.Errorf("state %s", e.Status().State)
	}
}

func TestDrainEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := spec(t, "ok")
	s.Drain = 100 * time.Millisecond
	e := b.acquire(s)
	u := newUpdates()
	if err := e.Run(callOf("a", "sleep", ""), u.report); err != nil {
		t.Fatal(err)
	}
	e.Release()
	if x := u.final(t); x.Kind != Lost || x.Message != "the engine was stopped" {
		t.Errorf("update %+v", x)
	}
}

func TestAnswerAndAttach(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	e := b.acquire(spec(t, "ok"))
	u := newUpdates()
	if err := e.Run(callOf("#w", "wait", ""), u.report); err != nil {
		t.Fatal(err)
	}
	u.next(t)
	if err := e.Run(callOf("#w", "wait", ""), u.report); !errors.Is(err, ErrInFlight) {
		t.Errorf("error %v", err)
	}
	if st := e.Status(); st.InFlight != 1 || st.Waiting != 1 {
		t.Errorf("status %+v", st)
	}
	e.Forget("#w") // as after a restart of the gateway
	v := newUpdates()
	if x, err := e.Attach(t.Context(), "#w", "", v.report); err != nil || x.Kind != Running || x.RunID != "run-#w" {
		t.Fatalf("attach: %+v %v", x, err)
	}
	if err := e.Answer("#w", []byte(`"yes"`)); err != nil {
		t.Fatal(err)
	}
	if x := v.final(t); x.Kind != Succeeded || string(x.Output) != `"yes"` {
		t.Errorf("update %+v", x)
	}
	if x, err := e.Attach(t.Context(), "#w", "", v.report); err != nil || x.Kind != Succeeded || string(x.Output) != `"yes"` {
		t.Errorf("attach after the end: %+v %v", x, err)
	}
	if x, err := e.Get(t.Context(), "nobody", ""); err != nil || x.Kind != Unknown {
		t.Errorf("get: %+v %v", x, err)
	}
	if st := e.Status(); st.InFlight != 0 || st.Waiting != 0 {
		t.Errorf("status %+v", st)
	}
	if len(u)+len(v) != 0 {
		t.Error("updates after the end")
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := spec(t, "ok")
	s.MaxMessage = 1 << 20
	e := b.acquire(s)
	c := callOf("a", "steps", "")
	c.Event.Body = make([]byte, 1<<20-200)
	u := newUpdates()
	if err := e.Run(c, u.report); err != nil {
		t.Fatal(err)
	}
	if x := u.final(t); x.Kind != Succeeded || len(x.Output) != len(c.Event.Body) {
		t.Errorf("at the limit: %v %s", x.Kind, x.Message)
	}
	c.Event.Body = make([]byte, 1<<20)
	var large *TooLargeError
	if err := e.Run(c, u.report); !errors.As(err, &large) || large.Max != 1<<20 {
		t.Errorf("over the limit: %v", err)
	}
	if err := e.Answer("a", make([]byte, 1<<20)); !errors.As(err, &large) {
		t.Errorf("answer over the limit: %v", err)
	}
	if x := do(t, e, "b", "large", ""); x.Kind != Failed || x.Failure != Permanent {
		t.Errorf("output over the limit: %v %s", x.Kind, x.Message)
	}
	if x := do(t, e, "t", "throttle", ""); x.Kind != Failed || x.Failure != Throttled {
		t.Errorf("throttled: %+v", x)
	}
	if st := e.Status(); st.Restarts != 0 {
		t.Errorf("restarts: %s", st.LastError)
	}
}

// TestRefusal: an engine that ends the stream over one message would do so
// every time; that call fails for good, its neighbours are lost.
func TestRefusal(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := spec(t, "small")
	s.MaxMessage = 8 << 20
	e := b.acquire(s)
	neighbour, large := newUpdates(), newUpdates()
	c := callOf("large", "echo", "")
	c.Event.Body = make([]byte, 5<<20)
	if err := errors.Join(e.Run(callOf("n", "sleep", ""), neighbour.report), e.Run(c, large.report)); err != nil {
		t.Fatal(err)
	}
	if x := large.final(t); x.Kind != Failed || x.Failure != Permanent || !strings.Contains(x.Message, "GATEWAY_MAX_MESSAGE_BYTES") {
		t.Errorf("update %+v", x)
	}
	if x := neighbour.final(t); x.Kind != Lost {
		t.Errorf("update %+v", x)
	}
	waitReady(t, e)
	if x := do(t, e, "a", "refuse", ""); x.Kind != Failed || x.Failure != Permanent || !strings.Contains(x.Message, "no such thing") {
		t.Errorf("update %+v", x)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, mode := range []string{"ok", "plain-abilities"} {
		s := spec(t, mode)
		s.Config = []byte(`{"workflows":["echo"]}`)
		e := b.acquire(s)
		for workflow, want := range map[string]int{"echo": 0, "deploi": 1} {
			problems, err := e.Check(t.Context(), workflow, []byte(`{}`), nil)
			if err != nil || len(problems) != want {
				t.Errorf("%s %s: %v %v", mode, workflow, problems, err)
			}
		}
	}
}

// TestExactlyOneFinal crashes an engine under load: every accepted call has
// one end, and none after it.
func TestExactlyOneFinal(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(x *timing) { x.backoffFirst, x.backoffMax = time.Millisecond, time.Millisecond })
	e := b.acquire(spec(t, "ok"))
	var mu sync.Mutex
	finals := map[string]int{}
	accepted := 0
	for i := range 4000 {
		workflow := "echo"
		if i%1000 == 999 {
			workflow = "crash"
		}
		key := fmt.Sprint(i)
		if e.Run(callOf(key, workflow, "1"), func(u Update) {
			mu.Lock()
			defer mu.Unlock()
			if u.Kind.Final() {
				finals[key]++
			} else if finals[key] > 0 {
				t.Errorf("update after the end of %s", key)
			}
		}) != nil {
			<-e.Ready()
			continue
		}
		accepted++
	}
	e.Release()
	<-e.ended
	mu.Lock()
	defer mu.Unlock()
	if len(finals) != accepted {
		t.Errorf("%d ends for %d calls", len(finals), accepted)
	}
	for key, n := range finals {
		if n != 1 {
			t.Errorf("call %s ended %d times", key, n)
		}
	}
}
