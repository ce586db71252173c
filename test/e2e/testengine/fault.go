package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// misbehave does what an engine should not. What it comes back from leaves a
// process that works.
func misbehave(ctx context.Context, fault, journal string) error {
	switch fault {
	case "kill":
		return forever(ctx, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	case "stop", "full": // full: and more is sent than the connection holds
		return syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "slow":
		return pause(ctx, 3*time.Second)
	case "exit-0":
		os.Exit(0)
	case "exit-1":
		os.Exit(1)
	case "panic":
		go panic("nobody recovers this")
		return forever(ctx, nil)
	case "garbage":
		return garbage()
	case "flood":
		return flood()
	case "bad-log":
		return badLog()
	case "grandchild":
		return grandchild(journal, false)
	case "daemon":
		return grandchild(journal, true)
	}
	return fmt.Errorf("no fault %q", fault)
}

func forever(ctx context.Context, err error) error {
	<-ctx.Done()
	return err
}

// The descriptors themselves: the SDK has put others in the place of os.Stdout
// and os.Stderr.
const stdout, stderr = 1, 2

func write(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := syscall.Write(fd, b)
		if err != nil && err != syscall.EINTR && err != syscall.EAGAIN {
			return err
		}
		b = b[max(0, n):]
	}
	return nil
}

// garbage writes bytes of all kinds, and then a line of 1 MiB.
func garbage() error {
	random := make([]byte, 256<<10)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	line := append(bytes.Repeat([]byte{'x'}, 1<<20), '\n')
	for _, b := range [][]byte{random, line} {
		for _, fd := range []int{stdout, stderr} {
			if err := write(fd, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// flood writes 54 MB, of lines: twenty engines make that 1 GiB.
func flood() error {
	for i := range 12000 {
		lines := bytes.Repeat([]byte("flood "+strconv.Itoa(i)+" of a log that nobody can read\n"), 100)
		if err := write(stderr, lines); err != nil {
			return err
		}
	}
	return nil
}

// badLog writes lines that are nearly those of a structured log.
func badLog() error {
	for _, line := range []string{
		`{"@message": 5, "@level": "info"}`,
		`{"@message": {"a": [1]}, "@level": 7, "@timestamp": true}`,
		`{"@message": null, "@module": []}`,
		`{"@level": "info", "@message": "` + "\xff" + `"}`,
		`{"@message":`, `{}`, `[]`, `null`, "\x00", "",
	} {
		if err := write(stderr, []byte(line+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// grandchild leaves a process behind that holds the pipes, and dies. One that
// is detached has left the process group too: its number is noted.
func grandchild(journal string, detached bool) error {
	child := exec.Command("sleep", "600")
	child.Stdout, child.Stderr = os.NewFile(stdout, "stdout"), os.NewFile(stderr, "stderr")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: detached}
	if err := child.Start(); err != nil {
		return err
	}
	if detached {
		pid := strconv.Itoa(child.Process.Pid)
		if err := os.WriteFile(journal+".detached", []byte(pid), 0o600); err != nil {
			return err
		}
	}
	os.Exit(1)
	return nil
}
