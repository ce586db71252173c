//go:build linux && amd64

package tracer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Step is a step of a gateway's commit path, as its system calls show it.
type Step string

// The steps. An event is logged, synced, answered and handed to its engine; its
// outcome is logged and synced; SQLite is filled with both.
const (
	LogEvent    Step = "log event"
	SyncEvent   Step = "sync event"
	Answer      Step = "answer"
	Dispatch    Step = "dispatch" // and all else that is said to engines
	LogOutcome  Step = "log outcome"
	SyncOutcome Step = "sync outcome"
	Fill        Step = "fill"
	SyncFill    Step = "sync fill"
	Prepare     Step = "prepare journal" // a new segment
	SyncPrepare Step = "sync prepared journal"
	Folder      Step = "change folder" // make, rename or remove a file
	SyncFolder  Step = "sync folder"
)

// Syncs are the steps that are fsync(2) or fdatasync(2), or such a call beside the
// process, by io_submit(2).
func Syncs() []Step { return []Step{SyncEvent, SyncOutcome, SyncFill, SyncPrepare, SyncFolder} }

// call is a system call that is a step.
type call struct {
	step   Step
	op     Op
	id     int
	fires  bool
	opened bool // its result is a descriptor
	beside bool // it goes on beside the process until another call has its result
	fails  bool // and that result is an error
}

// accepted begins the answer to an event that was accepted.
const accepted = "HTTP/1.1 202"

// look tells what a call is; nil when it is no step.
func (t *tracer) look(tid int, regs *unix.PtraceRegs) *call {
	switch regs.Orig_rax {
	case unix.SYS_PWRITE64:
		return t.lookWrite(tid, regs)
	case unix.SYS_WRITE:
		return t.lookSend(tid, regs)
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		return t.lookSync(t.path(tid, regs.Rdi))
	case unix.SYS_IO_SUBMIT:
		return t.lookSubmit(tid, regs)
	case unix.SYS_FTRUNCATE:
		if path := t.path(tid, regs.Rdi); t.ours(path) {
			return &call{step: Fill, op: Op{Kind: Truncate, Path: path, Off: int64(regs.Rsi)}}
		}
		return nil
	}
	return t.lookFolder(tid, regs)
}

func (t *tracer) lookWrite(tid int, regs *unix.PtraceRegs) *call {
	path := t.path(tid, regs.Rdi)
	if !t.ours(path) {
		return nil
	}
	data := memory(tid, regs.Rsi, int(regs.Rdx))
	step := Fill
	if strings.HasPrefix(filepath.Base(path), "journal-") {
		step = logged(data)
		t.logged = step
	}
	return &call{step: step, op: Op{Kind: Write, Path: path, Off: int64(regs.R10), Data: data}}
}

// logged tells what a write to the journal is. The first byte of a record's
// payload is the kind of its first item; see gateway/store/sqlite/record.
func logged(data []byte) Step {
	const header, kindChange = 20, 4
	switch {
	case len(data) <= header || !bytes.HasPrefix(data, []byte("EGJ1")):
		return Prepare
	case data[header] == kindChange:
		return LogOutcome
	}
	return LogEvent
}

// lookSubmit looks at what is handed to the kernel: one call at a time.
func (t *tracer) lookSubmit(tid int, regs *unix.PtraceRegs) *call {
	const size, opAt, fdAt, dataSync = 64, 16, 20, 3
	list := memory(tid, regs.Rdx, 8)
	if len(list) < 8 {
		return nil
	}
	iocb := memory(tid, binary.LittleEndian.Uint64(list), size)
	if len(iocb) < size || binary.LittleEndian.Uint16(iocb[opAt:]) != dataSync {
		return nil
	}
	c := t.lookSync(t.path(tid, uint64(binary.LittleEndian.Uint32(iocb[fdAt:]))))
	if c != nil {
		c.beside = true
	}
	return c
}

func (t *tracer) lookSync(path string) *call {
	if !t.ours(path) && path != t.plan.Dir && path != filepath.Dir(t.plan.Dir) {
		return nil
	}
	step := SyncFill
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		step = SyncFolder
	case strings.HasPrefix(filepath.Base(path), "journal-"):
		step = map[Step]Step{LogEvent: SyncEvent, LogOutcome: SyncOutcome}[t.logged]
		if step == "" {
			step = SyncPrepare
		}
	}
	return &call{step: step, op: Op{Kind: Sync, Path: path}}
}

