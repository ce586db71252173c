// Package revisions is what people ask about the configuration of a gateway: what
// was in force and when, what changed, and how to get back. Its verbs change
// nothing. They ask the running gateway, or read the store of one that is not.
package revisions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/declare"
	"github.com/event-gateway/gateway/gateway/api/revisions"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/history"
)

// Desk is where somebody asks.
type Desk struct {
	*screen.Screen
	// Err is for talk.
	Err io.Writer
	// Client calls the running gateway.
	Client func() (*remote.Client, error)
	// Config is the configuration's file.
	Config func() string

	offline bool
}

// Commands are the verbs below config.
func (d *Desk) Commands() []*cobra.Command {
	all := []*cobra.Command{d.historyCommand(), d.diffCommand(), d.showCommand(), d.hintCommand()}
	for _, c := range all {
		c.Flags().BoolVar(&d.offline, "offline", false, "read the store of the configuration's file, of a gateway that does not run")
	}
	return append(all, d.exportCommand())
}

func (d *Desk) historyCommand() *cobra.Command {
	limit := 20
	c := &cobra.Command{
		Use: "history", Short: "List the configurations that were in force, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.ask(func(p past) error {
				list, err := p.List(cmd.Context(), 0, limit)
				if err != nil {
					return err
				}
				page := revisions.RevisionList{Revisions: append([]revisions.Revision{}, list...)}
				return d.Show(page, func() { d.printHistory(list) })
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", limit, "how many, at most 1000")
	return c
}

func (d *Desk) printHistory(list []revisions.Revision) {
	rows := make([][]screen.Cell, len(list))
	for i, r := range list {
		why := r.Reason
		if r.By != "" {
			why += " by " + r.By
		}
		rows[i] = screen.Row(report.Revision(r.Revision), screen.Moment(r.At), screen.OrDash(why), summary(r.Changes))
	}
	d.Table([]string{"REVISION", "IN FORCE SINCE", "WHY", "CHANGES"}, rows)
}

// summary is the first of the changes, and how many there are more.
func summary(c revisions.Changes) string {
	if len(c.Changes) == 0 {
		return "-"
	}
	text := c.Changes[0].String()
	if more := len(c.Changes) - 1 + c.More; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

func (d *Desk) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show [REVISION]", Short: "Print a configuration that was in force, or the one that is", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.ask(func(p past) error {
				w, err := p.Show(cmd.Context(), argument(args, 0))
				if err != nil {
					return err
				}
				return d.Show(w, func() { d.printWhole(w) })
			})
		},
	}
}

// printWhole prints one file as it is, and of several their names.
func (d *Desk) printWhole(w revisions.RevisionText) {
	for _, f := range w.Files {
		if len(w.Files)+len(w.Overlay) > 1 {
			fmt.Fprintf(d.Out, "# --- %s\n", screen.Line(f.Name))
		}
		fmt.Fprint(d.Out, screen.Block(ended(f.Text)))
	}
	for _, f := range w.Overlay {
		fmt.Fprintf(d.Out, "# --- made over the API: %s\n%s", screen.Line(f.Name), screen.Block(ended(f.Text)))
	}
}

func ended(text string) string {
	if strings.HasSuffix(text, "\n") || text == "" {
		return text
	}
	return text + "\n"
}

func (d *Desk) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use: "diff [REVISION] [REVISION|FILE]", Short: "Show what changed from one configuration to another", Args: cobra.MaximumNArgs(2),
		Long: `Show what changed from one configuration to another: key by key, and as text.
Without arguments it is from the revision before to the one in force; with one
revision, from that to the one in force; with a file alone, from the one in force
to the file.`,
		Example: "  gateway config diff\n  gateway config diff 1f2e3d4c gateway.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.ask(func(p past) error {
				between, err := d.between(cmd.Context(), p, args)
				if err != nil {
					return err
				}
				return d.Show(between, func() { d.printDifference(between) })
			})
		},
	}
}

func (d *Desk) between(ctx context.Context, p past, args []string) (revisions.Difference, error) {
	from, to := argument(args, 0), argument(args, 1)
	if len(args) == 1 && isFile(from) {
		from, to = "", from
	}
	if to == "" || !isFile(to) {
		return p.Diff(ctx, from, to)
	}
	before, err := p.Show(ctx, from)
	if err != nil {
		return revisions.Difference{}, err
	}
	after, err := written(to)
	if err != nil {
		return revisions.Difference{}, err
	}
	after.Files[0].Name = before.Files[0].Name // whatever it is called
	return history.Between(declared(before), after), nil
}

