// Package reloads is how reloads of the configuration went: what gateway notes
// after each, and tells in the status.
package reloads

import (
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// Log remembers how reloads went.
type Log struct {
	mu                sync.Mutex
	accepted, refused uint64
	// last is the latest one of all of the configuration, referred the latest
	// one since then of what it refers to.
	last, referred *api.ReloadStatus
}

// Add notes what a reload came to: of the whole configuration, or of what it
// refers to.
func (l *Log) Add(r api.ReloadResult, whole bool) *api.ReloadStatus {
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
func (l *Log) shown() *api.ReloadStatus {
	if l.referred == nil || l.last != nil && !l.last.OK {
		return l.last
	}
	return l.referred
}

// Status counts those that went into force and those that were refused, and has
// the one to tell of.
func (l *Log) Status() (accepted, refused uint64, shown *api.ReloadStatus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted, l.refused, l.shown()
}
