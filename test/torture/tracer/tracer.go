//go:build linux && amd64

// Package tracer runs a program and stands at its system calls: it counts the
// steps of a gateway's commit path, ends the program or has a call fail at one
// of them, and writes down what reached the disk and the senders. It is how
// faults get into a gateway that knows nothing of them: the binary that is
// tortured is the one that ships.
//
// It is ptrace(2) with a seccomp filter, so that only the calls of interest
// stop. It stands below the trials, which start it as a process of its own:
// whoever waits for tracees waits for all children.
package tracer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Plan is what a Tracer is to do.
type Plan struct {
	// Dir is the folder of the store: other files don't count.
	Dir string
	// Rule, when set, is what happens at which step.
	Rule *Rule `json:",omitempty"`
	// Record, when set, is the file to write down all Ops to.
	Record string `json:",omitempty"`
	// Report is the file for the Report.
	Report string
}

// Rule is a fault and its place.
type Rule struct {
	// Steps that count; none: all.
	Steps []Step
	// N is the how manieth of them, from 1.
	N int
	// After: when the call has returned, not before it is made.
	After bool
	// Hold is how long the call is held up before the program is killed, which
	// goes on meanwhile: what it says then, it says too early.
	Hold time.Duration `json:",omitempty"`
	// Errno, when set, is what the call returns, without being made, or what a call
	// beside the program comes to; otherwise the program is killed. Sticky: and all
	// that follow.
	Errno  syscall.Errno `json:",omitempty"`
	Sticky bool          `json:",omitempty"`
}

// Report is what became of a program.
type Report struct {
	// Counts of the steps that were begun.
	Counts map[Step]int
	// Fired tells where the rule was obeyed, and At when; nil when it never was.
	Fired *Step
	At    time.Time
	// Code is the exit code, 128 and the signal's number when one ended it.
	Code int
}

// thread is what is known of one of the program's threads.
type thread struct {
	// program is the process that it belongs to.
	program int
	// call under way whose end is awaited; nil for none.
	call *call
}

type tracer struct {
	plan     Plan
	report   Report
	root     int
	threads  map[int]*thread
	sockets  map[string]bool // by what their descriptor links to: to an engine?
	logged   Step            // what the journal was given last
	matched  int
	beside   *call // what goes on beside the program
	recorder *recorder
}

// Run runs a program as a plan says and returns its exit code. The environment
// and the standard files are this process's.
func Run(plan Plan, self string, command []string) (code int, err error) {
	runtime.LockOSThread() // ptrace knows threads
	t := &tracer{plan: plan, report: Report{Counts: map[Step]int{}}, threads: map[int]*thread{}, sockets: map[string]bool{}}
	if plan.Record != "" {
		if t.recorder, err = newRecorder(plan.Record); err != nil {
			return 0, err
		}
	}
	if err := t.start(self, command); err != nil {
		return 0, fmt.Errorf("tracer: ptrace is not allowed here? %w", err)
	}
	forward(t.root)
	err = t.follow()
	if t.recorder != nil {
		err = errors.Join(err, t.recorder.close())
	}
	text, marshal := json.Marshal(t.report)
	return t.report.Code, errors.Join(err, marshal, os.WriteFile(plan.Report, text, 0o600))
}

// forward passes on the signals that ask a program to do something; SIGUSR1
// becomes SIGKILL, which would end the tracer with it.
func forward(pid int) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1)
	go func() {
		for s := range signals {
			if s == unix.SIGUSR1 {
				s = unix.SIGKILL
			}
			_ = unix.Kill(pid, s.(syscall.Signal)) // it may have ended
		}
	}()
}

const options = unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_EXITKILL |
	unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC

// start starts this very binary, which filters its own calls and then becomes
// the program.
func (t *tracer) start(self string, command []string) error {
	cmd := exec.Command(self, append([]string{Stage}, command...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	t.root = cmd.Process.Pid
	var status unix.WaitStatus
	if _, err := unix.Wait4(t.root, &status, 0, nil); err != nil {
		return err
	}
	t.threads[t.root] = &thread{program: t.root}
	return errors.Join(unix.PtraceSetOptions(t.root, options), unix.PtraceCont(t.root, 0))
}

// follow stands by until the last process has ended.
func (t *tracer) follow() error {
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return nil
		case err != nil:
			return err
		}
		if !status.Stopped() {
			t.ended(tid, status)
			continue
		}
		if err := t.stopped(tid, status); err != nil && !errors.Is(err, unix.ESRCH) { // ESRCH: killed meanwhile
			return err
		}
	}
}

func (t *tracer) ended(tid int, status unix.WaitStatus) {
	delete(t.threads, tid)
	if tid != t.root {
		return
	}
	t.report.Code = status.ExitStatus()
	if status.Signaled() {
		t.report.Code = 128 + int(status.Signal())
	}
}