// lookSend looks at what is written to sockets.
func (t *tracer) lookSend(tid int, regs *unix.PtraceRegs) *call {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, regs.Rdi))
	if err != nil || !strings.HasPrefix(link, "socket:") {
		return nil
	}
	data := memory(tid, regs.Rsi, min(int(regs.Rdx), 4096))
	switch {
	case bytes.HasPrefix(data, []byte(accepted)):
		return &call{step: Answer, op: Op{Kind: Answered, Data: data}}
	case t.toEngine(tid, link):
		return &call{step: Dispatch, op: Op{Kind: Other}}
	}
	return nil
}

// toEngine tells whether a socket is one of those that engines listen on.
func (t *tracer) toEngine(tid int, link string) bool {
	is, known := t.sockets[link]
	if !known {
		inode := strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", tid)) // none: then it is none
		is = bytes.Contains(text, []byte(" "+inode+" ")) || bytes.Contains(text, []byte(" "+inode+"\n"))
		t.sockets[link] = is
	}
	return is
}

// lookFolder looks at what changes folders.
func (t *tracer) lookFolder(tid int, regs *unix.PtraceRegs) *call {
	c := &call{step: Folder}
	switch regs.Orig_rax {
	case unix.SYS_OPEN:
		c.op, c.opened = Op{Kind: Create, Path: text(tid, regs.Rdi)}, true
		if regs.Rsi&unix.O_CREAT == 0 {
			return nil
		}
	case unix.SYS_OPENAT:
		c.op, c.opened = Op{Kind: Create, Path: text(tid, regs.Rsi)}, true
		if regs.Rdx&unix.O_CREAT == 0 {
			return nil
		}
	case unix.SYS_MKDIR:
		c.op = Op{Kind: Mkdir, Path: text(tid, regs.Rdi)}
	case unix.SYS_MKDIRAT:
		c.op = Op{Kind: Mkdir, Path: text(tid, regs.Rsi)}
	case unix.SYS_UNLINK:
		c.op = Op{Kind: Remove, Path: text(tid, regs.Rdi)}
	case unix.SYS_UNLINKAT:
		c.op = Op{Kind: Remove, Path: text(tid, regs.Rsi)}
	case unix.SYS_RENAME:
		c.op = Op{Kind: Rename, Path: text(tid, regs.Rdi), To: text(tid, regs.Rsi)}
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		c.op = Op{Kind: Rename, Path: text(tid, regs.Rsi), To: text(tid, regs.R10)}
	default:
		return nil
	}
	if !t.ours(c.op.Path) && c.op.Path != t.plan.Dir {
		return nil
	}
	return c
}

// ours tells whether a file belongs to what must last: not what is only about
// running engines, nor SQLite's index of its log, which no restart reads.
func (t *tracer) ours(path string) bool {
	inside, ok := strings.CutPrefix(path, t.plan.Dir+"/")
	return ok && !strings.HasPrefix(inside, "run") && !strings.HasSuffix(inside, "-shm") && inside != "lock"
}

func (t *tracer) path(tid int, fd uint64) string {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, fd))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(link, " (deleted)")
}

// group is the process that a thread belongs to.
func group(tid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var id int
		if n, _ := fmt.Sscanf(line, "Tgid: %d", &id); n == 1 {
			return id
		}
	}
	return 0
}

// memory reads a program's memory, as far as it is readable.
func memory(tid int, at uint64, n int) []byte {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", tid))
	if err != nil {
		return nil
	}
	defer f.Close()
	data := make([]byte, n)
	n, _ = f.ReadAt(data, int64(at)) // what could not be read is left out
	return data[:n]
}

func text(tid int, at uint64) string {
	data := memory(tid, at, 4096-int(at%4096))
	if before, _, ok := bytes.Cut(data, []byte{0}); ok {
		return string(before)
	}
	before, _, _ := bytes.Cut(memory(tid, at, 4096), []byte{0})
	return string(before)
}
