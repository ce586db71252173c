package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// stream takes one message at a time.
type stream struct {
	mu  sync.Mutex
	out enginev1.EngineService_RunServer
}

// run is one run under way.
type run struct {
	key, workflow string
	from          *stream     // where it was started first
	stop          chan string // why
	answers       chan []byte
}

func (e *engine) Run(out enginev1.EngineService_RunServer) error {
	st := &stream{out: out}
	if err := e.begin(st); err != nil {
		return err
	}
	defer e.end(st)
	for {
		m, err := out.Recv()
		if err != nil {
			return nil
		}
		for i, c := range m.Commands {
			if i > 0 && defect("first-only") {
				break
			}
			if err := e.obey(st, c); err != nil {
				return err
			}
		}
	}
}

func (e *engine) begin(st *stream) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opened++; e.opened > 1 && defect("one-stream") {
		return status.Error(codes.ResourceExhausted, "one stream is all there is")
	}
	e.open = append(e.open, st)
	return nil
}

func (e *engine) end(st *stream) {
	if defect("forgets-runs") {
		e.stopAll()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, r := range e.runs {
		if defect("no-get") && e.on[key] == st || defect("stops-moved") && r.from == st {
			r.stop <- "the stream is over"
		}
	}
	e.open = slices.DeleteFunc(e.open, func(other *stream) bool { return other == st })
}

func (e *engine) stopAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, r := range e.runs {
		r.stop <- "nobody listens any more"
		delete(e.runs, key)
	}
}

func (e *engine) obey(st *stream, c *enginev1.Command) error {
	switch c := c.Command.(type) {
	case *enginev1.Command_Start:
		return e.start(st, c.Start)
	case *enginev1.Command_Cancel:
		r := e.find(c.Cancel.Key)
		if r == nil && defect("fragile") {
			return status.Error(codes.NotFound, "no such run")
		}
		if r != nil && !defect("deaf") {
			r.stop <- "cancelled"
		}
	case *enginev1.Command_Answer:
		e.answer(st, c.Answer)
	}
	return nil
}

func (e *engine) find(key string) *run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[key]
}

// answer goes on with a run that waits, also one of an earlier process.
func (e *engine) answer(st *stream, m *enginev1.Answer) {
	e.mu.Lock()
	e.on[m.Key] = st
	e.mu.Unlock()
	lost := &enginev1.RunUpdate{Update: &enginev1.RunUpdate_Failed{Failed: &enginev1.Failed{Message: "no such run waits"}}}
	switch r := e.find(m.Key); {
	case defect("unanswerable"):
	case r != nil:
		r.answers <- m.Input
	case e.recall(m.Key) == "waiting":
		e.succeed(m.Key, m.Input)
	case !defect("ignores-lost"):
		e.send(m.Key, lost)
	}
}

func (e *engine) start(st *stream, m *enginev1.Start) error {
	known := e.recall(m.Key)
	e.mu.Lock()
	there := e.runs[m.Key] != nil
	if !there || !defect("stays") {
		e.on[m.Key] = st
	}
	if there && !defect("twice") {
		e.mu.Unlock()
		if defect("refuses-again") {
			e.fail(m.Key, "it runs already", enginev1.FailureKind_FAILURE_KIND_PERMANENT)
		}
		return nil // its end will come
	}
	busy := len(e.runs)
	r := &run{key: m.Key, workflow: m.Workflow, from: st, stop: make(chan string, 8), answers: make(chan []byte, 8)}
	e.runs[m.Key] = r
	e.mu.Unlock()
	switch {
	case m.Workflow != "quick" && m.Workflow != "slow" && m.Workflow != "ask":
		if defect("strict") {
			return status.Error(codes.InvalidArgument, "unknown workflow")
		}
		e.fail(r.key, "unknown workflow", enginev1.FailureKind_FAILURE_KIND_PERMANENT)
	case known == "succeeded" && defect("once"), known == "running" && defect("locked"):
		e.fail(r.key, "this key was there before", enginev1.FailureKind_FAILURE_KIND_PERMANENT)
	case busy >= 16 && defect("small-crowd"): // nobody will ever hear of it
	default:
		e.remember(r.key, "running")
		e.send(r.key, &enginev1.RunUpdate{Update: &enginev1.RunUpdate_Accepted{Accepted: &enginev1.Accepted{RunId: "run-" + r.key}}})
		go e.do(r, m)
	}
	return nil
}

func (e *engine) do(r *run, m *enginev1.Start) {
	running <- struct{}{}
	defer func() { <-running }()
	switch m.Workflow {
	case "quick":
		e.quick(r, m)
	case "slow":
		e.slow(r, m)
	case "ask":
		e.ask(r, m)
	}
}

