package gateway

import (
	"context"
	"errors"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/compare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/history"
	"github.com/event-gateway/gateway/gateway/overlay"
	"github.com/event-gateway/gateway/gateway/routing"
)

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
	defer g.ease()()
	old := g.current.Load()
	doc, problems := g.read(old, whole)
	snap, problems := g.prepare(ctx, old, doc, problems)
	g.watch(doc, whole, problems.Failed())
	result := api.ReloadResult{Revision: old.revision, Problems: overlay.Problems(problems)}
	if problems.Failed() {
		if g.running.Err() != nil {
			return result, errStopping
		}
		g.live.Tell(api.ReloadMessage(*g.reloads.Add(result, whole)))
		g.log.Error("configuration refused, the old one stays", zap.String("reason", reason), zap.Error(problems))
		return result, nil
	}
	result.Differences = compare.Differences(old.doc.Config, snap.doc.Config)
	result.Revision, result.Changed = snap.revision, snap.revision != old.revision
	status := g.reloads.Add(result, whole)
	g.lastGood.CompareAndSwap(whole, false)
	g.goLive(ctx, snap, result, reason)
	g.live.Tell(api.ReloadMessage(*status))
	if !snap.inherited {
		old.release()
	}
	return result, nil
}

// prepare does all that can fail, and touches nothing that is live. What turns
// out to be wrong with what was laid over the file is set aside: then all is
// done again without it. old is nil at the start.
func (g *Gateway) prepare(ctx context.Context, old *snapshot, doc *config.Document, problems config.Problems) (*snapshot, config.Problems) {
	if problems.Failed() {
		return nil, problems
	}
	var spent []*snapshot // until the end, so that their engines need not start anew
	defer func() {
		for _, s := range spent {
			s.release()
		}
	}()
	for {
		snap, more := g.attempt(ctx, old, doc)
		if !more.Failed() {
			problems = append(problems, more...)
			problems.Sort()
			return snap, problems
		}
		spent = append(spent, snap)
		less, again := doc.SetAside(more)
		if less == nil {
			problems = append(problems, more...)
			problems.Sort()
			return nil, problems
		}
		doc, problems = less, again
	}
}

// attempt builds a snapshot; one with problems is to be released.
func (g *Gateway) attempt(ctx context.Context, old *snapshot, doc *config.Document) (*snapshot, config.Problems) {
	snap, problems := g.compile(doc)
	if old != nil {
		problems = append(problems, compare.NeedRestart(old.doc, doc)...)
	}
	if problems.Failed() {
		return snap, problems
	}
	if old != nil && doc.Rereads() && snap.carriesOn(old) {
		snap.inherit(old)
		return snap, problems
	}
	return snap, append(problems, snap.acquire(ctx, g.pool, old)...)
}

// goLive puts a snapshot in force. Nothing in here can fail.
func (g *Gateway) goLive(ctx context.Context, snap *snapshot, result api.ReloadResult, reason string) {
	old := g.current.Swap(snap)
	for _, a := range snap.doc.Aside {
		g.log.Warn("entry set aside", zap.String("entry", a.Name), zap.Error(a.Problems))
	}
	if !snap.inherited {
		g.dispatch.Apply(snap.plan)
		g.gather.Apply(routing.Debounces(snap.doc.Config))
		g.schedules.Wake()
	}
	g.log.Info("configuration in force", zap.String("reason", reason), zap.String("revision", snap.revision),
		zap.Strings("differences", result.Differences))
	if snap.inherited {
		return // the same revision
	}
	// History is for people; a gateway that can't write it has worse trouble.
	step := history.Step{Now: snap.doc, Revision: snap.revision, Names: result.Differences, Reason: reason, By: access.In(ctx).Who()}
	if old != nil && g.ready.Load() {
		step.Before = old.doc
	}
	err := history.History{Store: g.store}.Add(ctx, step)
	if err != nil && ctx.Err() == nil {
		g.log.Warn("revision not kept", zap.Error(err))
	}
}

// baseDir is the folder of the configuration file.
func (b *builder) baseDir() string {
	if dir, err := filepath.Abs(filepath.Dir(b.doc.Path)); err == nil {
		return dir
	}
	return filepath.Dir(b.doc.Path)
}
