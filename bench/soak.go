//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// soakShare of the peak is what a machine should bear for ever.
	soakShare = 0.7
	// sampleEvery is how often what must stay flat is read.
	sampleEvery = 5 * time.Second
	// tellEvery is how many samples one is told of.
	tellEvery = 12
)

// level is what must not grow with time.
type level struct {
	At          time.Duration `json:"at_ns"`
	Memory      int64         `json:"memory"`
	Engine      int64         `json:"engine_memory"`
	Descriptors int           `json:"descriptors"`
	Goroutines  int           `json:"goroutines"`
	Disk        int64         `json:"disk"`
}

func (l level) String() string {
	return fmt.Sprintf("after %s: %d MiB of memory, engine %d, %d descriptors, %d goroutines, %d MiB on the disk",
		l.At.Round(time.Second), l.Memory>>20, l.Engine>>20, l.Descriptors, l.Goroutines, l.Disk>>20)
}

// soak finds what a gateway can run, and has it run a part of that for long, with
// a retention so short that as much leaves the disk as comes to it.
func (b *bench) soak(ctx context.Context, s scenario, round int) (f figures, err error) {
	f = figures{Scenario: s.name, Round: round}
	top, err := b.measure(ctx, s, round)
	if err != nil {
		return f, err
	}
	target, dir, err := b.fresh(ctx, s, round)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, target.stop()) }()
	err = target.metered(ctx, &f, func(m meter) (time.Duration, error) {
		return b.watched(ctx, &f, m, target, filepath.Join(dir, "data"), soakShare*top.Rate)
	})
	if err != nil {
		return f, err
	}
	f.Rate = f.Settled
	return f, errors.Join(flat(f.Levels), quick(&f, b.P99), verify(ctx, target.Admin, s, &f))
}

// watched is a load of so much a second, with the levels of what it needs.
func (b *bench) watched(ctx context.Context, f *figures, m meter, target *server, data string, rate float64) (generator time.Duration, err error) {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() { watched <- f.watch(watching, m, data) }()
	f.result, generator, err = load(ctx, task{
		Address: target.Listen, Admin: target.Admin, Connections: b.Connections, Threads: b.Threads, Bodies: b.Bodies,
		Warmup: b.Warmup, Duration: b.Soak, Window: b.Window, Rate: rate,
	})
	stop()
	return generator, errors.Join(err, <-watched)
}

// watch reads levels until it is stopped.
func (f *figures) watch(ctx context.Context, m meter, data string) error {
	began, tick := time.Now(), time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		l := level{At: time.Since(began)}
		var err error
		if l.Memory, err = resident(m.server); err != nil {
			return err
		}
		if l.Engine, err = resident(m.engine); err != nil {
			return err
		}
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.server))
		if err != nil {
			return err
		}
		l.Descriptors = len(open)
		all, err := readMetrics(ctx, m.admin)
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		l.Goroutines, l.Disk = int(all["go_goroutines"]), size(data)
		if f.Levels = append(f.Levels, l); len(f.Levels)%tellEvery == 0 {
			fmt.Fprintln(os.Stderr, l)
		}
	}
}

// size of a folder's files, as far as they are there when it looks.
func size(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a file that has gone has no size
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// flat compares the last third with the one before: what grows by more than a
// fifth, and by more than a little, grows for ever.
func flat(levels []level) error {
	third := len(levels) / 3
	if third == 0 {
		return errors.New("too short to tell what grows: four minutes at least")
	}
	before, after := levels[third:2*third], levels[len(levels)-third:]
	var errs []error
	for _, of := range []struct {
		what   string
		value  func(level) int64
		little int64
	}{
		{"bytes of memory", func(l level) int64 { return l.Memory }, 16 << 20},
		{"bytes of memory of the engine", func(l level) int64 { return l.Engine }, 8 << 20},
		{"descriptors", func(l level) int64 { return int64(l.Descriptors) }, 16},
		{"goroutines", func(l level) int64 { return int64(l.Goroutines) }, 64},
		{"bytes on the disk", func(l level) int64 { return l.Disk }, 64 << 20},
	} {
		was, is := most(before, of.value), most(after, of.value)
		if is > was+max(was/5, of.little) {
			errs = append(errs, fmt.Errorf("%s grow: at most %d in the second third, %d in the last", of.what, was, is))
		}
	}
	return errors.Join(errs...)
}

func most(levels []level, of func(level) int64) (top int64) {
	for _, l := range levels {
		top = max(top, of(l))
	}
	return top
}

// busyOthers is how many CPUs others may use before a latency says more about
// them than about a gateway.
const busyOthers = 0.1

func quick(f *figures, most time.Duration) error {
	if most <= 0 || f.P99 <= most {
		return nil
	}
	err := fmt.Errorf("p99 is %s, more than %s", f.P99, most)
	if f.Others > busyOthers {
		fmt.Fprintf(os.Stderr, "%v, with %.1f CPUs that others used: not judged\n", err, f.Others)
		return nil
	}
	return err
}
