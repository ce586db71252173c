//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a process that says where it listens.
type server struct {
	ready
	cmd *exec.Cmd
	// said is the end of its log, ended is closed when that is complete.
	said  []string
	ended chan struct{}
}

const (
	startTime = 30 * time.Second
	stopTime  = 60 * time.Second
)

// start starts a server and waits until it is ready. It dies with this process,
// however that ends.
func start(ctx context.Context, program string, args, env []string) (*server, error) {
	s := &server{cmd: exec.CommandContext(ctx, program, args...), ended: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = stopTime
	out, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	up := make(chan struct{})
	go s.listen(out, up)
	select {
	case <-up:
		return s, nil
	case <-s.ended:
		err = fmt.Errorf("%s ended: %s", program, strings.Join(s.said, "\n"))
	case <-time.After(startTime):
		err = fmt.Errorf("%s: not ready within %s", program, startTime)
	}
	_ = s.cmd.Process.Kill()
	return nil, errors.Join(err, s.cmd.Wait())
}

// keepLines of a log, to say why a server ended.
const keepLines = 20

func (s *server) listen(out io.Reader, up chan<- struct{}) {
	defer close(s.ended)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if s.said = append(s.said, lines.Text()); len(s.said) > keepLines {
			s.said = s.said[1:]
		}
		var line ready
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == readyMessage && s.Listen == "" {
			s.ready = line
			close(up)
		}
	}
	_, _ = io.Copy(io.Discard, out)
}

// stop ends a server in order.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(stopTime):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return errors.Join(fmt.Errorf("did not stop within %s", stopTime), s.cmd.Wait())
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(s.said, "\n"))
	}
	return nil
}

// kill ends a server as a crash does.
func (s *server) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.ended
	_ = s.cmd.Wait() // killed
	return nil
}

// load runs the generator and returns what it saw and the CPU time it took.
func load(ctx context.Context, t task) (r result, took time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, 0, err
	}
	in, err := json.Marshal(t)
	if err != nil {
		return r, 0, err
	}
	cmd := exec.CommandContext(ctx, self, roleLoad)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if err != nil {
		return r, 0, fmt.Errorf("load generator: %w", err)
	}
	return r, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), json.Unmarshal(out, &r)
}

// The kernel's USER_HZ, which is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuTime that a process has taken so far (proc_pid_stat(5), utime and stime).
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything: fields count from its end.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: stat has %d fields", pid, len(fields))
	}
	return ticks(fields[11:13])
}

// busyTime is the CPU time that all processes have taken, the kernel's own work
// included (proc_stat(5): all but idle, iowait and what guests count twice).
func busyTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, fmt.Errorf("/proc/stat has %d fields", len(fields))
	}
	return ticks(append(fields[1:4:4], fields[6:9]...)) // with what other machines took
}

func ticks(fields []string) (sum time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * clockTick
	}
	return sum, nil
}

// peakMemory is the most a process ever had resident, in bytes, and resident what
// it has now.
func peakMemory(pid int) (int64, error) { return memory(pid, "VmHWM:") }

func resident(pid int) (int64, error) { return memory(pid, "VmRSS:") }

func memory(pid int, what string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), what)
	rest, _, _ = strings.Cut(rest, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
	return n << 10, err
}
