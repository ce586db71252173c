package rehearse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/rehearse/record"
)

// testFlags are those of `gateway test`.
type testFlags struct {
	folder, run, junit, format, record string
	redact                             record.Redaction
	coverage, complete, verbose, watch bool
}

func (d *Desk) testCommand() *cobra.Command {
	var f testFlags
	c := &cobra.Command{
		Use: "test [FOLDER]", Short: "Run cases through the configuration: requests, events and schedules", Args: cobra.MaximumNArgs(1),
		Long: `Run the cases of a folder (default: tests beside the configuration) through the
configuration: requests with their signatures, events, and schedules between two
instants. Expected are the answer, the routes with their inputs and keys, and
what keeps other routes out. It needs no engine, no network and no secrets, and
sees nothing of the environment: what a case needs stands in its file.

With --record ID, an event of the running gateway becomes a case of the folder,
without what looks like a credential or an address of a person. Exit code 1: a
case failed. docs/testing.md explains the files.`,
		Example: `  gateway test
  gateway test --run 'pushes' -v
  gateway test --junit results.xml --format github
  gateway test --record 0saevzjxg0001 --redact data.customer`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.folder = filepath.Join(filepath.Dir(d.Config()), "tests")
			if len(args) > 0 {
				f.folder = args[0]
			}
			return d.test(cmd.Context(), f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.run, "run", "", "only the cases whose name this `regexp` matches")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "name the cases that passed, too")
	flags.BoolVar(&f.coverage, "coverage", false, "list routes and conditions that no case has tried")
	flags.BoolVar(&f.complete, "require-coverage", false, "fail when there are any")
	flags.BoolVarP(&f.watch, "watch", "w", false, "run again whenever a file changes")
	flags.StringVar(&f.junit, "junit", "", "write the results to this `file` as JUnit XML, too")
	flags.StringVar(&f.format, "format", "", "github: print annotations for GitHub Actions, too")
	flags.StringVar(&f.record, "record", "", "make a case of the event with this `id` of the running gateway")
	flags.StringArrayVar(&f.redact.Paths, "redact", nil, "leave this `path` of a recorded event out, too: data.customer.name, data.items.*.note")
	flags.BoolVar(&f.redact.Off, "no-redaction", false, "record an event as it is")
	c.MarkFlagsMutuallyExclusive("record", "watch")
	return c
}

func (d *Desk) test(ctx context.Context, f testFlags) error {
	if f.format != "" && f.format != "github" {
		return d.Usage("format %q is not github", f.format)
	}
	var only *regexp.Regexp
	if f.run != "" {
		var err error
		if only, err = regexp.Compile(f.run); err != nil {
			return d.Usage("--run: %w", err)
		}
	}
	switch {
	case f.record != "":
		return d.record(ctx, f)
	case f.watch:
		return d.watch(ctx, f, only)
	}
	p, err := play(ctx, d.Config(), f.folder, only)
	if err != nil {
		return err
	}
	return d.show(&p.report, f)
}

// show prints a report in all forms that were asked for. It fails when the
// cases did.
func (d *Desk) show(r *Report, f testFlags) error {
	if f.junit != "" {
		if err := writeJUnit(f.junit, r); err != nil {
			return fmt.Errorf("junit: %w", err)
		}
	}
	if f.format == "github" {
		annotate(d.Err, r)
	}
	err := d.Show(r, func() { d.print(r, f) })
	uncovered := f.complete && (r.Coverage == nil || len(r.Coverage.Gaps) > 0)
	if err == nil && (!r.OK() || uncovered) {
		return screen.ErrSaid
	}
	return err
}

// writeNew never overwrites.
func writeNew(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // part of a repository
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // part of a repository
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}
