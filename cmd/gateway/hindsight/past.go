// Package hindsight is verbs about what a gateway has seen: its events go out to a
// file, a new configuration is held against them, and they come in once more.
package hindsight

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
)

// Desk is where somebody sits who looks back.
type Desk struct {
	*screen.Screen
	// Err is for talk and for progress, which moves where Terminal says that it
	// can; the rest goes to the screen.
	Err      io.Writer
	Terminal bool
	// Client calls the running gateway.
	Client func() (*remote.Client, error)
	// Config is the configuration's file.
	Config func() string
	// Usage is an error of whoever gave the flags.
	Usage func(format string, args ...any) error
}

// Commands are the verbs.
func (d *Desk) Commands() []*cobra.Command {
	return []*cobra.Command{d.planCommand(), d.replayCommand()}
}

// interruptible ends with an interrupt, so that there is time to say how to go
// on.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
