// Package rehearse tries a configuration out before anything depends on it: its
// verbs run cases through it and tell why an event takes a route or does not.
// They start no engine, and unless asked about a stored event they call nobody.
package rehearse

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/config"
)

// Desk is where somebody sits who tries a configuration out.
type Desk struct {
	*screen.Screen
	// Err is for talk: the rest goes to the screen.
	Err io.Writer
	// Client calls the running gateway.
	Client func() (*remote.Client, error)
	// Config is the configuration's file.
	Config func() string
	// Usage is an error of whoever gave the flags.
	Usage func(format string, args ...any) error
}

// Commands are the verbs.
func (d *Desk) Commands() []*cobra.Command {
	return []*cobra.Command{d.testCommand(), d.explainCommand()}
}

// broken is a configuration or a file of cases that cannot be used.
type broken struct{ config.Problems }

func (b broken) Error() string { return b.Problems.Error() }
