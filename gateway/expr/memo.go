package expr

import (
	"runtime"
	"sync"
	"weak"
)

// memo knows the programs that somebody uses, by their source: a reload compiles
// only what is new, and what many routes ask alike is there once.
type memo struct {
	mu    sync.Mutex
	known map[string]weak.Pointer[program]
}

// get is the program of a source; nil when nobody uses one.
func (m *memo) get(src string) *program {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[src].Value()
}

func (m *memo) put(src string, p *program) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[src] = weak.Make(p)
	runtime.AddCleanup(p, m.forget, src)
}

// forget is called when a program of the source has gone: there may be another.
func (m *memo) forget(src string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[src].Value() == nil {
		delete(m.known, src)
	}
}