// declared is a configuration without what was made over the API, of which a
// file knows nothing.
func declared(w revisions.RevisionText) revisions.RevisionText {
	for _, f := range w.Overlay {
		section, name, _ := strings.Cut(f.Name, ".")
		if entries, ok := w.Values[section].(map[string]any); ok {
			delete(entries, name)
		}
	}
	w.Overlay = nil
	return w
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// written is a file as history would show it.
func written(path string) (revisions.RevisionText, error) {
	doc, problems := config.Load(path, config.Options{NoSecrets: true})
	if problems.Failed() {
		return revisions.RevisionText{}, problems
	}
	return history.Of(doc), nil
}

func (d *Desk) printDifference(b revisions.Difference) {
	fmt.Fprintf(d.Out, "from %s to %s\n", report.Revision(b.From), report.Revision(b.To))
	for _, c := range b.Changes.Changes {
		fmt.Fprintf(d.Out, "  %s\n", screen.Line(c.String()))
	}
	if b.More > 0 {
		fmt.Fprintf(d.Out, "  and %d more\n", b.More)
	}
	if b.Text != "" {
		fmt.Fprintf(d.Out, "\n%s", d.painted(b.Text))
	}
}

func (d *Desk) painted(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		look := screen.Normal
		switch line[0] {
		case '+':
			look = screen.Green
		case '-':
			look = screen.Red
		case '@':
			look = screen.Dim
		}
		out.WriteString(d.Paint(look, screen.Block(line)))
	}
	return out.String()
}

func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// past is where the history is: behind the API of a gateway that runs, or in the
// store of one that does not.
type past interface {
	List(ctx context.Context, before int64, limit int) ([]revisions.Revision, error)
	Show(ctx context.Context, name string) (revisions.RevisionText, error)
	Diff(ctx context.Context, from, to string) (revisions.Difference, error)
}

func (d *Desk) ask(question func(past) error) (err error) {
	if !d.offline {
		c, err := d.Client()
		if err != nil {
			return err
		}
		return question(running{c})
	}
	folder := history.Folder(d.Config())
	if folder == "" {
		return fmt.Errorf("%s: does not say where the store is", d.Config())
	}
	h, shut, err := history.In(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut()) }()
	return question(h)
}

// running is a gateway that runs.
type running struct{ *remote.Client }

func (r running) List(ctx context.Context, _ int64, limit int) ([]revisions.Revision, error) {
	var page revisions.RevisionList
	err := r.Get(ctx, "/api/v1/config/revisions", url.Values{"limit": {strconv.Itoa(limit)}}, &page)
	return page.Revisions, err
}

func (r running) Show(ctx context.Context, name string) (w revisions.RevisionText, err error) {
	if name == "" {
		list, err := r.List(ctx, 0, 1)
		if err != nil || len(list) == 0 {
			return w, errors.Join(err, errors.New("the gateway has no history"))
		}
		name = list[0].Revision
	}
	return w, r.Get(ctx, "/api/v1/config/revisions/"+url.PathEscape(name), nil, &w)
}

func (r running) Diff(ctx context.Context, from, to string) (b revisions.Difference, err error) {
	q := url.Values{}
	for key, name := range map[string]string{"from": from, "to": to} {
		if name != "" {
			q.Set(key, name)
		}
	}
	return b, r.Get(ctx, "/api/v1/config/diff", q, &b)
}

func (d *Desk) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print as YAML what was subscribed and scheduled over the API", Args: cobra.NoArgs,
		Long: "Print as YAML what was subscribed and scheduled over the API, to be put into the file.\n" +
			"The file's entries count from then on; delete those of the API when it is in force.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := d.Client()
			if err != nil {
				return err
			}
			var r declare.Report
			if err := c.Get(cmd.Context(), "/api/v1/overlay", nil, &r); err != nil {
				return err
			}
			for _, e := range r.Entries {
				if !e.InForce {
					fmt.Fprintf(d.Err, "gateway: %s was set aside and is left out\n", screen.Line(e.Name))
					report.Problems(d.Err, e.Problems)
				}
			}
			return d.Show(r, func() { _, _ = io.WriteString(d.Out, r.YAML) })
		},
	}
}
