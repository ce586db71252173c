package files

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// WatchOptions are the times a [Watcher] goes by; zero values are the usual
// ones.
type WatchOptions struct {
	Quiet time.Duration // without events before files are read: 200ms
	Agree time.Duration // between two reads that must agree: 50ms
	Poll  time.Duration // between looks without any event: 15s

	// Degraded is told when events cannot be had, so that only polling is left.
	// It may be nil.
	Degraded func(error)

	pollOnly bool // for tests: as on a file system without events
}

// Watcher notices that the content of files has changed, however that came
// about: it watches their folders for any event whatever its name, since
// editors rename and Kubernetes swaps links, and looks by itself now and then,
// since some file systems have no events at all.
type Watcher struct {
	opts     WatchOptions
	onChange func()

	mu    sync.Mutex
	paths []string
	seen  string        // fingerprint last loaded or announced
	moved chan struct{} // SetFiles was called
}

// NewWatcher returns a watcher that has seen nothing yet: call SetFiles first.
// Run calls onChange, from
// its own goroutine, each time their content has become another and settled.
func NewWatcher(onChange func(), opts WatchOptions) *Watcher {
	for _, t := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&opts.Quiet, 200 * time.Millisecond}, {&opts.Agree, 50 * time.Millisecond}, {&opts.Poll, 15 * time.Second}} {
		if *t.value == 0 {
			*t.value = t.usual
		}
	}
	return &Watcher{opts: opts, onChange: onChange, moved: make(chan struct{}, 1)}
}

// SetFiles says which files to watch and what was seen of them, as
// [Set.Paths] and [Set.Fingerprint] have it: call it after each load, whether
// or not that found problems, also from within onChange.
func (w *Watcher) SetFiles(paths []string, fingerprint string) {
	w.mu.Lock()
	w.paths, w.seen = slices.Clone(paths), fingerprint
	w.mu.Unlock()
	select {
	case w.moved <- struct{}{}:
	default:
	}
}

// Run watches until ctx ends, and only then returns, with nil.
func (w *Watcher) Run(ctx context.Context) error {
	var events chan fsnotify.Event
	var errs chan error
	notify, err := w.open()
	if err != nil {
		w.degraded(err)
	} else if notify != nil {
		defer func() { _ = notify.Close() }()
		events, errs = notify.Events, notify.Errors
	}
	poll := time.NewTicker(w.opts.Poll)
	defer poll.Stop()
	quiet := time.NewTimer(0) // something may have changed before we started
	var latest time.Time      // by when to look although events keep coming
	for {
		w.arm(notify)
		select {
		case <-ctx.Done():
			return nil
		case <-events:
			latest = w.postpone(quiet, latest)
		case <-errs: // an overflow: events were lost
			latest = w.postpone(quiet, latest)
		case <-w.moved:
			latest = w.postpone(quiet, latest)
		case <-poll.C:
			w.look(ctx)
		case <-quiet.C:
			latest = time.Time{}
			w.look(ctx)
		}
	}
}

func (w *Watcher) open() (*fsnotify.Watcher, error) {
	if w.opts.pollOnly {
		return nil, nil
	}
	return fsnotify.NewWatcher()
}

func (w *Watcher) degraded(err error) {
	if w.opts.Degraded != nil {
		w.opts.Degraded(err)
	}
}

// postpone restarts the wait for quiet, but not forever: a folder may be busy
// with other people's files.
func (w *Watcher) postpone(quiet *time.Timer, latest time.Time) time.Time {
	if latest.IsZero() {
		latest = time.Now().Add(10 * w.opts.Quiet)
	}
	quiet.Reset(min(w.opts.Quiet, max(0, time.Until(latest))))
	return latest
}

// arm watches every folder of interest. Adding one again is cheap, and needed
// when it has been replaced by another of the same name.
func (w *Watcher) arm(notify *fsnotify.Watcher) {
	if notify == nil {
		return
	}
	w.mu.Lock()
	dirs := folders(w.paths)
	w.mu.Unlock()
	for _, dir := range dirs {
		_ = notify.Add(dir) // if it cannot be watched, polling remains
	}
	for _, dir := range notify.WatchList() {
		if !slices.Contains(dirs, dir) {
			_ = notify.Remove(dir)
		}
	}
}

// folders are where files are, where the links to them lead, and for what is
// missing the nearest folder above, where it may come back. A folder that is
// a link may be swapped where the link is.
func folders(files []string) (dirs []string) {
	for _, file := range files {
		file = strings.TrimPrefix(file, listMark)
		dir := existing(filepath.Dir(file))
		if info, err := os.Lstat(dir); err == nil && info.Mode()&os.ModeSymlink != 0 {
			dirs = append(dirs, filepath.Dir(dir))
		}
		dirs = append(dirs, dir)
		if target, err := filepath.EvalSymlinks(file); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func existing(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// look announces what has changed, once it has settled.
func (w *Watcher) look(ctx context.Context) {
	if w.read() == w.current() {
		return
	}
	if now, ok := settled(ctx, w.opts.Agree, w.read); ok && now != w.current() {
		w.announce(now)
	}
}

// settled reads until two reads in a row agree: a file that is being written
// is not yet what its author means.
func settled(ctx context.Context, pause time.Duration, read func() string) (string, bool) {
	for last := read(); ; {
		select {
		case <-ctx.Done():
			return "", false
		case <-time.After(pause):
		}
		next := read()
		if next == last {
			return next, true
		}
		last = next
	}
}

func (w *Watcher) current() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// announce remembers before it calls, so that a SetFiles within the call wins.
func (w *Watcher) announce(mark string) {
	w.mu.Lock()
	w.seen = mark
	w.mu.Unlock()
	w.onChange()
}

func (w *Watcher) read() string {
	w.mu.Lock()
	paths := w.paths
	w.mu.Unlock()
	now := NewSet()
	for _, path := range paths {
		_, _ = now.Read(path) // a file that cannot be read is a state like another
	}
	return now.Fingerprint(paths)
}
