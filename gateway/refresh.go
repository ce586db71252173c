package gateway

import (
	"context"
	"errors"
	"reflect"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/config"
)

// referredChanged is told by the other watcher that a secret, a certificate or
// another file that the configuration in force refers to is not what it was. It
// comes into force by itself: also while the configuration's own file is broken,
// and without anything else being touched.
func (g *Gateway) referredChanged() {
	if _, err := g.reload(context.Background(), "referred file", false); err != nil && !errors.Is(err, errStopping) {
		g.log.Error("reload", zap.Error(err))
	}
}

// read reads the file, or takes the text that is in force and reads anew what it
// refers to.
func (g *Gateway) read(old *snapshot, whole bool) (*config.Document, config.Problems) {
	opts := config.Options{Generate: true, Overlay: old.doc.Overlay}
	if whole {
		return config.Load(g.opts.ConfigPath, opts)
	}
	return old.doc.Again(opts)
}

// watch has the watchers look at what concerns them: one at the configuration's
// own files and, while that is refused, at what it refers to, since the repair
// may be there; the other at what the configuration in force refers to.
func (g *Gateway) watch(read *config.Document, whole, refused bool) {
	switch {
	case whole && refused:
		g.watcher.SetFiles(read.Files, read.FingerprintOf(read.Files))
		return
	case whole:
		g.watcher.SetFiles(read.Own, read.FingerprintOf(read.Own))
	}
	g.referred.SetFiles(read.Referred, read.FingerprintOf(read.Referred))
}

// carriesOn tells whether a snapshot differs from the one before in nothing but
// its webhooks, listeners and tokens.
func (s *snapshot) carriesOn(old *snapshot) bool {
	a, b := old.doc.Config, s.doc.Config
	return reflect.DeepEqual(a.Engines, b.Engines) && reflect.DeepEqual(a.Schedules, b.Schedules) &&
		reflect.DeepEqual(a.Routes, b.Routes) && reflect.DeepEqual(a.Defaults, b.Defaults) && largestBody(a) == largestBody(b)
}

// inherit takes over what the snapshot before has running: its engines, which it
// no longer owns, and what was made of all that has not changed.
func (s *snapshot) inherit(old *snapshot) {
	s.rules, s.schedules, s.plan = old.rules, old.schedules, old.plan
	s.engines, s.answered = old.engines, old.answered
	s.inherited = true
}
