package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

func write(t testing.TB, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // not what umask makes of it
		t.Fatal(err)
	}
	return path
}

// script is an engine that a shell starts.
func script(t testing.TB, path, before string) string {
	return write(t, path, "#!/bin/sh\n"+before+"\nexec "+self(t)+"\n", 0o755)
}

func TestStartErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, mode, path string
		plain            bool
		timeout          time.Duration
		want             string
	}{
		{name: "no engine", mode: "hello", want: `is not an engine: it printed "hello, I am no engine"`},
		{name: "ends at once", mode: "exit", want: "ended (exit status 3) before it shook hands; its last words: info there is no database"},
		{name: "says nothing", mode: "mute", timeout: time.Second, want: "did not shake hands within 1s"},
		{name: "no TLS", mode: "plaintext", want: "speaks without TLS: set `transport: plain`"},
		{name: "other version", mode: "other-version", want: "speaks version 7 of the engine contract, this gateway speaks version 1"},
		{name: "relative", path: "bin/engine", want: "not an absolute path"},
		{name: "missing", path: dir + "/nothing", want: "no such file"},
		{name: "folder", path: dir + "/folder", want: "not a regular file"},
		{name: "empty", path: write(t, dir+"/empty", "", 0o755), want: "not a program"},
		{name: "no program", path: write(t, dir+"/text", "hello\n", 0o755), want: "not a program for this machine (linux/"},
		{name: "not executable", path: write(t, dir+"/data", "#!/bin/sh\n", 0o644), want: "not executable: chmod +x"},
		{name: "for everybody", path: write(t, dir+"/open", "#!/bin/sh\n", 0o777), want: "everybody may write to it"},
		{name: "no interpreter", path: write(t, dir+"/lost", "#!/no/such/shell\n", 0o755), want: "interpreter (the first line, #!) was not found"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := spec(t, test.mode)
			s.Plain = test.plain
			if test.path != "" {
				s.Path = test.path
			}
			if test.timeout != 0 {
				s.StartTimeout = test.timeout
			}
			_, err := b.Acquire(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v\nwant %s", err, test.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "engine test: ") {
				t.Errorf("error %q does not name the engine", err)
			}
		})
	}
	if list, _ := filepath.Glob(filepath.Join(b.sockets(), "*")); len(list) > 0 {
		t.Errorf("failed starts left %v", list)
	}
	if list := b.Engines(); len(list) > 0 {
		t.Errorf("failed starts are kept: %v", list)
	}
}

func TestConfigProblemsKeepTheirPath(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := spec(t, "ok")
	s.Config = []byte(`{"problem":"no such folder"}`)
	_, err := b.Acquire(t.Context(), s)
	var config *ConfigError
	if !errors.As(err, &config) || len(config.Problems) != 1 || strings.Join(config.Problems[0].Path, ".") != "dir.0" {
		t.Fatalf("error %v", err)
	}
	if got, want := err.Error(), "engine test: config: dir.0: no such folder"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	bin, err := process.OpenBinary(self(t))
	if err != nil {
		t.Fatal(err)
	}
	defer bin.Close()
	s := spec(t, "ok")
	s.SHA256 = bin.Sum()
	e := b.acquire(s)
	if e.Status().SHA256 != bin.Sum() {
		t.Error("the status shows another checksum")
	}
	s.SHA256 = strings.Repeat("0", 64)
	_, err = b.Acquire(t.Context(), s)
	var sum *ChecksumError
	if !errors.As(err, &sum) || sum.Have != bin.Sum() {
		t.Errorf("error %v", err)
	}
}

// TestPinHoldsAtRestart writes over the program while it runs from it.
func TestPinHoldsAtRestart(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	path := script(t, filepath.Join(t.TempDir(), "engine"), ": one")
	bin, err := process.OpenBinary(path)
	if err != nil {
		t.Fatal(err)
	}
	bin.Close()
	s := spec(t, "ok")
	s.Path, s.SHA256 = path, bin.Sum()
	e := b.acquire(s)
	script(t, path, ": two")
	do(t, e, "a", "crash", "")
	eventually(t, "the restart is refused", func() bool { return strings.Contains(e.Status().LastError, "has the checksum") })

	u := s
	u.SHA256 = ""
	f := b.acquire(u)
	script(t, path, ": three")
	do(t, f, "a", "crash", "")
	waitReady(t, f)
	if do(t, f, "b", "echo", "1").Kind != Succeeded || b.logs.FilterMessageSnippet("was written over").Len() == 0 {
		t.Error("an unpinned script does not run as it now is")
	}
}

// TestRestartRunsWhatWasLoaded renames another file over a program's path.
func TestRestartRunsWhatWasLoaded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	dir := t.TempDir()
	path := copyOf(t, self(t), filepath.Join(dir, "engine"))
	s := spec(t, "ok")
	s.Path = path
	e := b.acquire(s)
	sum := e.Status().SHA256
	write(t, filepath.Join(dir, "new"), "#!/bin/sh\nexit 1\n", 0o755)
	if err := os.Rename(filepath.Join(dir, "new"), path); err != nil {
		t.Fatal(err)
	}
	do(t, e, "a", "crash", "")
	waitReady(t, e)
	if do(t, e, "b", "echo", "1").Kind != Succeeded || e.Status().SHA256 != sum {
		t.Error("the restart ran another file")
	}
	if _, err := b.Acquire(t.Context(), s); err == nil || !strings.Contains(err.Error(), "before it shook hands") {
		t.Errorf("the new file was not tried: %v", err)
	}
	if do(t, e, "c", "echo", "1").Kind != Succeeded {
		t.Error("the failed new version hurt the old one")
	}
}

func copyOf(t *testing.T, from, to string) string {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, to, string(data), 0o755)
}

// A script finds what lies beside it, and its folder may be behind a link, as
// releases are.
func TestScriptBehindALinkedFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	dir := t.TempDir()
	script(t, filepath.Join(dir, "engine"), "test -f \"$(dirname $0)/module\" || exit 9")
	write(t, filepath.Join(dir, "module"), "", 0o644)
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s := spec(t, "ok")
	s.Path = filepath.Join(link, "engine")
	if do(t, b.acquire(s), "a", "echo", "1").Kind != Succeeded {
		t.Error("a script in a folder behind a link does not run")
	}
}

// What others could replace is not run.
func TestProgramsThatOthersCouldReplace(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for want, prepare := range map[string]func(path string) error{
		"is a symbolic link": func(path string) error {
			return errors.Join(os.Rename(path, path+"-1"), os.Symlink(path+"-1", path))
		},
		"everybody may write to it":          func(path string) error { return os.Chmod(path, 0o757) },
		"everybody may write to this folder": func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) },
	} {
		s := spec(t, "ok")
		s.Path = filepath.Join(t.TempDir(), "engine")
		script(t, s.Path, "true")
		if err := prepare(s.Path); err != nil {
			t.Fatal(err)
		}
		if e, err := b.Acquire(t.Context(), s); err == nil {
			e.Release()
			t.Errorf("ran a program that %s", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestAcquireIsCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, err := b.Acquire(ctx, spec(t, "mute")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if time.Since(began) > 5*time.Second {
		t.Error("it took too long")
	}
	b.stop()
	if _, err := b.Acquire(t.Context(), spec(t, "ok")); !errors.Is(err, ErrStopped) {
		t.Errorf("error %v", err)
	}
}
