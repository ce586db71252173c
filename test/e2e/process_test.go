package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is one line of ps.
type process struct{ pid, group int }

// living lists the processes of this machine; those that are dead and only
// wait to be collected by whoever is their parent are left out.
func living(t *testing.T) (list []process) {
	t.Helper()
	for line := range strings.Lines(processTable(t)) {
		var p process
		var state string
		if _, err := fmt.Sscan(line, &p.pid, &p.group, &state); err != nil {
			t.Fatalf("ps: %v: %q", err, line)
		}
		if !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X") {
			list = append(list, p)
		}
	}
	return list
}

// processTable has a line of pid, process group and state for each process.
func processTable(t *testing.T) string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		out, err := exec.Command("ps", "-axo", "pid=,pgid=,state=").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	var table strings.Builder
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // gone since
		}
		// pid (name) state parent group …; a name may hold anything.
		pid, rest, _ := strings.Cut(string(text), " ")
		fields := strings.Fields(rest[strings.LastIndex(rest, ")")+1:])
		fmt.Fprintln(&table, pid, fields[2], fields[0])
	}
	return table.String()
}

// engines lists the processes that the test engine ever had at this site.
func (s *site) engines() map[int]bool {
	s.t.Helper()
	entries, err := os.ReadDir(s.path("out/pids"))
	if err != nil {
		s.t.Fatal(err)
	}
	pids := map[int]bool{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			s.t.Fatal(err)
		}
		pids[pid] = true
	}
	return pids
}

// left lists the engine processes, and members of their groups, that live.
// The gateway makes every engine the leader of a group.
func (s *site) left() (pids []int) {
	s.t.Helper()
	engines := s.engines()
	for _, p := range living(s.t) {
		if engines[p.pid] || engines[p.group] {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// nothingLeft waits until no process of an engine lives.
func (s *site) nothingLeft(limit time.Duration) {
	s.t.Helper()
	if len(s.engines()) == 0 {
		s.t.Fatal("no engine ever started: nothing was tested")
	}
	until(s.t, limit, "no engine process is left", func() bool { return len(s.left()) == 0 })
}
