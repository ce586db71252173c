package simulation

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/backlog"
	"github.com/event-gateway/gateway/gateway/compare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/gather"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/lifetime"
	"github.com/event-gateway/gateway/gateway/routing"
	"github.com/event-gateway/gateway/gateway/schedule"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/timetable"
	"github.com/event-gateway/gateway/gateway/underway"
	"github.com/event-gateway/gateway/gateway/webhook"
)

// instance is one gateway, from its start to its end: the real stages, composed
// as gateway.Gateway composes them, between a simulated store, simulated engines
// and senders without a network.
type instance struct {
	w         *world
	store     backing
	dispatch  *dispatch.Dispatcher
	gather    *gather.Gatherer
	intake    *intake.Intake
	schedules *schedule.Runner
	backlog   *backlog.Backlog
	handler   *webhook.Handler
	api       http.Handler
	lines     map[string]*line
	running   *up

	current atomic.Pointer[snapshot]
	cancel  context.CancelFunc
	dead    atomic.Bool // it was killed: what it says is said to nobody
	closed  atomic.Bool // nothing is listening
	ready   chan struct{}
	ended   chan struct{}
	err     error
	serving sync.WaitGroup
}

// snapshot is what one revision of the configuration means.
type snapshot struct {
	doc      *config.Document
	layout   *layout
	compiled gateway.Compiled
	rules    *intake.Rules
	plan     *dispatch.Plan
}

// drainTime is what runs get when a gateway stops, as in gateway.Gateway.
const drainTime = 15 * time.Second

// boot starts a gateway on what the disk has.
func (w *world) boot() {
	w.n++
	in := &instance{w: w, lines: map[string]*line{}, ready: make(chan struct{}), ended: make(chan struct{})}
	for _, m := range []*machine{w.near, w.far} {
		in.lines[m.name] = &line{m, in}
		m.start()
	}
	snap, err := in.compile(w.file, nil)
	if err != nil {
		w.fail("the configuration does not load: %v", err)
		return
	}
	in.dispatch = dispatch.New(dispatch.Options{
		Store: (*lateStore)(in), Route: func(ev *event.Event) *store.Entry { return in.intake.Route(ev) }, Log: zap.NewNop(), Grace: drainTime,
	})
	in.gather = gather.New(gather.Options{
		Store: (*lateStore)(in), Next: in.dispatch, Merge: func(ds []*store.Delivery) (*store.Entry, error) { return in.intake.Merge(ds) },
		Route: func(ev *event.Event) *store.Entry { return in.intake.Route(ev) }, Follow: func(*store.Change) func() { return nil }, Log: zap.NewNop(),
	})
	if in.store, err = w.disk.open(in.gather); err != nil {
		w.fail("the store does not open: %v", err)
		return
	}
	in.current.Store(snap)
	in.assemble()
	w.note("gateway %d starts", w.n)
	w.current.Store(in)
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	w.ghosts.Go(func() {
		defer cancel()
		in.err = in.run(ctx)
		close(in.ended)
	})
	<-in.ready
}

// assemble makes the parts that need the store.
func (in *instance) assemble() {
	log := zap.NewNop()
	in.backlog = backlog.New(in.store, log)
	in.intake = intake.New(in.store, func() *intake.Rules { return in.current.Load().rules }, in.backlog.Pending, log)
	in.schedules = schedule.New(func() []*schedule.Schedule { return in.current.Load().compiled.Schedules }, slots{in.store, in}, log)
	in.schedules.Now = func() time.Time { return time.Now().Add(time.Duration(in.w.clock.Load())) }
	in.handler = &webhook.Handler{
		Table: func() *webhook.Table { return in.current.Load().compiled.Webhooks }, Intake: in.intake, Log: log,
	}
	in.api = api.New(api.Options{
		Reader: in.store, Operator: operator{underway.Deliveries{
			Store: in.store, Dispatch: in.dispatch, Gather: in.gather, Tell: func(*store.Delivery) {},
		}, in},
		Runs: underway.Runs{Dispatch: in.dispatch, Log: log}, Log: log, Admin: "127.0.0.1:9090",
	})
}

