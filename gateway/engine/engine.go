// Package engine keeps the programs that run workflows: it starts engines,
// shares them between configurations, watches over them, and carries calls
// from dispatch to them and their updates back.
//
// A Pool owns the processes. Acquire gives an Engine, which lives through
// crashes of its process: calls in flight then end as Lost, Run answers
// ErrDown until a new process is up, and nothing is tried twice in here. What
// a lost run became is asked with Get; whether to try again is dispatch's to
// decide.
package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

// Spec says how to start an engine's process.
type Spec struct {
	// Name is the engine's name in the configuration.
	Name string
	// Path is the program, absolute.
	Path string
	// SHA256 pins the program: lower-case hexadecimal, "" is unpinned.
	SHA256 string
	Args   []string
	// Env is all that the process sees; PATH is the gateway's if not here.
	Env map[string]string
	// Config is given to the engine once, as JSON; nil is null.
	Config []byte
	// BaseDir is where the process starts and where relative paths in Config
	// begin.
	BaseDir string
	// Plain leaves out mutual TLS, for engines that can't do it.
	Plain bool
	// MaxMessage is the largest message either side may send, in bytes; 0 is
	// 4 MiB.
	MaxMessage int64
	// StartTimeout bounds a start until the engine is configured; 0 is 10s.
	StartTimeout time.Duration
	// Memory and OpenFiles bound each process, in bytes and in number; 0 is no
	// bound.
	Memory, OpenFiles int64
	// Drain is how long runs in flight may go on after the last Release; 0 is
	// 30s.
	Drain time.Duration
	// More than Restarts crashes within RestartWindow are a crash loop; 0 is
	// 5 in a minute.
	Restarts      int
	RestartWindow time.Duration
}

func (s Spec) withDefaults() Spec {
	s.Args, s.Env, s.Config = slices.Clone(s.Args), maps.Clone(s.Env), slices.Clone(s.Config)
	setDefault(&s.MaxMessage, 4<<20)
	setDefault(&s.StartTimeout, 10*time.Second)
	setDefault(&s.Drain, 30*time.Second)
	setDefault(&s.Restarts, 5)
	setDefault(&s.RestartWindow, time.Minute)
	return s
}

func setDefault[T ~int | ~int64](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

// Engine is an engine in use. It is shared by all who acquired it with an
// equal Spec; its methods may be called from any goroutine.
type Engine struct {
	pool *Pool
	// id is what it was made from, kin the same but for the program's checksum.
	id, kin identity
	spec    atomic.Pointer[Spec] // identical but for name-independent limits
	binary  *process.Binary      // touched by whoever starts the process alone
	past    past
	log     *logger
	tail    tail

	session  atomic.Pointer[session] // nil while down
	draining atomic.Bool

	mu     sync.Mutex
	status Status
	desc   Description
	ready  chan struct{}

	started chan struct{} // closed when the first start has ended, either way
	err     error         // of the first start; set before started is closed
	stop    context.CancelFunc
	ended   chan struct{} // closed when the process is gone for good

	// guarded by Pool.mu
	refs  int
	drain *drain // while draining
}

// drain is the time between the last Release and the end.
type drain struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// Run starts a workflow run. It does not wait: the engine's updates go to
// report, in order, from a goroutine that carries the updates of all runs, so
// report must be quick. After a nil error exactly one final update follows;
// after an error none.
//
// The error is ErrDown while there is no process, ErrBusy when it does not
// take calls as fast as they come, ErrInFlight when a call with this key has
// not ended, all worth another try later, or a *TooLargeError, which is not.
func (e *Engine) Run(c Call, report func(Update)) error {
	s := e.session.Load()
	if s == nil || e.draining.Load() {
		return ErrDown
	}
	return s.link.Run(c, report)
}

// Cancel asks the engine to end a run. Its final update still follows.
func (e *Engine) Cancel(key, reason string) {
	if s := e.session.Load(); s != nil {
		s.link.Cancel(key, reason)
	}
}

// Forget drops a call: nothing more is reported for its key. It is for a run
// that does not end after Cancel.
func (e *Engine) Forget(key string) {
	if s := e.session.Load(); s != nil {
		s.link.Forget(key)
	}
}

// Answer resumes a waiting run with one JSON value.
func (e *Engine) Answer(key string, input []byte) error {
	s := e.session.Load()
	if s == nil {
		return ErrDown
	}
	return s.link.Answer(key, input)
}

// Get asks what became of a run: Unknown, Running, Waiting, Succeeded or
// Failed. Engines that can't tell answer Unknown.
func (e *Engine) Get(ctx context.Context, key, runID string) (Update, error) {
	s := e.session.Load()
	if s == nil {
		return Update{}, ErrDown
	}
	return s.link.Get(ctx, key, runID)
}

// Attach is Get, and takes up a run that goes on: when the answer is Running
// or Waiting, its further updates go to report as after Run, the first perhaps
// before Attach returns. After any other answer nothing is reported.
func (e *Engine) Attach(ctx context.Context, key, runID string, report func(Update)) (Update, error) {
	s := e.session.Load()
	if s == nil || e.draining.Load() {
		return Update{}, ErrDown
	}
	return s.link.Attach(ctx, key, runID, report)
}

// Check asks whether a workflow can run with an input: its constant part as a
// JSON object and the names of the keys that are computed per event. Without
// problems the route may go live.
func (e *Engine) Check(ctx context.Context, workflow string, input []byte, computed []string) ([]Problem, error) {
	s := e.session.Load()
	if s == nil {
		return nil, ErrDown
	}
	return s.link.Check(ctx, workflow, input, computed)
}

// Describe is what the engine said about itself when it was last started.
func (e *Engine) Describe() Description {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.desc
}

// Ready is closed while the engine is up. After it went down there is a new
// channel: ask again.
func (e *Engine) Ready() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ready
}

// Release gives the engine back, once for each Acquire. After the last one,
// runs in flight may end for Spec.Drain, in the background; then the process
// is stopped and what still runs is Lost. Runs that wait for an answer are not
// waited for.
func (e *Engine) Release() { e.pool.release(e) }
