package rehearse

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/config/files"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
)

// newFiles is how often a folder is looked at for files that were not there.
const newFiles = time.Second

// watch runs the cases now, and whenever something that they depend on has
// changed, until it is interrupted.
func (d *Desk) watch(ctx context.Context, f testFlags, only *regexp.Regexp) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	changed := make(chan struct{}, 1)
	again := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	w := files.NewWatcher(again, files.WatchOptions{})
	ended := make(chan error, 1)
	known := d.again(ctx, w, f, only)
	go func() { ended <- w.Run(ctx) }()
	look := time.NewTicker(newFiles)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-look.C:
			if now, _ := script.Find(f.folder); slices.Equal(now, known) {
				continue
			}
		case <-changed:
		}
		fmt.Fprintln(d.Err)
		known = d.again(ctx, w, f, only)
	}
}

// again runs the cases once, and says what to watch. It returns the files of
// cases that there were.
func (d *Desk) again(ctx context.Context, w *files.Watcher, f testFlags, only *regexp.Regexp) []string {
	known, _ := script.Find(f.folder)
	p, err := play(ctx, d.Config(), f.folder, only)
	if err == nil {
		err = d.show(&p.report, f)
	}
	if err != nil && !errors.Is(err, screen.ErrSaid) {
		fmt.Fprintf(d.Err, "gateway: %s\n", screen.Line(err.Error()))
	}
	w.SetFiles(p.watched())
	return known
}
