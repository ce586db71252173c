// Package gateway composes the stages into one running program: it turns a
// configuration into a snapshot, swaps snapshots under the flow, and owns
// every goroutine and the order in which things start and stop.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/again"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/live"
	"github.com/event-gateway/gateway/gateway/backlog"
	"github.com/event-gateway/gateway/gateway/compare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/files"
	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/gather"
	"github.com/event-gateway/gateway/gateway/history"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/lifetime"
	"github.com/event-gateway/gateway/gateway/metrics"
	"github.com/event-gateway/gateway/gateway/overlay"
	"github.com/event-gateway/gateway/gateway/reloads"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/routing"
	"github.com/event-gateway/gateway/gateway/schedule"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
	"github.com/event-gateway/gateway/gateway/timetable"
	"github.com/event-gateway/gateway/gateway/underway"
	"github.com/event-gateway/gateway/gateway/webhook"
)

// Options of a gateway.
type Options struct {
	// ConfigPath is the file that declares everything.
	ConfigPath string
	Log        *zap.Logger
	// Version is shown in the status.
	Version string
	// Ready, when set, is called once events are accepted.
	Ready func()
	// Ease, when set, is called when a configuration is about to be read, which
	// takes much memory, and back afterwards.
	Ease func() (back func())
	// Refused is why the file cannot be in force. Then the revision is that was
	// last, from the store in a folder, or in the one that the file names, until
	// the file has been mended.
	Refused config.Problems
	Folder  string
}

// Gateway is one running gateway.
type Gateway struct {
	opts    Options
	log     *zap.Logger
	started time.Time
	env     *expr.Env
	counts  route.Counters
	hooks   *webhook.Registry

	store     *sqlite.Store
	pool      *engine.Pool
	dispatch  *dispatch.Dispatcher
	gather    *gather.Gatherer
	intake    *intake.Intake
	schedules *schedule.Runner
	watcher   *files.Watcher // of the configuration's own file
	referred  *files.Watcher // of what it refers to
	metrics   *metrics.Metrics
	live      *live.Hub
	public    net.Listener
	admin     net.Listener

	current atomic.Pointer[snapshot]
	backlog *backlog.Backlog
	ready   atomic.Bool
	// reloading is held by a reload and by stopping, so that neither meets the
	// other half-way; running ends when the gateway stops, and with it a reload
	// that waits for an engine to start.
	reloading sync.Mutex
	running   context.Context
	stopping  bool
	reloads   reloads.Log
	// lastGood: what is in force is not what the file says.
	lastGood atomic.Bool
}

// New reads the configuration, opens the store and binds the listeners. It
// starts nothing. Mistakes in the configuration come back as config.Problems.
func New(o Options) (*Gateway, error) {
	g := &Gateway{opts: o, log: o.Log, started: time.Now(), env: expr.New(), hooks: webhook.NewRegistry(), live: live.New()}
	file, snap, problems := g.begin()
	if problems.Failed() {
		return nil, problems
	}
	if err := g.open(snap.doc); err != nil {
		return nil, err
	}
	g.current.Store(snap)
	g.assemble(file, snap.doc)
	return g, nil
}

// begin compiles the file, or what is in force in its place.
func (g *Gateway) begin() (file *config.Document, snap *snapshot, problems config.Problems) {
	defer g.ease()()
	file, problems = config.Load(g.opts.ConfigPath, config.Options{Generate: true})
	doc := file
	if len(g.opts.Refused) > 0 {
		doc, problems = history.LastGood(context.Background(), g.opts.Folder, g.opts.ConfigPath, config.Options{Generate: true})
		g.lastGood.Store(true)
	}
	if problems.Failed() {
		return nil, nil, problems
	}
	snap, more := g.compile(doc)
	return file, snap, append(problems, more...)
}

func (g *Gateway) ease() (back func()) {
	if g.opts.Ease == nil {
		return func() {}
	}
	return g.opts.Ease()
}