// run is gateway.Gateway's Run.
func (in *instance) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, in.store.Close()) }()
	l := lifetime.New(ctx, zap.NewNop())
	defer func() { err = errors.Join(l.Stop(), err) }()
	const part = 10 * time.Second
	l.Start("store", part, in.store.Run)
	l.Start("backlog", part, in.backlog.Run)
	if err := routing.Recall(l.Context, in.store, in.dispatch, in.gather); err != nil {
		close(in.ready)
		return err
	}
	in.goLive(in.current.Load())
	l.Start("dispatch", drainTime+part, in.dispatch.Run)
	l.Start("gather", part, in.gather.Run)
	l.Start("serve", 20*time.Second, in.serve)
	l.Start("schedules", part, in.schedules.Run)
	in.up()
	close(in.ready)
	<-l.Context.Done()
	in.down()
	return nil
}

// serve takes requests until ctx ends; those in flight may finish.
func (in *instance) serve(ctx context.Context) error {
	<-ctx.Done()
	in.closed.Store(true)
	in.serving.Wait()
	return nil
}

// compile does all of a reload that can fail.
func (in *instance) compile(l *layout, old *snapshot) (*snapshot, error) {
	doc, compiled, err := in.w.load(apply(in.w.bugs.onText, l.yaml()))
	if err != nil {
		return nil, err
	}
	if old != nil {
		if problems := compare.NeedRestart(old.doc, doc); problems.Failed() {
			return nil, problems
		}
	}
	s := &snapshot{doc: doc, layout: l, compiled: compiled}
	s.rules = &intake.Rules{Table: compiled.Routes, Revision: doc.Revision[:12]}
	s.plan = &dispatch.Plan{Engines: map[string]dispatch.Lane{}, Routes: map[string]dispatch.Rule{}}
	for name, e := range doc.Config.Engines {
		s.plan.Engines[name] = dispatch.Lane{Engine: in.lines[name], InFlight: e.Limits.InFlight, Timeout: time.Duration(e.Limits.Timeout)}
	}
	for name, r := range doc.Config.Routes {
		s.plan.Routes[name] = apply(in.w.bugs.onRule, routing.Rule(r))
	}
	return s, nil
}

// loaded is a configuration that was read before: a gateway that starts again
// mostly reads the same, and that takes time.
type loaded struct {
	doc      *config.Document
	compiled gateway.Compiled
}

// load reads and compiles a configuration.
func (w *world) load(text string) (*config.Document, gateway.Compiled, error) {
	if known, ok := w.loaded[text]; ok {
		return known.doc, known.compiled, nil
	}
	doc, problems := config.Parse("/simulation/gateway.yaml", []byte(text), config.Options{Now: time.Now})
	if problems.Failed() {
		return nil, gateway.Compiled{}, onlyErrors(problems)
	}
	compiled, problems := gateway.Compile(doc)
	if problems.Failed() {
		return nil, gateway.Compiled{}, onlyErrors(problems)
	}
	w.loaded[text] = loaded{doc, compiled}
	return doc, compiled, nil
}

func onlyErrors(all config.Problems) (problems config.Problems) {
	for _, p := range all {
		if p.Severity == config.Error {
			problems = append(problems, p)
		}
	}
	return problems
}

// goLive puts a snapshot in force, all of it.
func (in *instance) goLive(s *snapshot) {
	in.w.era(s) // before anything begins by it
	in.current.Store(s)
	in.dispatch.Apply(s.plan)
	in.gather.Apply(routing.Debounces(s.doc.Config))
}

// era notes from when on a configuration is in force.
func (w *world) era(s *snapshot) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.epochs); n > 0 && w.epochs[n-1].to.IsZero() {
		w.epochs[n-1].to = now
	}
	w.epochs = append(w.epochs, epoch{from: now, revision: s.rules.Revision, layout: s.layout})
}

