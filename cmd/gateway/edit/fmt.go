package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/disk"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/layout"
)

// forming is what fmt does with a file that is not in its form.
type forming struct{ check, diff bool }

// stdin is how a command line names it.
const stdin = "-"

func (d *Desk) fmtCommand() *cobra.Command {
	var how forming
	c := &cobra.Command{
		Use: "fmt [FILE...]", Short: "Put a configuration into its canonical form",
		Long: `Put a configuration into its canonical form: two spaces for each level, lists
indented below their key, one space behind ":", "-" and ",", none inside brackets,
no spaces at the ends of lines, at most one blank line in a row. Comments, quotes
and the order of keys stay. What is written is read again first: it says the same,
or the file is left as it is. The names of files that are changed are printed.

With -, the standard input is formed to the standard output.`,
		Example: "  gateway fmt\n  gateway fmt --check --diff   # in CI: exit code 1 when a file is not in its form",
		RunE: func(_ *cobra.Command, names []string) error {
			if len(names) == 0 {
				names = []string{d.Config()}
			}
			return d.formAll(names, how)
		},
	}
	c.Flags().BoolVar(&how.check, "check", false, "change nothing; exit code 1 when a file is not in its form")
	c.Flags().BoolVar(&how.diff, "diff", false, "change nothing; print the difference")
	return c
}

// formAll forms one file after the other; one that cannot be formed does not
// keep the others from it.
func (d *Desk) formAll(names []string, how forming) error {
	failed := false
	for _, name := range names {
		changed, err := d.form(name, how)
		var problems config.Problems
		switch {
		case errors.As(err, &problems):
			fmt.Fprint(d.Err, screen.Block(problems.Text()))
		case err != nil:
			fmt.Fprintf(d.Err, "gateway: %s\n", screen.Line(err.Error()))
		}
		failed = failed || err != nil || changed && how.check
	}
	if failed {
		return screen.ErrSaid
	}
	return nil
}

func (d *Desk) form(name string, how forming) (changed bool, err error) {
	text, err := d.read(name)
	if err != nil {
		return false, err
	}
	formed, err := layout.Format(name, text)
	if err != nil {
		return false, err
	}
	changed = !bytes.Equal(text, formed)
	switch {
	case how.diff:
		fmt.Fprint(d.Out, screen.Block(string(diff.Diff(name, text, name+" (formed)", formed))))
		return changed, nil
	case how.check && !changed, name != stdin && !changed:
		return false, nil
	case how.check:
		fmt.Fprintln(d.Out, screen.Line(name))
		return true, nil
	case name == stdin:
		_, err = d.Out.Write(formed)
		return changed, err
	}
	fmt.Fprintln(d.Out, screen.Line(name))
	return true, disk.Replace(name, formed)
}

func (d *Desk) read(name string) ([]byte, error) {
	if name == stdin {
		return io.ReadAll(d.In)
	}
	return os.ReadFile(name)
}
