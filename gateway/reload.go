package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/store"
)

// reloadLog remembers how reloads went.
type reloadLog struct {
	mu                sync.Mutex
	accepted, refused uint64
	// last is the latest one of all of the configuration, referred the latest
	// one since then of what it refers to.
	last, referred *api.ReloadStatus
}

func (l *reloadLog) add(r api.ReloadResult, whole bool) *api.ReloadStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Refused() {
		l.refused++
	} else {
		l.accepted++
	}
	status := &api.ReloadStatus{At: time.Now().UTC(), OK: !r.Refused(), ReloadResult: r}
	switch {
	case !whole:
		l.referred = status
	case status.OK:
		l.last, l.referred = status, nil
	default:
		l.last = status
	}
	return status
}

// shown is the reload to tell of: one that was refused before one that was not.
// A secret that was swapped does not make up for a file that is broken.
func (l *reloadLog) shown() *api.ReloadStatus {
	if l.referred == nil || l.last != nil && !l.last.OK {
		return l.last
	}
	return l.referred
}

// errStopping: a reload that came too late.
var errStopping = errors.New("reload: the gateway is stopping")

// changed is told by the watcher that a file is not what it was.
func (g *Gateway) changed() {
	if _, err := g.Reload(context.Background(), "file"); err != nil && !errors.Is(err, errStopping) {
		g.log.Error("reload", zap.Error(err))
	}
}

// Reload reads the configuration again and puts it in force, all of it at
// once, or refuses it and changes nothing: then the result has problems. The
// reason is for the log.
func (g *Gateway) Reload(ctx context.Context, reason string) (api.ReloadResult, error) {
	return g.reload(ctx, reason, true)
}

// reload reads all of the configuration, or only what the one in force refers
// to.
func (g *Gateway) reload(ctx context.Context, reason string, whole bool) (api.ReloadResult, error) {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	if g.stopping || !g.ready.Load() {
		return api.ReloadResult{}, errStopping
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.running, cancel)()
	old := g.current.Load()
	doc, problems := g.read(old, whole)
	snap, problems := g.prepare(ctx, old, doc, problems)
	g.watch(doc, whole, problems.Failed())
	result := api.ReloadResult{Revision: old.revision, Problems: apiProblems(problems)}
	if problems.Failed() {
		if g.running.Err() != nil {
			return result, errStopping
		}
		g.live.Tell(api.ReloadMessage(*g.reloads.add(result, whole)))
		g.log.Error("configuration refused, the old one stays", zap.String("reason", reason), zap.Error(problems))
		return result, nil
	}
	result.Differences = differences(old.doc.Config, snap.doc.Config)
	result.Revision, result.Changed = snap.revision, snap.revision != old.revision
	status := g.reloads.add(result, whole)
	g.goLive(ctx, snap, result, reason)
	g.live.Tell(api.ReloadMessage(*status))
	if !snap.inherited {
		old.release()
	}
	return result, nil
}

// prepare does all that can fail, and touches nothing that is live.
func (g *Gateway) prepare(ctx context.Context, old *snapshot, doc *config.Document, problems config.Problems) (*snapshot, config.Problems) {
	if problems.Failed() {
		return nil, problems
	}
	snap, more := g.compile(doc)
	problems = append(problems, more...)
	problems = append(problems, needRestart(old.doc, doc)...)
	if problems.Failed() {
		return nil, problems
	}
	if doc.Rereads() && snap.carriesOn(old) {
		snap.inherit(old)
	} else if problems = append(problems, snap.acquire(ctx, g.pool, old)...); problems.Failed() {
		snap.release()
	}
	problems.Sort()
	return snap, problems
}

