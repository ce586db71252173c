//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// task is what the conductor asks of the generator.
type task struct {
	Address     string        `json:"address"`
	Admin       string        `json:"admin"` // empty: a server without a status
	Connections int           `json:"connections"`
	Threads     int           `json:"threads"`
	Warmup      time.Duration `json:"warmup"`
	Duration    time.Duration `json:"duration"`
	Window      int           `json:"window"` // see gate
	Events      int           `json:"events"` // then it ends, whatever the time; zero: never
	Rate        float64       `json:"rate"`   // most a second; zero: as many as go
	Bodies      int           `json:"bodies"` // that have nothing in common, of each thread
}

// result is what the generator saw.
type result struct {
	// Sent counts all requests, those of the warm-up too. Every one was
	// answered with a 202, or there is no result.
	Sent uint64 `json:"sent"`
	// While measuring: answers a second, and how long they took.
	Answered float64       `json:"answered_per_second"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	// Settled a second while measuring, and how long the rest took at the end.
	Settled float64       `json:"settled_per_second"`
	Drain   time.Duration `json:"drain_ns"`
}

// generate does one task: the generator's whole life.
func generate(ctx context.Context, in io.Reader, out io.Writer) error {
	var t task
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return err
	}
	// Loops never let the collector stop them while they wait (see raw.go), and
	// what one task allocates is little.
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(t.Threads + 2)
	r, err := t.do(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

func (t *task) do(ctx context.Context) (r result, err error) {
	start := time.Now()
	from := start.Add(t.Warmup)
	until := from.Add(t.Duration)
	g := &gate{window: int64(t.Window), most: int64(t.Events), rate: t.Rate, start: start}
	loops := make([]*loop, t.Threads)
	for i := range loops {
		share := t.Connections / t.Threads
		if i < t.Connections%t.Threads {
			share++
		}
		loops[i] = &loop{address: t.Address, gate: g, from: from, until: until, writer: newWriter(rand.Uint64(), max(1, t.Bodies))}
		if err := loops[i].connect(share); err != nil {
			return r, err
		}
	}
	watch := g.watch(ctx, t.Admin)
	failed := make(chan error, len(loops))
	for _, l := range loops {
		go func() { failed <- l.run() }()
	}
	for range loops {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		return r, err
	}
	stopped := time.Now()
	samples, err := watch.drain(ctx)
	if err != nil {
		return r, err
	}
	r = gather(loops, t.Duration)
	r.Settled, r.Drain = settled(samples, from, until), time.Since(stopped)
	return r, nil
}

func gather(loops []*loop, took time.Duration) (r result) {
	var all histogram
	for _, l := range loops {
		r.Sent += l.writer.count
		all.add(&l.took)
	}
	r.Answered = float64(all.count()) / took.Seconds()
	r.P50, r.P99 = all.quantile(0.5), all.quantile(0.99)
	return r
}

// gate holds requests back while too many events wait for their outcome: so
// what is measured can go on for ever, and isn't a backlog growing.
type gate struct {
	window, most  int64
	rate          float64 // since start; zero: no bound
	start         time.Time
	sent, settled atomic.Int64
}

func (g *gate) open() bool {
	sent := g.sent.Load()
	return sent-g.settled.Load() < g.window && (g.rate == 0 || float64(sent) < g.rate*time.Since(g.start).Seconds())
}

// enter counts one that is about to be sent; false when all have been.
func (g *gate) enter() bool {
	if n := g.sent.Add(1); g.most > 0 && n > g.most {
		g.sent.Add(-1)
		return false
	}
	return true
}

// over: nothing more will be sent.
func (g *gate) over() bool { return g.most > 0 && g.sent.Load() >= g.most }

// histogram counts durations in steps of 10 µs up to a second.
type histogram [100_001]uint32

const histogramStep = 10 * time.Microsecond

func (h *histogram) observe(d time.Duration) {
	h[min(max(0, int(d/histogramStep)), len(h)-1)]++
}

func (h *histogram) add(other *histogram) {
	for i, n := range other {
		h[i] += n
	}
}

func (h *histogram) count() (n uint64) {
	for _, c := range h {
		n += uint64(c)
	}
	return n
}

// quantile is the upper end of the step that holds it.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(h.count())), uint64(0)
	for i, c := range h {
		if seen += uint64(c); seen > rank {
			return time.Duration(i+1) * histogramStep
		}
	}
	return 0
}
