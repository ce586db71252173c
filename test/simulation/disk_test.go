package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
	"github.com/event-gateway/gateway/gateway/store/storetest"
	"github.com/event-gateway/gateway/test/simulation/memory"
)

// disk is what a gateway leaves behind.
type disk interface {
	open(taker store.Taker) (backing, error)
	// crash is the end of a process: the disk keeps what was committed. What was
	// being written it has, or not.
	crash(in *instance, written bool)
	// state of a delivery, if that can be told at once.
	state(seq int64) (store.State, bool)
	close()
}

// backing is an open store.
type backing interface {
	storetest.Store
	Run(ctx context.Context) error
	Failed() <-chan struct{}
	Close() error
}

func newDisk(w *world) disk {
	if w.dir != "" {
		return &realDisk{w: w, dir: filepath.Join(w.dir, "0")}
	}
	return &memoryDisk{w: w, disk: memory.NewDisk()}
}

func (w *world) retain() store.Retain { return store.Retain{Dedupe: w.bugs.window(w.plan.window)} }

// memoryDisk fails as its seed wants.
type memoryDisk struct {
	w    *world
	disk *memory.Disk
}

// inMemory needs no closing.
type inMemory struct{ *memory.Store }

func (inMemory) Close() error { return nil }

func (d *memoryDisk) open(taker store.Taker) (backing, error) {
	o := memory.Options{Taker: taker, Retain: d.w.retain(), Fate: d.fate}
	d.w.bugs.store(&o)
	return inMemory{memory.Open(d.disk, o)}, nil
}

func (d *memoryDisk) crash(in *instance, written bool) {
	if s, ok := in.store.(inMemory); ok {
		s.Kill(written)
	}
}

func (d *memoryDisk) state(seq int64) (store.State, bool) { return d.disk.State(seq) }
func (d *memoryDisk) close()                              {}

// maxSync is the longest that a commit takes.
const maxSync = 40 * time.Millisecond

// fate of the commit that begins now.
func (d *memoryDisk) fate() memory.Fate {
	w := d.w
	r := rand.New(rand.NewPCG(w.plan.seed, uint64(time.Now().UnixNano())))
	f := memory.Fate{
		Gather: time.Millisecond, Sync: time.Duration(r.Int64N(int64(3 * time.Millisecond))), Lag: time.Duration(r.Int64N(int64(10 * time.Millisecond))),
	}
	if w.calm.Load() {
		return f
	}
	if w.plan.slow && r.IntN(4) == 0 {
		f.Sync = time.Duration(r.Int64N(int64(maxSync - time.Millisecond)))
	}
	f.Full = w.plan.full && r.IntN(15) == 0
	f.Failed = w.plan.failing && r.IntN(150) == 0
	f.Written = r.IntN(2) == 0
	if f.Full || f.Failed {
		w.mu.Lock()
		w.stalls = append(w.stalls, time.Now())
		w.mu.Unlock()
		w.note("store: the next commit fails (full %t, failed %t, written all the same %t)", f.Full, f.Failed, f.Failed && f.Written)
	}
	return f
}

// realDisk is the folder of the real store. A crash is a copy of it, made while
// nothing moves: the gateway that was killed goes on with what it has, and
// nobody hears of it.
type realDisk struct {
	w   *world
	dir string
	n   int
}

func (d *realDisk) open(taker store.Taker) (backing, error) {
	s, err := sqlite.Open(sqlite.Options{Dir: d.dir, Taker: settled{taker}, Retain: d.w.retain()})
	if err != nil {
		return nil, err
	}
	return newEmbedded(s), nil
}

func (d *realDisk) crash(*instance, bool) {
	d.n++
	next := filepath.Join(d.w.dir, fmt.Sprint(d.n))
	if err := os.CopyFS(next, os.DirFS(d.dir)); err != nil {
		d.w.fail("the folder is not copied: %v", err)
	}
	_ = os.Remove(filepath.Join(next, "gateway.db-shm")) // memory, not disk
	d.dir = next
}

func (d *realDisk) state(int64) (store.State, bool) { return 0, false }
func (d *realDisk) close()                          {}
