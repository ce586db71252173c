package edit

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/config"
)

// checks are what validate is asked for.
type checks struct {
	config.Options
	engines bool
	next    int
	format  string
}

// Formats of problems for people: with their lines, or as a workflow on GitHub
// reads them.
const (
	formatText   = "text"
	formatGitHub = "github"
)

func (d *Desk) validateCommand() *cobra.Command {
	var asked checks
	c := &cobra.Command{
		Use: "validate [FILE]", Short: "Check a configuration as a reload would, without touching anything", Args: cobra.MaximumNArgs(1),
		Long: `Check a configuration as a reload would, without touching anything. Every
problem is printed with its place. The exit code is 1 when there is an error;
warnings let a configuration through. With --next N, and as JSON, it tells when
the schedules fire next.

With --engines the engines are started as well, in a folder of their own, asked
about every workflow and its input, and stopped again.`,
		Example: "  gateway validate\n  gateway validate --no-secrets --strict --format github   # in a workflow on GitHub",
		PreRunE: func(*cobra.Command, []string) error {
			if asked.next < 0 || asked.next > 100 {
				return fmt.Errorf("--next %d is not a number from 0 to 100", asked.next)
			}
			if asked.format != formatText && asked.format != formatGitHub {
				return fmt.Errorf("format %q is none of %s, %s", asked.format, formatText, formatGitHub)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return d.validate(c.Context(), d.file(args), asked) },
	}
	c.Flags().BoolVar(&asked.Strict, "strict", false, "warnings, such as of secrets written into the file, are errors")
	c.Flags().BoolVar(&asked.NoSecrets, "no-secrets", false, "let unset variables and missing secret files through: for CI")
	c.Flags().BoolVar(&asked.engines, "engines", false, "start the engines, too, and ask them about every route")
	c.Flags().IntVar(&asked.next, "next", 0, "show this many next firings of each schedule, at most 100")
	c.Flags().StringVar(&asked.format, "format", formatText, "text, or github: annotations for a workflow on GitHub")
	return c
}

// shownNext is how many firings a program is told that did not ask.
const shownNext = 3

// validation is what is found out about a configuration.
type validation struct {
	Problems  config.Problems  `json:"problems"`
	Schedules []steer.Schedule `json:"schedules"`
}

func (d *Desk) validate(ctx context.Context, path string, asked checks) error {
	found, err := d.check(ctx, path, asked)
	if err != nil {
		return err
	}
	err = d.Show(found, func() {
		if asked.format == formatGitHub {
			report.Annotations(d.Out, found.Problems)
		} else {
			fmt.Fprint(d.Out, screen.Block(found.Problems.Text()))
		}
		if asked.next > 0 && len(found.Schedules) > 0 {
			report.Schedules(d.Screen, found.Schedules)
		}
	})
	if err != nil {
		return err
	}
	if found.Problems.Failed() {
		return screen.ErrSaid
	}
	fmt.Fprintf(d.Err, "%s is valid\n", path)
	return nil
}

func (d *Desk) check(ctx context.Context, path string, asked checks) (found validation, err error) {
	next := asked.next
	if next == 0 {
		next = shownNext
	}
	if asked.engines {
		// What was started must be stopped, whoever loses patience.
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		found.Problems, found.Schedules, err = gateway.ValidateEngines(ctx, path, asked.Options, next, d.log())
	} else {
		found.Problems, found.Schedules = gateway.Validate(path, asked.Options, next)
	}
	if found.Problems == nil {
		found.Problems = config.Problems{} // [] and not null
	}
	return found, err
}

// log is what engines say when something is wrong with them.
func (d *Desk) log() *zap.Logger {
	c := zapcore.EncoderConfig{MessageKey: "msg", NameKey: "name", ConsoleSeparator: " "}
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(c), zapcore.Lock(zapcore.AddSync(d.Err)), zap.WarnLevel))
}
