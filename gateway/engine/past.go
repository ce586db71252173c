package engine

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

// past is how an engine whose program was replaced finds back to the one
// before. A program that starts, answers, and then dies under its work has
// passed every question of a reload; only running it shows what it is worth.
type past struct {
	mu sync.Mutex
	// proven is the program that it runs, for its successor; before is the one
	// that it replaced. Nil where there is none.
	proven, before *process.Binary
}

// returnAfter is how many crashes of a new program are enough, if it has never
// been up for as long as timing.healthyAfter.
const returnAfter = 3

// inherit notes what an engine runs and what ran before it: the program of an
// engine that is the same but for its checksum. It is called with Pool.mu held.
func (p *Pool) inherit(e *Engine) {
	e.past.proven = e.binary.Again()
	if e.spec.Load().SHA256 != "" {
		return // the file says which program it is to be
	}
	for _, other := range p.engines {
		if other != e && other.kin == e.kin && !other.draining.Load() {
			e.past.before = other.past.successor()
			return
		}
	}
}

func (p *past) successor() *process.Binary {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proven == nil {
		return nil
	}
	return p.proven.Again()
}

// close lets go of the programs.
func (p *past) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range []*process.Binary{p.proven, p.before} {
		if b != nil {
			b.Close()
		}
	}
	p.proven, p.before = nil, nil
}

// takeBack makes the next start one of the program before, when the new one has
// crashed often enough to know it. It tells whether it did.
func (e *Engine) takeBack(crashes int, longest time.Duration) bool {
	e.past.mu.Lock()
	defer e.past.mu.Unlock()
	before := e.past.before
	if before == nil || crashes < returnAfter || longest >= e.pool.timing.healthyAfter {
		return false
	}
	failed := e.binary
	e.binary, e.past.before = before, nil
	if e.past.proven != nil {
		e.past.proven.Close()
	}
	e.past.proven = before.Again()
	e.setState("", func(st *Status) { st.Returned = failed.Sum() })
	e.log.zap.Error("the new program crashes again and again: back to the one before",
		zap.String("sha256", failed.Sum()), zap.String("before", before.Sum()))
	failed.Close()
	return true
}
