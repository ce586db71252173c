package engine

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// hostProcess is a gateway in a process of its own.
type hostProcess struct {
	cmd       *exec.Cmd
	enginePID int
}

func startHost(t *testing.T, dir, mode string) hostProcess {
	t.Helper()
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), "TEST_ENGINE=host", "TEST_INNER="+mode, "TEST_DIR="+dir, "TEST_PATH="+self(t))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return hostProcess{cmd, pid}
}

// processes calls see with each process's number and the fields of its stat
// after the name: state, parent, group.
func processes(see func(pid int, state string, parent, group int)) {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(f[1])
		group, _ := strconv.Atoi(f[2])
		see(pid, f[0], parent, group)
	}
}

// membersOf lists a process group.
func membersOf(t *testing.T, group int) []int {
	t.Helper()
	var list []int
	processes(func(pid int, _ string, _, g int) {
		if g == group {
			list = append(list, pid)
		}
	})
	return list
}

// children lists our own children in a state, "" is any.
func children(t testing.TB, state string) []int {
	t.Helper()
	var list []int
	processes(func(pid int, s string, parent, _ int) {
		if parent == os.Getpid() && (state == "" || s == state) {
			list = append(list, pid)
		}
	})
	return list
}

// settled counts goroutines and open files.
func settled(t *testing.T) (goroutines, files int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return runtime.NumGoroutine(), len(entries)
}