// open opens the store and binds the listeners, all or nothing.
func (g *Gateway) open(doc *config.Document) (err error) {
	c := doc.Config
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	g.dispatch = dispatch.New(dispatch.Options{
		Store: (*lateStore)(g), Route: g.route, Log: g.log.Named("dispatch"), Observe: g.observe, Follow: g.followed, Grace: drainTime,
	})
	g.gather = gather.New(gather.Options{
		Store: (*lateStore)(g), Next: g.dispatch, Merge: g.merge, Route: g.route, Follow: g.followed, Log: g.log.Named("gather"),
	})
	g.store, err = sqlite.Open(sqlite.Options{
		Dir: c.Store.Path, Taker: g.gather,
		MinFree: uint64(c.Store.MinFree), MaxPending: int64(c.Store.MaxPending),
		Retain: store.Retain{
			Succeeded: time.Duration(c.Store.Retain.Succeeded), Dead: time.Duration(c.Store.Retain.Dead),
			Unrouted: time.Duration(c.Store.Retain.Unrouted), Dedupe: dedupeWindow,
		},
	})
	if err != nil {
		return err
	}
	if g.pool, err = engine.NewPool(engine.Options{RuntimeDir: filepath.Join(c.Store.Path, "run"), Log: g.log.Named("engine")}); err != nil {
		return err
	}
	if g.public, err = net.Listen("tcp", c.Server.Listen); err != nil {
		return fmt.Errorf("server.listen: %w", err)
	}
	if g.admin, err = net.Listen("tcp", c.Server.Admin); err != nil {
		return fmt.Errorf("server.admin: %w", err)
	}
	return nil
}

// dedupeWindow is how long a repeated sending is recognised: longer than
// providers retry.
const dedupeWindow = 7 * 24 * time.Hour

// assemble makes the parts that need the store.
func (g *Gateway) assemble(file, doc *config.Document) {
	g.backlog = backlog.New(g.store, g.log)
	g.intake = intake.New(heard{g}, func() *intake.Rules { return g.current.Load().rules }, g.backlog.Pending, g.log.Named("intake"))
	g.schedules = schedule.New(func() []*schedule.Schedule { return g.current.Load().schedules }, slots{g.store, g}, g.log.Named("schedule"))
	g.watcher = files.NewWatcher(g.changed, files.WatchOptions{Degraded: func(err error) {
		g.log.Warn("the configuration is watched by polling alone", zap.Error(err))
	}})
	g.referred = files.NewWatcher(g.referredChanged, files.WatchOptions{})
	g.watch(doc, true, false)
	if g.lastGood.Load() { // it is tried at once: who refused it read it earlier
		g.watcher.SetFiles(file.Files, "")
	}
	g.metrics = metrics.New(g.status)
}

// Addresses where the gateway listens: useful when the file says port 0.
func (g *Gateway) Addresses() (public, admin net.Addr) { return g.public.Addr(), g.admin.Addr() }

func (g *Gateway) close() error {
	var errs []error
	for _, l := range []net.Listener{g.public, g.admin} {
		if l != nil {
			errs = append(errs, ignoreClosed(l.Close()))
		}
	}
	if g.store != nil {
		errs = append(errs, g.store.Close())
	}
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// How long each part may take to stop.
const (
	drainTime   = 15 * time.Second
	serveTime   = 20 * time.Second
	engineTime  = 45 * time.Second
	defaultTime = 10 * time.Second
)

// Run runs the gateway until ctx ends or a part fails, and stops it in order.
// Problems that only show when engines start come back as config.Problems.
func (g *Gateway) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, g.close()) }()
	l := lifetime.New(ctx, g.log)
	g.running = l.Context
	defer func() { err = errors.Join(l.Stop(), err) }()
	l.Start("store", defaultTime, g.store.Run)
	l.Start("engines", engineTime, g.pool.Run)
	l.Start("backlog", defaultTime, g.backlog.Run)
	l.Start("follow engines", defaultTime, g.watchEngines)
	if err := g.bringUp(l.Context); err != nil {
		return err
	}
	l.Start("dispatch", drainTime+defaultTime, g.dispatch.Run)
	l.Start("gather", defaultTime, g.gather.Run)
	if err := g.serve(l); err != nil {
		return err
	}
	l.Start("schedules", defaultTime, g.schedules.Run)
	l.Start("watch", defaultTime, g.watcher.Run)
	l.Start("watch referred files", defaultTime, g.referred.Run)
	g.setReady(true)
	<-l.Context.Done()
	g.setReady(false)
	return nil
}

// bringUp starts the engines of the first snapshot and puts it in force.
func (g *Gateway) bringUp(ctx context.Context) error {
	defer g.ease()()
	doc, problems, err := g.laid(ctx, g.current.Load().doc)
	if err != nil {
		return err
	}
	snap, problems := g.prepare(ctx, nil, doc, problems)
	if problems.Failed() {
		if err := ctx.Err(); err != nil {
			return nil //nolint:nilerr // stopped while starting: not a failure
		}
		return problems
	}
	result := api.ReloadResult{Revision: snap.revision, Differences: compare.Differences(&config.Config{}, snap.doc.Config), Problems: overlay.Problems(append(problems, g.opts.Refused...))}
	g.reloads.Add(result, true)
	reason := "start"
	if g.lastGood.Load() {
		reason = "last good"
		g.log.Error("the file is refused: the last good revision is in force until it is mended", zap.String("revision", snap.revision), zap.Error(g.opts.Refused))
	}
	if err = routing.Recall(ctx, g.store, g.dispatch, g.gather); err == nil {
		g.goLive(ctx, snap, result, reason)
	}
	return err
}

