// Package edit is what the writer of a configuration runs: it begins one, checks
// it, puts it into its canonical form, and tells editors what may be in it. It
// needs no gateway that runs.
package edit

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
)

// Desk is where the writer of a configuration sits.
type Desk struct {
	*screen.Screen
	// In is read where a file is named "-".
	In io.Reader
	// Err is for talk.
	Err io.Writer
	// Config is the configuration's file.
	Config func() string
	// Version of this gateway.
	Version string
}

// Commands are the verbs for those who write a configuration.
func (d *Desk) Commands() []*cobra.Command {
	return []*cobra.Command{d.initCommand(), d.validateCommand(), d.fmtCommand(), d.schemaCommand()}
}

// file is the one that is named, or the configuration's.
func (d *Desk) file(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return d.Config()
}
