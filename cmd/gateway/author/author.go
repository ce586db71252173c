// Package author is what the writer of an engine runs: it makes a project that
// works, and tells whether a program keeps the engine contract. It stands beside
// the gateway, which it neither needs nor asks.
package author

import (
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
)

// Desk is where an author sits.
type Desk struct {
	*screen.Screen
	// Version of this gateway, for projects that need its SDK.
	Version string
}

// Commands are the verbs for authors.
func (d *Desk) Commands() []*cobra.Command {
	return []*cobra.Command{d.newCommand(), d.checkCommand()}
}
