package revisions

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/revisions"
	"github.com/event-gateway/gateway/gateway/history"
)

// hint is what leads back to a revision.
type hint struct {
	// From is what stands in the files now, To the revision to get back to, which
	// was in force from At until Until.
	From  string    `json:"from"`
	To    string    `json:"to"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"`
	// Broken: the file cannot be read, and the patch begins with what is in force.
	Broken bool `json:"broken,omitempty"`
	// Patch makes the files what they were.
	Patch string `json:"patch"`
	// Files whose patch cannot be applied as it is: literals are starred out.
	Starred []string `json:"starred,omitempty"`
	// Drop are entries made over the API since, Missing those that are gone.
	Drop    []string `json:"drop,omitempty"`
	Missing []string `json:"missing,omitempty"`
}

func (d *Desk) hintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rollback-hint [REVISION]", Short: "Print what to do to get back to a revision, and change nothing", Args: cobra.MaximumNArgs(1),
		Long: `Print what to do to get back to a revision, or to the one before, and change
nothing. What is printed is a patch from the files as they stand to what they
were, with what else there is to know as comments before it.`,
		Example: "  gateway config rollback-hint > back.patch   # read it\n  patch -p0 < back.patch && gateway validate",
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.ask(func(p past) error {
				h, err := d.back(cmd.Context(), p, argument(args, 0))
				if err != nil {
					return err
				}
				return d.Show(h, func() { d.printHint(h) })
			})
		},
	}
}

// back finds the way from the files, or where they cannot be read from what is
// in force, to a revision.
func (d *Desk) back(ctx context.Context, p past, name string) (hint, error) {
	now, err := p.Show(ctx, "")
	if err != nil {
		return hint{}, err
	}
	if name == "" {
		before, err := p.Diff(ctx, "", "")
		if err != nil {
			return hint{}, err
		}
		name = before.From
	}
	then, err := p.Show(ctx, name)
	if err != nil {
		return hint{}, err
	}
	h := hint{To: then.Revision.Revision, At: then.At, From: now.Revision.Revision}
	if h.Until, err = until(ctx, p, then.Cursor); err != nil {
		return h, err
	}
	h.Drop, h.Missing = names(now.Overlay, then.Overlay), names(then.Overlay, now.Overlay)
	files := now.Files
	if stands, err := written(d.Config()); err != nil {
		h.Broken = true
	} else {
		h.From, files = d.Config(), stands.Files
		then.Files[0].Name = files[0].Name
	}
	h.Patch = history.Text(files, then.Files)
	for _, f := range then.Files {
		if f.Starred && strings.Contains(h.Patch, "+++ "+f.Name+"\n") {
			h.Starred = append(h.Starred, f.Name)
		}
	}
	return h, nil
}

// until is when a revision was followed by another; zero when it is in force.
func until(ctx context.Context, p past, cursor int64) (at time.Time, err error) {
	list, err := p.List(ctx, 0, 1000)
	for _, r := range list {
		if r.Cursor > cursor {
			at = r.At
		}
	}
	return at, err
}

// names are those in a that are not in b, or are others there.
func names(a, b []revisions.ConfigText) (list []string) {
	other := map[string]string{}
	for _, f := range b {
		other[f.Name] = f.Text
	}
	for _, f := range a {
		if text, ok := other[f.Name]; !ok || text != f.Text {
			list = append(list, f.Name)
		}
	}
	return list
}

func (d *Desk) printHint(h hint) {
	say := func(format string, args ...any) { fmt.Fprintf(d.Out, "# "+format+"\n", args...) }
	say("Back from %s to revision %s, in force from %s until %s.", screen.Line(report.Revision(h.From)), report.Revision(h.To),
		screen.Moment(h.At), screen.Moment(h.Until))
	if !h.Until.IsZero() {
		say("In git: git log --before=%s -- %s", h.Until.UTC().Format(time.RFC3339), screen.Line(filepath.Base(d.Config())))
	}
	say("Or, in the folder of the file: patch -p0 < this, gateway validate, gateway reload.")
	if h.Broken {
		say("%s cannot be read now, see gateway validate: the patch begins with what is in force.", screen.Line(d.Config()))
	}
	for _, name := range h.Starred {
		say("By hand: %s has literals that history does not keep; each star stands for one character.", screen.Line(name))
	}
	for _, name := range h.Drop {
		say("Made over the API since: DELETE /api/v1/overlay/%s", screen.Line(name))
	}
	for _, name := range h.Missing {
		say("Made over the API then: gateway config show %s has %s.", report.Revision(h.To), screen.Line(name))
	}
	if h.Patch == "" {
		say("The files say the same.")
	}
	fmt.Fprint(d.Out, d.painted(h.Patch))
}