// reload has the gateway read another file; without a gateway the next one will.
func (w *world) reload(l *layout) {
	in := w.current.Load()
	if in == nil || in.over() {
		if l.broken == "" {
			w.file = l
		}
		return
	}
	snap, err := in.compile(l, in.current.Load())
	switch {
	case err != nil && l.broken == "":
		w.fail("a configuration is refused: %v", err)
	case err == nil && l.broken != "":
		w.fail("P6: a broken configuration is accepted")
	case err == nil:
		w.file = l
		in.goLive(snap)
		in.schedules.Wake() // not at the start: then they look by themselves
	}
}

// up and down note when the gateway was there.
func (in *instance) up() {
	in.w.mu.Lock()
	defer in.w.mu.Unlock()
	in.running = &up{from: time.Now()}
	in.w.ups = append(in.w.ups, in.running)
}

func (in *instance) down() {
	w := in.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if in.running != nil && in.running.to.IsZero() {
		in.running.to = time.Now()
	}
}

// over: it has ended, or is about to, and nobody asked it to.
func (in *instance) over() bool {
	select {
	case <-in.ended:
		return true
	case <-in.store.Failed():
		return true
	default:
		return false
	}
}

// gone: a gateway that is there no more, and its engines with it.
func (w *world) gone(in *instance) {
	in.down()
	w.mu.Lock()
	if n := len(w.epochs); n > 0 && w.epochs[n-1].to.IsZero() {
		w.epochs[n-1].to = time.Now()
	}
	w.mu.Unlock()
	in.dead.Store(true)
	w.near.stop()
	w.far.stop()
	w.current.Store(nil)
}

// kill ends the gateway in the middle of whatever it does.
func (w *world) kill(written bool) {
	in := w.current.Load()
	if in == nil {
		return
	}
	in.dead.Store(true) // first: who is let go by its store has been told nothing
	w.disk.crash(in, written)
	w.gone(in)
	in.cancel()
}

// shutdown stops the gateway as people do.
func (w *world) shutdown() {
	in := w.current.Load()
	if in == nil {
		return
	}
	in.cancel()
	<-in.ended
	if in.err != nil && !errors.Is(in.err, store.ErrFailed) {
		w.fail("the gateway stops: %v", in.err)
	}
	if n := in.handler.Panics(); n > 0 {
		w.fail("%d requests panicked", n)
	}
	w.gone(in)
}

// slots gives schedules their way in, as in gateway.Gateway.
type slots struct {
	backing
	in *instance
}

func (s slots) Fire(ctx context.Context, ev *event.Event, slot *store.Slot) (store.Receipt, error) {
	s.in.w.bugs.slot(ctx, s, ev)
	return s.in.intake.Fire(ctx, ev, slot)
}

func (s slots) Open(ctx context.Context, source, id string) (bool, error) {
	routes := s.in.current.Load().plan.Routes
	return timetable.Open(ctx, s.backing, source, id, func(name string) bool { _, ok := routes[name]; return ok })
}

// lateStore is the store for dispatch, which is made first.
type lateStore instance

func (s *lateStore) Claim(c store.Claim, then func(store.Claimed, error)) {
	s.store.Claim(c, apply(s.w.bugs.onClaim, then))
}
func (s *lateStore) Record(c *store.Change) { s.store.Record(c) }

// operator is what a person may do, as in gateway.Gateway.
type operator struct {
	underway.Deliveries
	in *instance
}

func (o operator) Reload(context.Context) (api.ReloadResult, error) {
	return api.ReloadResult{}, errors.New("not here")
}

func (o operator) Submit(ctx context.Context, e *store.Entry) (store.Receipt, error) {
	entries := []*store.Entry{e}
	receipts, err := o.in.intake.AcceptAll(ctx, entries)
	if err != nil {
		return store.Receipt{}, err
	}
	e.Revision, e.Deliveries = entries[0].Revision, entries[0].Deliveries
	return receipts[0], nil
}