// goLive puts a snapshot in force. Nothing in here can fail.
func (g *Gateway) goLive(ctx context.Context, snap *snapshot, result api.ReloadResult, reason string) {
	g.current.Store(snap)
	if !snap.inherited {
		g.dispatch.Apply(snap.plan)
		g.schedules.Wake()
	}
	g.log.Info("configuration in force", zap.String("reason", reason), zap.String("revision", snap.revision),
		zap.Strings("differences", result.Differences))
	if snap.inherited {
		return // the same revision
	}
	// History is for people; a gateway that can't write it has worse trouble.
	err := g.store.AddRevision(ctx, store.Revision{
		Hash: snap.revision, At: time.Now(), Content: snap.doc.Text(), Difference: strings.Join(result.Differences, "; "),
	})
	if err != nil && ctx.Err() == nil {
		g.log.Warn("revision not kept", zap.Error(err))
	}
}

// needRestart names what a running gateway can't change.
func needRestart(old, doc *config.Document) (problems config.Problems) {
	a, b := old.Config, doc.Config
	for _, s := range []struct {
		path         string
		running, now any
	}{
		{"server.listen", a.Server.Listen, b.Server.Listen},
		{"server.admin", a.Server.Admin, b.Server.Admin},
		{"server.tls", onOff(a.Server.TLS), onOff(b.Server.TLS)},
		{"server.admin_tls", onOff(a.Server.AdminTLS), onOff(b.Server.AdminTLS)},
		{"store.path", a.Store.Path, b.Store.Path},
		{"store.retain.succeeded", a.Store.Retain.Succeeded, b.Store.Retain.Succeeded},
		{"store.retain.dead", a.Store.Retain.Dead, b.Store.Retain.Dead},
		{"store.retain.unrouted", a.Store.Retain.Unrouted, b.Store.Retain.Unrouted},
		{"store.min_free", a.Store.MinFree, b.Store.MinFree},
		{"store.max_pending", a.Store.MaxPending, b.Store.MaxPending},
	} {
		if s.running != s.now {
			problems = append(problems, doc.Problem(s.path, fmt.Sprintf("needs a restart (running %q, file %q)", fmt.Sprint(s.running), fmt.Sprint(s.now)), ""))
		}
	}
	return problems
}

// onOff: a listener speaks TLS or it does not; with what, may change.
func onOff(t *config.TLS) string {
	if t == nil {
		return "off"
	}
	return "on"
}

// differences names what changed from one configuration to the next.
func differences(a, b *config.Config) (list []string) {
	add := func(section, names string) {
		if names != "" {
			list = append(list, section+":"+names)
		}
	}
	if a.Version != 0 { // there was a server before
		add("server", diff(serverKeys(a.Server), serverKeys(b.Server)))
	}
	add("engines", diff(a.Engines, b.Engines))
	add("webhooks", diff(a.Webhooks, b.Webhooks))
	add("schedules", diff(a.Schedules, b.Schedules))
	add("routes", diff(a.Routes, b.Routes))
	return list
}

// serverKeys are what may change while the gateway runs; TLS has in it what its
// files hold.
func serverKeys(s config.Server) map[string]any {
	return map[string]any{
		"max_body": s.MaxBody, "public_url": s.PublicURL, "trusted_proxies": s.TrustedProxies, "tls": s.TLS, "admin_tls": s.AdminTLS,
		"tokens": s.Tokens,
	}
}

// diff is "+new -gone ~changed".
func diff[T any](a, b map[string]T) string {
	var changes []string
	for name, now := range b {
		before, ok := a[name]
		switch {
		case !ok:
			changes = append(changes, " +"+name)
		case !reflect.DeepEqual(before, now):
			changes = append(changes, " ~"+name)
		}
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			changes = append(changes, " -"+name)
		}
	}
	slices.Sort(changes)
	return strings.Join(changes, "")
}

func apiProblems(problems config.Problems) []api.ConfigProblem {
	var list []api.ConfigProblem
	for _, p := range problems {
		list = append(list, api.ConfigProblem{
			File: p.File, Line: p.Line, Col: p.Col, EndCol: p.EndCol, Path: p.Path,
			Message: p.Message, Hint: p.Hint, Severity: fmt.Sprint(p.Severity),
		})
	}
	return list
}

// baseDir is the folder of the configuration file.
func (b *builder) baseDir() string {
	if dir, err := filepath.Abs(filepath.Dir(b.doc.Path)); err == nil {
		return dir
	}
	return filepath.Dir(b.doc.Path)
}
