package author

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/scaffold"
)

// made is what `gateway engines new` tells.
type made struct {
	Dir   string   `json:"dir"`
	Files []string `json:"files"`
	SDK   string   `json:"sdk,omitempty"`
	Next  []string `json:"next"`
}

func (d *Desk) newCommand() *cobra.Command {
	var dir, sdk string
	p := scaffold.Project{}
	c := &cobra.Command{
		Use: "new NAME", Short: "Make the project of an engine, which builds, passes its tests and runs",
		Long: `Make the project of an engine: it builds, passes its tests and runs a workflow as
it is. A file that is there already is never written over.

In Go the project requires the SDK of this gateway's release. A gateway that was
built from source has none: then go.mod points at its source, which is the clone
that --sdk names, or the one around this binary or the current folder.`,
		Example: "  gateway engines new greeter --lang go\n  gateway engines new greeter --lang python --dir engines/greeter",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("say one name, like: gateway engines new greeter --lang go")
			}
			return scaffold.CheckName(args[0])
		},
		PreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains(scaffold.Languages(), p.Language) {
				return fmt.Errorf("lang %q is none of %s", p.Language, strings.Join(scaffold.Languages(), ", "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			p.Name = args[0]
			if dir == "" {
				dir = p.Name
			}
			return d.make(p, dir, sdk)
		},
	}
	c.Flags().StringVar(&p.Language, "lang", "", "go, node or python")
	c.Flags().StringVar(&dir, "dir", "", "`folder` of the project (default: NAME)")
	c.Flags().StringVar(&sdk, "sdk", "", "in Go: `folder` of a clone of the gateway, whose SDK is used")
	_ = c.MarkFlagRequired("lang")
	return c
}

func (d *Desk) make(p scaffold.Project, dir, sdk string) error {
	if p.Language == "go" {
		if err := p.FindSDK(d.Version, sdk, places()...); err != nil {
			return err
		}
	}
	names, err := p.Write(dir)
	if err != nil {
		return err
	}
	m := made{Dir: dir, Files: names, SDK: p.SDK, Next: next(p, dir)}
	return d.Show(m, func() {
		fmt.Fprintf(d.Out, "%s: %d files\n", filepath.Join(dir, ""), len(names))
		if p.SDK != "" {
			fmt.Fprintf(d.Out, "go.mod takes the SDK from %s: this gateway is no release, or you said so.\n", p.SDK)
		}
		fmt.Fprintf(d.Out, "\nNext:\n\n")
		for _, line := range m.Next {
			fmt.Fprintf(d.Out, "  %s\n", line)
		}
	})
}

// places are where a clone may be around.
func places() (dirs []string) {
	if program, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(program))
	}
	if dir, err := os.Getwd(); err == nil {
		dirs = append(dirs, dir)
	}
	return dirs
}

// next is what one types next.
func next(p scaffold.Project, dir string) []string {
	lines := []string{"cd " + dir}
	switch p.Language {
	case "go":
		if p.SDK == "" {
			lines = append(lines, "go mod tidy")
		}
		lines = append(lines, "make build")
	case "node":
		lines = append(lines, "npm ci")
	case "python":
		lines = append(lines, "make build")
	}
	return append(lines,
		"gateway engines check         # every promise of the contract",
		"gateway run                   # with the engine; and in another shell:",
		`gateway trigger user.created --data '{"name": "Ada"}' --wait 10s`)
}
