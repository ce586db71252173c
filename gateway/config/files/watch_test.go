package files

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watched is a file on a real file system and a running watcher that loads it
// anew on each change, as a gateway does.
type watched struct {
	t       *testing.T
	dir     string
	path    string
	watcher *Watcher
	loaded  chan string // the content of what was loaded
}

func watch(t *testing.T, path string, opts WatchOptions) *watched {
	t.Helper()
	if opts.Quiet == 0 {
		opts.Quiet, opts.Agree = 10*time.Millisecond, 2*time.Millisecond
	}
	w := &watched{t: t, dir: filepath.Dir(path), path: path, loaded: make(chan string, 100)}
	w.watcher = NewWatcher(w.reload, opts)
	set, _ := load(path)
	w.watcher.SetFiles(set.Paths(), set.Fingerprint(set.Paths()))
	w.run()
	return w
}

// start runs a watcher by events alone that begins with a look.
func (w *watched) start(look func()) {
	w.watcher = NewWatcher(look, WatchOptions{Poll: never, Quiet: 10 * time.Millisecond, Agree: 2 * time.Millisecond})
	look()
	w.run()
}

func (w *watched) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.watcher.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
}

func (w *watched) reload() {
	set, content := load(w.path)
	w.watcher.SetFiles(set.Paths(), set.Fingerprint(set.Paths()))
	w.loaded <- content
}

// load returns the content of a file; of the one it names, if it names one.
func load(path string) (*Set, string) {
	set := NewSet()
	for {
		text, err := set.Read(path)
		if err != nil {
			return set, "broken"
		}
		named, ok := strings.CutPrefix(string(text), "see ")
		if !ok {
			return set, string(text)
		}
		path = named
	}
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
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
	w := watch(t, path, WatchOptions{Poll: never})
	for _, name := range []string{"two", "three", "four"} {
		write(t, path, name) // truncates, then writes
		w.expect(name)
		draft := path + "~"
		write(t, draft, name+"-renamed")
		must(t, os.Rename(draft, path))
		w.expect(name + "-renamed")
		must(t, os.Remove(path))
		w.expect("broken")
		write(t, path, name+"-created")
		w.expect(name + "-created")
	}
}

// TestWatchKubernetes swaps the link that a mounted ConfigMap consists of: no
// event carries the name of the file.
func TestWatchKubernetes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	swap := func(version string) {
		write(t, filepath.Join(dir, version, "file"), version)
		must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	swap("v1")
	must(t, os.Symlink(filepath.Join("..data", "file"), path))
	w := watch(t, path, WatchOptions{Poll: never})
	for _, version := range []string{"v2", "v3", "v4"} {
		swap(version)
		w.expect(version)
	}
}

func TestWatchFolderVanishes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "file")
	write(t, path, "one")
	w := watch(t, path, WatchOptions{Poll: never})
	for _, name := range []string{"two", "three"} {
		must(t, os.RemoveAll(filepath.Dir(dir)))
		w.expect("broken")
		write(t, path, name)
		w.expect(name)
		must(t, os.Rename(dir, dir+"-"+name))
		w.expect("broken")
		write(t, path, name+"-again")
		w.expect(name + "-again")
	}
}

// TestWatchReferences follows the files that a file refers to, as
// these change from load to load.
func TestWatchReferences(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	other := filepath.Join(t.TempDir(), "name")
	write(t, other, "one")
	write(t, path, "none")
	w := watch(t, path, WatchOptions{Poll: never})
	write(t, path, "see "+other)
	w.expect("one")
	write(t, other, "two")
	w.expect("two")
	must(t, os.Remove(other))
	w.expect("broken")
	write(t, other, "three")
	w.expect("three")
}

func TestWatchPolls(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
	w := watch(t, path, WatchOptions{Poll: 5 * time.Millisecond, pollOnly: true})
	write(t, path, "two")
	w.expect("two")
}

// TestLook: only content counts. Touching a file or saving it as it was says
// nothing, and a change is announced once, even when nobody loads it.
func TestLook(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
	calls := 0
	w := NewWatcher(func() { calls++ }, WatchOptions{Agree: time.Millisecond})
	set, _ := load(path)
	w.SetFiles(set.Paths(), set.Fingerprint(set.Paths()))
	for i, step := range []struct {
		content string
		calls   int
	}{{"one", 0}, {"two", 1}, {"two", 1}, {"", 2}, {"one", 3}} {
		draft := path + "~"
		write(t, draft, step.content)
		must(t, os.Rename(draft, path))
		if w.look(context.Background()); calls != step.calls {
			t.Errorf("after step %d: %d calls, want %d", i, calls, step.calls)
		}
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := []string{"", "version", "version: 1", "version: 1", "never read"}
		got, ok := settled(t.Context(), time.Second, func() string {
			next := reads[0]
			reads = reads[1:]
			return next
		})
		if got != "version: 1" || !ok || len(reads) != 1 {
			t.Errorf("settled on %q, %t, %d reads left", got, ok, len(reads))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, ok := settled(ctx, time.Second, func() string { return time.Now().String() }); ok {
			t.Error("settled on what never rests")
		}
	})
}

// TestWatchBusyFolder: a folder in which something else never rests must not
// keep a change from being noticed.
func TestWatchBusyFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
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
	for _, content := range []string{"two", "three"} {
		write(t, path, content)
		w.expect(content)
	}
	close(stop)
	<-done
}

// TestWatchStartsLate: what changed between loading and watching is noticed.
func TestWatchStartsLate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
	set, _ := load(path)
	write(t, path, "two")
	changed := make(chan struct{})
	w := NewWatcher(func() { close(changed) }, WatchOptions{Poll: never, Quiet: time.Millisecond})
	w.SetFiles(set.Paths(), set.Fingerprint(set.Paths()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	<-changed
	cancel()
	must(t, <-done)
}

// TestArm: which folders are watched follows the files, and what exists.
func TestArm(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	a, b, far := filepath.Join(dir, "a", "file"), filepath.Join(dir, "b", "c", "file"), filepath.Join(dir, "far", "file")
	write(t, a, "one")
	write(t, far, "one")
	must(t, os.MkdirAll(filepath.Dir(b), 0o755))
	must(t, os.Symlink(far, b))
	notify, err := fsnotify.NewWatcher()
	must(t, err)
	defer func() { _ = notify.Close() }()
	w := NewWatcher(func() {}, WatchOptions{})
	armed := func(files []string, want ...string) {
		t.Helper()
		w.SetFiles(files, "")
		w.arm(notify)
		got := notify.WatchList()
		slices.Sort(got)
		for i := range want {
			want[i] = filepath.Join(dir, want[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("watches %v, want %v", got, want)
		}
	}
	armed([]string{a}, "a")
	armed([]string{a, b}, "a", "b/c", "far")
	must(t, os.RemoveAll(filepath.Join(dir, "b")))
	armed([]string{a, b}, "", "a")
	must(t, os.MkdirAll(filepath.Dir(b), 0o755))
	armed([]string{a, b}, "a", "b/c")
	armed([]string{b}, "b/c")
}
