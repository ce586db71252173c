package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// memory watches what a process takes of the machine's memory.
type memory struct {
	t     *testing.T
	pid   int
	start int64
	done  chan struct{}
	peaks chan int64
	most  int64
}

// watchMemory looks often enough to see a peak.
func watchMemory(t *testing.T, l *life) *memory {
	t.Helper()
	m := &memory{t: t, pid: l.pid, start: resident(t, l.pid), done: make(chan struct{}), peaks: make(chan int64)}
	go m.watch()
	return m
}

// watch keeps the peak since it was last asked for one.
func (m *memory) watch() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	peak := int64(0)
	for {
		select {
		case <-tick.C:
			peak = max(peak, resident(m.t, m.pid))
		case m.peaks <- peak:
			peak = 0
		case <-m.done:
			return
		}
	}
}

// lap tells of the peak since the last one.
func (m *memory) lap() string {
	peak := <-m.peaks
	m.most = max(m.most, peak)
	return fmt.Sprintf("memory %d MiB at most (%+d)", peak>>20, (peak-m.start)>>20)
}

// stop is by how many bytes the process grew, at most.
func (m *memory) stop() int64 {
	peak := <-m.peaks
	close(m.done)
	return max(m.most, peak) - m.start
}

// resident is the resident memory of a process in bytes.
func resident(t *testing.T, pid int) int64 {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			return pages * int64(os.Getpagesize())
		}
	}
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	kib, perr := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil || perr != nil {
		t.Errorf("memory of process %d: %v, %v", pid, err, perr)
		return 0
	}
	return kib << 10
}
