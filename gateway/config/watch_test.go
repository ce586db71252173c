package config

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// watched is a configuration on a real file system and a running watcher that
// loads it anew on each change, as a gateway does.
type watched struct {
	t       *testing.T
	dir     string
	path    string
	watcher *Watcher
	loaded  chan string // store.path of what was loaded
}

func watch(t *testing.T, path string, opts WatchOptions) *watched {
	t.Helper()
	if opts.Quiet == 0 {
		opts.Quiet, opts.Agree = 10*time.Millisecond, 2*time.Millisecond
	}
	w := &watched{t: t, dir: filepath.Dir(path), path: path, loaded: make(chan string, 100)}
	doc, _ := Load(path, testOptions())
	w.watcher = NewWatcher(doc, w.reload, opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return w
}

func (w *watched) reload() {
	doc, problems := Load(w.path, testOptions())
	w.watcher.SetFiles(doc)
	if problems.Failed() {
		w.loaded <- "broken"
		return
	}
	w.loaded <- filepath.Base(doc.Config.Store.Path)
}

// expect waits until the wanted state is loaded. States on the way there,
// such as a file that is gone for a moment, may be seen or not.
func (w *watched) expect(want string) {
	w.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case got := <-w.loaded:
			if got == want {
				return
			}
		case <-limit:
			w.t.Fatalf("%q was never loaded", want)
		}
	}
}

func text(name string) string { return "version: 1\nstore:\n  path: ./" + name + "\n" }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const never = time.Hour // no poll: events alone must do

func TestWatchSaves(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, path, text("one"))
	w := watch(t, path, WatchOptions{Poll: never})
	for _, name := range []string{"two", "three", "four"} {
		write(t, path, text(name)) // truncates, then writes
		w.expect(name)
		draft := path + "~"
		write(t, draft, text(name+"-renamed"))
		must(t, os.Rename(draft, path))
		w.expect(name + "-renamed")
		must(t, os.Remove(path))
		w.expect("broken")
		write(t, path, text(name+"-created"))
		w.expect(name + "-created")
	}
}

// TestWatchKubernetes swaps the link that a mounted ConfigMap consists of: no
// event carries the name of the file.
func TestWatchKubernetes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.yaml")
	swap := func(version string) {
		write(t, filepath.Join(dir, version, "gateway.yaml"), text(version))
		must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	swap("v1")
	must(t, os.Symlink(filepath.Join("..data", "gateway.yaml"), path))
	w := watch(t, path, WatchOptions{Poll: never})
	for _, version := range []string{"v2", "v3", "v4"} {
		swap(version)
		w.expect(version)
	}
}

func TestWatchFolderVanishes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "gateway.yaml")
	write(t, path, text("one"))
	w := watch(t, path, WatchOptions{Poll: never})
	for _, name := range []string{"two", "three"} {
		must(t, os.RemoveAll(filepath.Dir(dir)))
		w.expect("broken")
		write(t, path, text(name))
		w.expect(name)
		must(t, os.Rename(dir, dir+"-"+name))
		w.expect("broken")
		write(t, path, text(name+"-again"))
		w.expect(name + "-again")
	}
}

// TestWatchReferences follows the files that the configuration refers to, as
// these change from load to load.
func TestWatchReferences(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	other := filepath.Join(t.TempDir(), "name")
	write(t, other, "one")
	write(t, path, text("none"))
	w := watch(t, path, WatchOptions{Poll: never})
	write(t, path, text("${file:"+other+"}"))
	// The path of the store is ./ and the content, so only the base counts.
	w.expect("one")
	write(t, other, "two\n")
	w.expect("two")
	must(t, os.Remove(other))
	w.expect("broken")
	write(t, other, "three")
	w.expect("three")
}

func TestWatchPolls(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, path, text("one"))
	w := watch(t, path, WatchOptions{Poll: 5 * time.Millisecond, pollOnly: true})
	write(t, path, text("two"))
	w.expect("two")
}

// TestWatchUnchanged: only content counts, so touching a file or saving it as
// it was says nothing.
func TestWatchUnchanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, path, text("one"))
	w := watch(t, path, WatchOptions{Poll: 5 * time.Millisecond})
	for range 20 {
		draft := path + "~"
		write(t, draft, text("one"))
		must(t, os.Rename(draft, path))
	}
	write(t, path+"~", text("two"))
	must(t, os.Rename(path+"~", path))
	if got := <-w.loaded; got != "two" {
		t.Errorf("loaded %q first, want two", got)
	}
}

// TestWatchBusyFolder: a folder in which something else never rests must not
// keep a change from being noticed.
func TestWatchBusyFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, path, text("one"))
	w := watch(t, path, WatchOptions{Poll: never, Quiet: 50 * time.Millisecond, Agree: time.Millisecond})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = os.WriteFile(filepath.Join(w.dir, "noise"), nil, 0o644)
			}
		}
	}()
	write(t, path, text("two"))
	w.expect("two")
	close(stop)
	<-done
}

// TestWatchStartsLate: what changed between loading and watching is noticed.
func TestWatchStartsLate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, path, text("one"))
	doc, _ := Load(path, testOptions())
	write(t, path, text("two"))
	changed := make(chan struct{})
	w := NewWatcher(doc, func() { close(changed) }, WatchOptions{Poll: never, Quiet: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	<-changed
	cancel()
	must(t, <-done)
}