func (e *engine) quick(r *run, m *enginev1.Start) {
	e.send(r.key, &enginev1.RunUpdate{Update: &enginev1.RunUpdate_Progress{Progress: &enginev1.Progress{Step: "half", Fraction: 0.5}}})
	say(`{"@level":"info","@message":"quick"}` + "\n")
	fmt.Println("what is printed must not disturb")
	time.Sleep(20 * time.Millisecond)
	chatter()
	switch {
	case defect("dies"):
		os.Exit(3)
	case defect("refuses"):
		e.fail(r.key, "no", enginev1.FailureKind_FAILURE_KIND_PERMANENT)
		return
	case defect("other-key"):
		r.key += "-other"
	case defect("no-json"):
		e.succeed(r.key, []byte("fine"))
		return
	}
	e.succeed(r.key, m.Input)
	if defect("ends-twice") {
		e.succeed(r.key, m.Input)
	}
}

// chatter is what an engine writes that should not.
func chatter() {
	if defect("bad-log") {
		say(`{"@level":"info","@message":7}` + "\n")
	}
	if defect("torn-log") {
		say(`{"@level":"info",` + "\n" + `"@message":"in two lines"}` + "\n")
	}
	if defect("long-log") {
		say(strings.Repeat("x", 100_000) + "\n")
	}
	if defect("long-line") {
		longLine()
	}
}

// say writes a line in one piece: others write too.
func say(text string) { _, _ = os.Stderr.WriteString(text) }

// longLine prints once: a pipe that nobody reads would stop the engine.
var longLine = sync.OnceFunc(func() { fmt.Println(strings.Repeat("x", 100_000)) })

func (e *engine) slow(r *run, m *enginev1.Start) {
	helper := exec.Command("/bin/sleep", "20")
	if defect("leaky") {
		helper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if defect("hurried") && string(m.Input) != `{"how":"slowly"}` {
		e.fail(r.key, "how slow?", enginev1.FailureKind_FAILURE_KIND_PERMANENT)
		return
	}
	if err := helper.Start(); err != nil {
		panic(err)
	}
	var late <-chan time.Time
	if m.Deadline != nil && !defect("timeless") {
		late = time.After(time.Until(m.Deadline.AsTime()))
	}
	why := "the time is up"
	select {
	case why = <-r.stop:
	case <-late:
	}
	_ = helper.Process.Kill()
	_ = helper.Wait()
	kind := enginev1.FailureKind_FAILURE_KIND_RETRYABLE
	if defect("hasty") {
		kind = enginev1.FailureKind_FAILURE_KIND_PERMANENT
	}
	if defect("pleased") {
		e.succeed(r.key, nil)
		return
	}
	e.fail(r.key, why, kind)
}

func (e *engine) ask(r *run, m *enginev1.Start) {
	if defect("unasking") && string(m.Input) != `{"ask":"Ada"}` {
		e.fail(r.key, "ask what?", enginev1.FailureKind_FAILURE_KIND_PERMANENT)
		return
	}
	if !defect("forgetful") {
		e.remember(r.key, "waiting")
	}
	e.send(r.key, &enginev1.RunUpdate{Update: &enginev1.RunUpdate_Waiting{Waiting: &enginev1.Waiting{Prompt: "well?"}}})
	if defect("impatient") {
		e.succeed(r.key, nil)
		return
	}
	select {
	case answer := <-r.answers:
		e.succeed(r.key, answer)
	case why := <-r.stop:
		e.fail(r.key, why, enginev1.FailureKind_FAILURE_KIND_RETRYABLE)
	}
}

func (e *engine) succeed(key string, output []byte) {
	if limit := maxMessage(); len(output) > limit && !defect("boastful") {
		e.fail(key, fmt.Sprintf("the output has %d bytes, of %d", len(output), limit), enginev1.FailureKind_FAILURE_KIND_PERMANENT)
		return
	}
	e.ended(key, "succeeded")
	e.send(key, &enginev1.RunUpdate{Update: &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{Output: output}}})
}

func (e *engine) fail(key, message string, kind enginev1.FailureKind) {
	e.ended(key, "failed")
	e.send(key, &enginev1.RunUpdate{Update: &enginev1.RunUpdate_Failed{Failed: &enginev1.Failed{Message: message, Kind: kind}}})
}

func (e *engine) ended(key, state string) {
	e.remember(key, state)
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.runs, key)
}

// send writes where the run was started or, when that stream broke, on the
// newest; without one nobody listens.
func (e *engine) send(key string, m *enginev1.RunUpdate) {
	m.Key = key
	e.mu.Lock()
	st := e.on[key]
	if !slices.Contains(e.open, st) {
		st = nil
		if n := len(e.open); n > 0 {
			st = e.open[n-1]
		}
	}
	e.mu.Unlock()
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	_ = st.out.Send(&enginev1.RunResponse{Updates: []*enginev1.RunUpdate{m}})
}
