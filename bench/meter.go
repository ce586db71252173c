//go:build linux

package main

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"
)

// meter reads what processes took while a load ran.
type meter struct {
	server int    // process id
	admin  string // of a gateway
	engine int    // process id, 0 without one
	began  time.Time
	before usage
}

// usage is what was taken so far.
type usage struct {
	server, engine, all time.Duration
	metrics             metrics
}

func (m *meter) read(ctx context.Context) (u usage, err error) {
	if m.admin != "" {
		if u.metrics, err = readMetrics(ctx, m.admin); err != nil {
			return u, err
		}
	}
	if u.server, err = cpuTime(m.server); err != nil {
		return u, err
	}
	if m.engine != 0 {
		if u.engine, err = cpuTime(m.engine); err != nil {
			return u, err
		}
	}
	u.all, err = busyTime()
	return u, err
}

func (m *meter) start(ctx context.Context) (err error) {
	m.began = time.Now()
	if m.admin != "" {
		s, err := readStatus(ctx, m.admin)
		if err != nil {
			return err
		}
		m.engine = s.engine()
	}
	m.before, err = m.read(ctx)
	return err
}

// stop puts into f what was taken since start. The generator has ended and
// brings its own time.
func (m *meter) stop(ctx context.Context, f *figures, generator time.Duration) error {
	now, err := m.read(ctx)
	if err != nil {
		return err
	}
	server, engine := now.server-m.before.server, now.engine-m.before.engine
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(f.Sent) }
	f.ServerCPU, f.EngineCPU, f.GeneratorCPU = each(server), each(engine), each(generator)
	f.Others = max(0, (now.all-m.before.all-server-engine-generator).Seconds()) / time.Since(m.began).Seconds()
	f.Allocations = (now.metrics[allocations] - m.before.metrics[allocations]) / float64(f.Sent)
	f.Allocated = (now.metrics[allocatedBytes] - m.before.metrics[allocatedBytes]) / float64(f.Sent)
	if f.ServerMemory, err = peakMemory(m.server); err != nil || m.engine == 0 {
		return err
	}
	f.EngineMemory, err = peakMemory(m.engine)
	return err
}

// metered puts into f what a server took while something ran, which tells what
// the generator took of its own.
func (s *server) metered(ctx context.Context, f *figures, run func(meter) (generator time.Duration, err error)) error {
	m := meter{server: s.cmd.Process.Pid, admin: s.Admin}
	if err := m.start(ctx); err != nil {
		return err
	}
	generator, err := run(m)
	if err != nil {
		return err
	}
	return m.stop(ctx, f, generator)
}

// machine is where it was measured.
type machine struct {
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	Kernel string `json:"kernel"`
}

func describe() machine {
	m := machine{CPUs: runtime.NumCPU(), Go: runtime.Version()}
	var name syscall.Utsname
	if syscall.Uname(&name) == nil {
		for _, c := range name.Release {
			if c == 0 {
				break
			}
			m.Kernel += string(rune(byte(c)))
		}
	}
	return m
}

// disk is how often a second records of a size can be appended and flushed.
type disk struct {
	Small float64 `json:"flushes_1k"`
	Large float64 `json:"flushes_64k"`
}

const probeTime = time.Second

// probe measures the disk under a folder: it bounds what any store can do, and
// differs between machines more than all else.
func probe(dir string) (d disk, err error) {
	if d.Small, err = flushes(dir, 1<<10); err != nil {
		return d, err
	}
	d.Large, err = flushes(dir, 64<<10)
	return d, err
}

func flushes(dir string, size int) (perSecond float64, err error) {
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	record, start, n := make([]byte, size), time.Now(), 0
	for time.Since(start) < probeTime {
		record[0]++
		if _, err := f.Write(record); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
