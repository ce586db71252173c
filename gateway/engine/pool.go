package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

// Options are what a pool needs.
type Options struct {
	// RuntimeDir is a folder of this gateway alone (0700, made when missing)
	// for sockets and for notes about running processes. A short path is best:
	// over 48 bytes, sockets go to a private folder in the system's own.
	RuntimeDir string
	Log        *zap.Logger
}

// Pool owns all engine processes.
type Pool struct {
	dir    string
	log    *zap.Logger
	timing timing
	ctx    context.Context // ends when the pool stops; see Run
	cancel context.CancelFunc

	opened chan struct{} // closed when host or err is set
	host   *process.Host
	err    error

	mu      sync.Mutex
	engines map[identity]*Engine
	stopped bool
	work    sync.WaitGroup // starts and supervisors
}

// identity is a hash of what makes two specs want the same process.
type identity [sha256.Size]byte

// NewPool makes a pool. Nothing happens until Run.
func NewPool(o Options) (*Pool, error) {
	if o.RuntimeDir == "" {
		return nil, fmt.Errorf("engines: no runtime folder")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Pool{dir: o.RuntimeDir, log: o.Log, timing: defaultTiming(), ctx: ctx, cancel: cancel,
		opened: make(chan struct{}), engines: make(map[identity]*Engine)}, nil
}

// Run takes the runtime folder, kills what an earlier gateway left behind, and
// serves Acquire, which waits for it, until ctx ends. Then it stops all
// processes, each in at most about ten seconds, all at the same time. Runs in
// flight are not waited for: that is dispatch's to do before.
func (p *Pool) Run(ctx context.Context) error {
	defer p.cancel()
	p.host, p.err = process.Open(p.dir)
	close(p.opened)
	if p.err != nil {
		return p.err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var forks sync.WaitGroup
	forks.Go(func() { p.host.Serve(serving) })
	<-ctx.Done()
	p.stop()
	stop()
	forks.Wait()
	return p.host.Close()
}

// stop ends all starts and supervisors; no new ones begin.
func (p *Pool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.cancel()
	p.work.Wait()
}

// Acquire gives the engine of a spec: the running one when an equal spec (same
// program by checksum, arguments, environment, configuration and transport) has
// it already, else a new one, started and configured. An error leaves nothing
// behind; a *ConfigError, *ChecksumError or *LimitError tells what in the
// configuration is wrong. Each Acquire wants one Release.
//
// A shared engine may be down just now: see Ready.
func (p *Pool) Acquire(ctx context.Context, spec Spec) (*Engine, error) {
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	spec = spec.withDefaults()
	if !process.CanLimit && spec.Memory+spec.OpenFiles > 0 {
		return nil, &LimitError{Engine: spec.Name}
	}
	binary, err := process.OpenBinary(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", spec.Name, err)
	}
	if err := checkPin(spec, binary); err != nil {
		binary.Close()
		return nil, err
	}
	e, fresh, err := p.enter(spec, binary)
	if !fresh {
		binary.Close()
	}
	switch {
	case err != nil:
		return nil, err
	case fresh:
		return e, p.begin(ctx, e)
	}
	return e, p.join(ctx, e)
}

// wait waits until Run has opened the runtime folder.
func (p *Pool) wait(ctx context.Context) error {
	select {
	case <-p.opened:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter finds the engine of a spec or notes a new one, and takes a reference.
func (p *Pool) enter(spec Spec, binary *process.Binary) (e *Engine, fresh bool, err error) {
	id := identify(spec, binary.Path(), binary.Sum())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, false, ErrStopped
	}
	e, ok := p.engines[id]
	if !ok {
		e = p.newEngine(id, spec, binary)
		p.inherit(e)
		p.engines[id] = e
		p.work.Add(1)
	}
	e.refs++
	e.spec.Store(&spec) // the newest limits hold for all
	if e.drain != nil { // wanted again before it was gone
		e.drain.cancel()
		e.drain = nil
		e.draining.Store(false)
	}
	return e, !ok, nil
}

func (p *Pool) newEngine(id identity, spec Spec, binary *process.Binary) *Engine {
	e := &Engine{pool: p, id: id, kin: identify(spec, binary.Path(), ""), binary: binary,
		ready: make(chan struct{}), started: make(chan struct{}), ended: make(chan struct{}),
		status: Status{Name: spec.Name, State: Starting, Path: binary.Path(), SHA256: binary.Sum()}}
	e.spec.Store(&spec)
	e.log = &logger{zap: p.log.With(zap.String("engine", spec.Name)), tail: &e.tail}
	return e
}

// begin starts a new engine for the first time and hands it to its supervisor.
func (p *Pool) begin(ctx context.Context, e *Engine) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	s, err := e.launch(ctx)
	if err != nil {
		p.mu.Lock()
		delete(p.engines, e.id)
		p.mu.Unlock()
		e.binary.Close()
		e.past.close()
		e.err = err
		close(e.started)
		p.work.Done()
		return err
	}
	life, stop := context.WithCancel(p.ctx)
	e.stop = stop
	up := e.Ready()
	go func() {
		defer p.work.Done()
		defer stop()
		e.supervise(life, s)
	}()
	<-up
	close(e.started)
	return nil
}

// join waits for an engine that somebody else is starting.
func (p *Pool) join(ctx context.Context, e *Engine) error {
	select {
	case <-e.started:
		return e.err
	case <-ctx.Done():
		p.release(e)
		return ctx.Err()
	}
}

func (p *Pool) release(e *Engine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.refs--
	if e.refs > 0 || p.stopped || p.engines[e.id] != e {
		return
	}
	d := &drain{}
	d.ctx, d.cancel = context.WithTimeout(p.ctx, e.spec.Load().Drain)
	e.drain = d
	e.draining.Store(true)
	p.work.Go(func() { p.retire(e, d) })
}

// retire lets an engine's runs end and stops it, unless it was wanted again.
func (p *Pool) retire(e *Engine, d *drain) {
	defer d.cancel()
	<-e.started
	if s := e.session.Load(); s != nil {
		select {
		case <-s.link.WhenIdle():
		case <-s.link.Broken():
		case <-d.ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.drain != d || p.stopped || p.engines[e.id] != e {
		return
	}
	e.drain = nil
	delete(p.engines, e.id)
	if e.stop != nil {
		e.stop()
	}
}

// Engines is the status of all engines, draining ones too.
func (p *Pool) Engines() []Status {
	p.mu.Lock()
	engines := make([]*Engine, 0, len(p.engines))
	for _, e := range p.engines {
		engines = append(engines, e)
	}
	p.mu.Unlock()
	list := make([]Status, len(engines))
	for i, e := range engines {
		list[i] = e.Status()
	}
	return list
}

// identify hashes what a process depends on. Limits that the gateway keeps by
// itself are not part of it: they change without a restart.
func identify(spec Spec, path, sum string) identity {
	text, _ := json.Marshal([]any{ // strings, bytes and maps of strings: never fails
		spec.Name, path, sum, spec.Args, spec.Env, spec.Config, spec.BaseDir, spec.Plain, spec.MaxMessage,
		spec.Memory, spec.OpenFiles,
	})
	return sha256.Sum256(text)
}
