package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/declare"
	"github.com/event-gateway/gateway/gateway/compare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/overlay"
	"github.com/event-gateway/gateway/gateway/store"
)

// laid is the configuration as it was read, with what the store has laid over
// it.
func (g *Gateway) laid(ctx context.Context, doc *config.Document) (*config.Document, config.Problems, error) {
	kept, err := g.store.Overlay(ctx)
	if err != nil {
		return nil, nil, err
	}
	entries := make([]config.Entry, len(kept))
	for i, e := range kept {
		entries[i] = config.Entry(e)
	}
	doc, problems := doc.Overlaid(entries)
	return doc, problems, nil
}

// edit changes what is laid over the configuration: one entry is put, or one
// of a name is dropped.
type edit struct {
	put  *config.Entry
	drop string
}

func (e edit) apply(entries []config.Entry) []config.Entry {
	if e.put != nil {
		return append(slices.Clone(entries), *e.put)
	}
	return slices.DeleteFunc(slices.Clone(entries), func(x config.Entry) bool { return x.Name == e.drop })
}

func (e edit) persist(ctx context.Context, g *Gateway) error {
	if e.put != nil {
		return g.store.PutOverlay(ctx, store.OverlayEntry(*e.put))
	}
	return g.store.DropOverlay(ctx, e.drop)
}

// change is a reload of a kind, of the file as it is in force: build, check,
// persist, swap. plan says what to change, in view of what stands there.
func (g *Gateway) change(ctx context.Context, plan func(*config.Document) (edit, error)) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	if g.stopping || !g.ready.Load() {
		return ask.Refuse(http.StatusServiceUnavailable, "the gateway is starting or stopping")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.running, cancel)()
	old := g.current.Load()
	e, err := plan(old.doc)
	if err != nil {
		return err
	}
	doc, problems := old.doc.Overlaid(e.apply(old.doc.Overlay))
	snap, problems := g.prepare(ctx, old, doc, problems)
	if problems.Failed() {
		g.log.Error("the configuration in force can't be built again", zap.Error(problems))
		return ask.Refuse(http.StatusServiceUnavailable, "the configuration in force cannot be built again: see what a reload says")
	}
	if err = errors.Join(e.refused(snap.doc), ctx.Err()); err == nil {
		err = e.persist(ctx, g)
	}
	if err != nil {
		snap.release()
		return err
	}
	result := api.ReloadResult{Revision: snap.revision, Differences: compare.Differences(old.doc.Config, snap.doc.Config)}
	g.goLive(ctx, snap, result, "api")
	old.release()
	return nil
}

// refused is why what was put cannot be in force.
func (e edit) refused(doc *config.Document) error {
	if e.put == nil {
		return nil
	}
	for _, a := range doc.Aside {
		if a.Name == e.put.Name {
			p := ask.Refuse(http.StatusUnprocessableEntity, "%s", a.Problems[0].Message)
			p.Errors = overlay.Problems(a.Problems)
			return p
		}
	}
	return nil
}

// overlaid is what people make while the gateway runs.
type overlaid struct{ *Gateway }

func (o overlaid) doc() *config.Document { return o.current.Load().doc }

func (o overlaid) Subscribe(ctx context.Context, in ask.Subscribing) (made declare.Subscription, err error) {
	var e config.Entry
	err = o.change(ctx, func(doc *config.Document) (_ edit, err error) {
		e, err = overlay.Subscribe(doc, in, time.Now())
		return edit{put: &e}, err
	})
	if err != nil {
		return made, err
	}
	return overlay.Subscribed(in, e), nil
}

func (o overlaid) Unsubscribe(ctx context.Context, eventType, workflow string) error {
	return o.change(ctx, func(doc *config.Document) (e edit, err error) {
		e.drop, err = overlay.Unsubscribe(doc, eventType, workflow)
		return e, err
	})
}

func (o overlaid) Subscriptions() map[string][]declare.Subscription {
	return overlay.Subscriptions(o.doc())
}

func (o overlaid) Schedule(ctx context.Context, in ask.Scheduling) (next time.Time, err error) {
	var e config.Entry
	err = o.change(ctx, func(doc *config.Document) (_ edit, err error) {
		e, err = overlay.Schedule(doc, in, time.Now())
		return edit{put: &e}, err
	})
	for _, s := range o.board().Upcoming(1) {
		if "schedules."+s.Name == e.Name {
			next = s.Next
		}
	}
	return next, err
}

func (o overlaid) Unschedule(ctx context.Context, eventType string) error {
	return o.change(ctx, func(doc *config.Document) (e edit, err error) {
		e.drop, err = overlay.Unschedule(doc, eventType)
		return e, err
	})
}

func (o overlaid) Schedules() map[string]declare.Scheduled {
	return overlay.Schedules(o.doc(), o.board().Upcoming(1))
}

func (o overlaid) Entries() (declare.Report, error) {
	text, err := overlay.Export(o.doc())
	return declare.Report{Entries: overlay.Entries(o.doc()), YAML: text}, err
}

func (o overlaid) Drop(ctx context.Context, name string) error {
	return o.change(ctx, func(doc *config.Document) (edit, error) {
		if !slices.ContainsFunc(doc.Overlay, func(e config.Entry) bool { return e.Name == name }) {
			return edit{}, ask.Refuse(http.StatusNotFound, "no entry %q was made while the gateway ran", name)
		}
		return edit{drop: name}, nil
	})
}