func (t *tracer) stopped(tid int, status unix.WaitStatus) error {
	th, known := t.threads[tid]
	if !known {
		th = &thread{program: group(tid)}
		t.threads[tid] = th
	}
	signal := status.StopSignal()
	switch {
	case signal == unix.SIGTRAP && int(status>>16) == unix.PTRACE_EVENT_SECCOMP:
		return t.enter(tid, th)
	case signal == unix.SIGTRAP|0x80:
		return t.leave(tid, th)
	case signal == unix.SIGTRAP && int(status>>16) == unix.PTRACE_EVENT_EXEC:
		th.call = nil
		return unix.PtraceCont(tid, 0)
	case signal == unix.SIGTRAP && int(status>>16) != 0, signal == unix.SIGSTOP && !known:
		return unix.PtraceCont(tid, 0)
	}
	return unix.PtraceCont(tid, int(signal))
}

// enter is where a call is about to be made.
func (t *tracer) enter(tid int, th *thread) error {
	if th.program != t.root {
		return unix.PtraceCont(tid, 0) // an engine's
	}
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	if regs.Orig_rax == unix.SYS_IO_GETEVENTS && t.beside != nil {
		th.call, t.beside = t.beside, nil
		th.call.beside = false // it ends with this call
		return unix.PtraceSyscall(tid, 0)
	}
	c := t.look(tid, &regs)
	if c == nil {
		return unix.PtraceCont(tid, 0)
	}
	t.report.Counts[c.step]++
	fires := t.fires(c.step)
	if fires && !t.plan.Rule.After {
		if t.plan.Rule.Errno == 0 {
			return t.kill(c.step)
		}
		if !c.beside {
			return t.deny(tid, &regs, c.step)
		}
		c.fails = true
	}
	c.fires = fires
	if t.recorder != nil {
		c.id = t.recorder.begin(c)
	}
	if t.recorder == nil && !fires {
		return unix.PtraceCont(tid, 0)
	}
	th.call = c
	return unix.PtraceSyscall(tid, 0)
}

// leave is where a call has been made.
func (t *tracer) leave(tid int, th *thread) error {
	c := th.call
	th.call = nil
	if c == nil {
		return unix.PtraceCont(tid, 0)
	}
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	result := int64(regs.Rax)
	if c.beside {
		t.submitted(c, result)
		return unix.PtraceCont(tid, 0)
	}
	if c.fails {
		t.fired(c.step)
		return errors.Join(put(tid, &regs, -int64(t.plan.Rule.Errno)), unix.PtraceCont(tid, 0))
	}
	if c.fires {
		return t.kill(c.step)
	}
	if regs.Orig_rax == unix.SYS_IO_GETEVENTS {
		result = gotten(tid, &regs)
	}
	t.recorder.end(c, result)
	return unix.PtraceCont(tid, 0)
}

// submitted is where a call has been handed to the kernel, or not: then the program
// makes it itself.
func (t *tracer) submitted(c *call, result int64) {
	if result == 1 {
		t.beside = c
	} else if t.recorder != nil {
		t.recorder.end(c, result)
	}
}

// resultAt is where the result is in what io_getevents(2) gets of a call.
const resultAt = 16

// gotten is the result of what went on beside the program.
func gotten(tid int, regs *unix.PtraceRegs) int64 {
	if result := memory(tid, regs.R10+resultAt, 8); len(result) == 8 {
		return int64(binary.LittleEndian.Uint64(result))
	}
	return -int64(unix.EFAULT)
}

// put puts another result in its place.
func put(tid int, regs *unix.PtraceRegs, result int64) error {
	_, err := unix.PtracePokeData(tid, uintptr(regs.R10+resultAt), binary.LittleEndian.AppendUint64(nil, uint64(result)))
	return err
}

// fires tells whether it is the turn of the rule.
func (t *tracer) fires(s Step) bool {
	r := t.plan.Rule
	if r == nil || !r.counts(s) {
		return false
	}
	t.matched++
	return t.matched == r.N || t.matched > r.N && r.Sticky
}

func (r *Rule) counts(s Step) bool {
	for _, one := range r.Steps {
		if one == s {
			return true
		}
	}
	return len(r.Steps) == 0
}

func (t *tracer) fired(s Step) {
	if t.report.Fired == nil {
		t.report.Fired, t.report.At = &s, time.Now()
	}
}

// kill ends the program, soon; the stopped thread never goes on.
func (t *tracer) kill(s Step) error {
	t.fired(s)
	time.AfterFunc(t.plan.Rule.Hold, func() { _ = unix.Kill(t.root, unix.SIGKILL) }) // nothing else ends it
	return nil
}

// deny has a call return an error without being made.
func (t *tracer) deny(tid int, regs *unix.PtraceRegs, s Step) error {
	t.fired(s)
	regs.Orig_rax = ^uint64(0)
	regs.Rax = uint64(-int64(t.plan.Rule.Errno))
	return errors.Join(unix.PtraceSetRegs(tid, regs), unix.PtraceCont(tid, 0))
}