func (g *Gateway) setReady(ready bool) {
	g.ready.Store(ready)
	if ready {
		public, admin := g.Addresses()
		g.log.Info("ready", zap.Stringer("listen", public), zap.Stringer("admin", admin),
			zap.String("revision", g.current.Load().revision), zap.String("durability", string(g.store.Durability())))
		if g.opts.Ready != nil {
			g.opts.Ready()
		}
		return
	}
	g.reloading.Lock()
	g.stopping = true
	g.reloading.Unlock()
}

// serve starts both HTTP servers.
func (g *Gateway) serve(l *lifetime.Parts) error {
	handler := &webhook.Handler{
		Table: func() *webhook.Table { return g.current.Load().webhooks }, Intake: g.intake, Log: g.log.Named("webhook"),
	}
	hooks, err := webhook.NewServer(handler, g.log.Named("webhook"))
	if err != nil {
		return err
	}
	server := api.NewServer(api.New(api.Options{
		Reader: underway.Reading{Reader: g.store, Gather: g.gather}, Operator: operator{g.deliveries(), g}, Overlay: overlaid{g}, Schedules: g.board(),
		Runs:      underway.Runs{Dispatch: g.dispatch, Log: g.log.Named("runs")},
		Revisions: history.History{Store: g.store},
		Engines:   underway.Engines{Pool: g.pool, Declared: func(name string) bool { return g.current.Load().engines[name] != nil }},
		Status:    g.status, Metrics: g.metrics.Handler(g.log.Named("api")),
		Log: g.log.Named("api"), Admin: g.admin.Addr().String(), Explain: g.explainer(), Replay: g.past(), MaxBody: int64(g.current.Load().doc.Config.Server.MaxBody),
		Tokens: func() []access.Token { return g.current.Load().tokens }, Live: g.live,
	}), g.log.Named("api"))
	server.RegisterOnShutdown(g.live.Close) // who follows or waits would keep it from ending
	l.Start("admin", serveTime, func(ctx context.Context) error { return serveHTTP(ctx, server, g.secured(g.admin, admin)) })
	l.Start("webhooks", serveTime, func(ctx context.Context) error {
		return serveHTTP(ctx, hooks, g.secured(webhook.Limit(g.public, 0), public))
	})
	return nil
}

// server is what listens: http.Server, or what has one.
type server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
}

// serveHTTP serves until ctx ends; then requests in flight may finish.
func serveHTTP(ctx context.Context, s server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), serveTime)
	defer cancel()
	err := s.Shutdown(grace)
	<-failed
	return err
}

// route makes an entry of an event of the gateway's own.
func (g *Gateway) route(ev *event.Event) *store.Entry { return g.intake.Route(ev) }

// merge makes an entry of deliveries that have gathered.
func (g *Gateway) merge(members []*store.Delivery) (*store.Entry, error) {
	return g.intake.Merge(members)
}

func (g *Gateway) observe(o dispatch.Observation) {
	g.metrics.Attempt(o.Route, o.Engine, o.Outcome, o.Took)
}

// slots gives schedules their way in.
type slots struct {
	*sqlite.Store
	g *Gateway
}

func (s slots) Fire(ctx context.Context, ev *event.Event, slot *store.Slot) (store.Receipt, error) {
	return s.g.intake.Fire(ctx, ev, slot)
}

func (s slots) Open(ctx context.Context, source, id string) (bool, error) {
	routes := s.g.current.Load().plan.Routes
	return timetable.Open(ctx, s.Store, source, id, func(name string) bool { _, ok := routes[name]; return ok })
}

func (g *Gateway) board() timetable.Board {
	return timetable.Board{Runner: g.schedules, Document: func() *config.Document { return g.current.Load().doc }}
}

func (g *Gateway) explainer() routing.Explainer {
	return routing.Explainer{Env: g.env, Events: g.store, History: routing.Kept{History: history.History{Store: g.store}}, Live: func() *intake.Rules { return g.current.Load().rules }}
}

func (g *Gateway) past() again.Past {
	return again.Past{Store: g.store, Intake: g.intake, Due: g.deliveries().Due,
		Rules: func() *intake.Rules { return g.current.Load().rules }, Document: func() *config.Document { return g.current.Load().doc }}
}

// lateStore is the store for dispatch, which is made first because the store
// needs it.
type lateStore Gateway

func (s *lateStore) Claim(c store.Claim, then func(store.Claimed, error)) { s.store.Claim(c, then) }
func (s *lateStore) Record(c *store.Change)                               { s.store.Record(c) }
