// Package process runs engine programs for the gateway: it stands between the
// pool of engines, which decides what should run, and the operating system.
// It executes exactly the file that was hashed, with an environment of its own
// and nothing on stdin, in a process group that dies with the gateway, and
// reads whatever the program prints without ever trusting it.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrStopped is returned for a start after the host has stopped.
var ErrStopped = errors.New("the gateway is stopping")

// maxSocketRoot keeps the paths of unix sockets under 100 bytes, which every
// Unix accepts: a process folder adds 9 bytes, go-plugin's folder and file 38.
const maxSocketRoot = 50

// Host is the runtime folder of one gateway and the thread that forks.
type Host struct {
	dir     string // records, and sockets when the path is short enough
	sockets string // folders of processes, each with its sockets
	lock    *os.File
	spawn   chan func()
	stopped chan struct{}
}

// Open takes the runtime folder (0700, made when missing) for this gateway
// alone and kills what an earlier gateway that used it left behind.
func Open(dir string) (*Host, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("runtime folder: %w", err)
	}
	if err := privateFolder(dir); err != nil {
		return nil, fmt.Errorf("runtime folder %q: %w", dir, err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("runtime folder %q: %w", dir, err)
	}
	h := &Host{dir: dir, lock: lock, spawn: make(chan func()), stopped: make(chan struct{})}
	if err := h.prepare(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("runtime folder %q: %w", dir, err)
	}
	return h, nil
}

func (h *Host) prepare() error {
	if err := os.MkdirAll(h.records(), 0o700); err != nil {
		return err
	}
	if err := h.cleanUp(); err != nil {
		return fmt.Errorf("clean-up after an earlier gateway: %w", err)
	}
	return h.makeSockets()
}

// makeSockets chooses where sockets live: in the runtime folder, or, when its
// path is too long for a socket, in a private folder of the system's own.
func (h *Host) makeSockets() error {
	h.sockets = filepath.Join(h.dir, "p")
	if len(h.sockets) <= maxSocketRoot {
		return os.MkdirAll(h.sockets, 0o700)
	}
	root, err := os.MkdirTemp("", socketPrefix)
	if err != nil {
		return err
	}
	h.sockets = root
	if len(root) > maxSocketRoot {
		_ = os.Remove(root)
		return fmt.Errorf("the path is too long for sockets, and so is %q (TMPDIR): use a shorter one", root)
	}
	return os.WriteFile(h.socketsNote(), []byte(root), 0o600)
}

// socketPrefix marks folders for sockets outside the runtime folder.
const socketPrefix = "gateway-"

func (h *Host) records() string     { return filepath.Join(h.dir, "run") }
func (h *Host) socketsNote() string { return filepath.Join(h.dir, "sockets") }

// dropSockets removes the sockets folder that an earlier gateway noted.
func (h *Host) dropSockets() {
	_ = os.RemoveAll(filepath.Join(h.dir, "p"))
	note, err := os.ReadFile(h.socketsNote())
	if err != nil {
		return
	}
	root := string(note)
	if filepath.IsAbs(root) && strings.HasPrefix(filepath.Base(root), socketPrefix) {
		_ = os.RemoveAll(root)
	}
	_ = os.Remove(h.socketsNote())
}

// Serve forks for Start until ctx ends; call it once. It keeps one thread of
// its own all that time, because Linux kills a child with Pdeathsig when the
// thread that forked it ends, not when the process does.
func (h *Host) Serve(ctx context.Context) {
	runtime.LockOSThread() // never unlocked: the thread ends with Serve
	defer close(h.stopped)
	for {
		select {
		case fork := <-h.spawn:
			fork()
		case <-ctx.Done():
			return
		}
	}
}

// Close gives the runtime folder back. Serve must have returned.
func (h *Host) Close() error {
	h.dropSockets()
	return h.lock.Close()
}

// start runs cmd.Start on the forking thread.
func (h *Host) start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	select {
	case h.spawn <- func() { done <- cmd.Start() }:
		return <-done
	case <-h.stopped:
		return ErrStopped
	}
}

// privateFolder makes dir, or checks that nobody else may write to it.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("not a folder")
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write to it (mode %#o): chmod 700", info.Mode().Perm())
	}
	return nil
}
