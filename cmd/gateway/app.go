package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/edit"
	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
)

// Exit codes. exitConfig is EX_CONFIG of sysexits.h: a supervisor need not
// start again what will refuse again.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78
)

// app is what all verbs share: the streams, the environment and the flags
// that every verb has.
type app struct {
	screen.Screen
	in  io.Reader
	err io.Writer
	// terminal: err is one.
	terminal bool
	getenv   func(string) string

	// Flags of all verbs; the format of the screen is one more.
	config, admin string
	trusted       remote.Trust

	// running: flags and arguments were right; what fails now is not usage.
	running bool
}

func newApp() *app {
	color := isatty.IsTerminal(os.Stdout.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &app{
		Screen: screen.Screen{Out: os.Stdout, Color: color, Now: time.Now},
		in:     os.Stdin, err: os.Stderr, terminal: isatty.IsTerminal(os.Stderr.Fd()), getenv: os.Getenv,
	}
}

// failure is an error with the exit code it deserves. Without a cause
// everything has been said already.
type failure struct {
	code  int
	cause error
}

func (f *failure) Error() string {
	if f.cause == nil {
		return fmt.Sprintf("exit code %d", f.code)
	}
	return f.cause.Error()
}

func (f *failure) Unwrap() error { return f.cause }

func usage(format string, args ...any) error {
	return &failure{code: exitUsage, cause: fmt.Errorf(format, args...)}
}

func (a *app) execute(args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.Out)
	root.SetErr(a.err)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return exitOK
	}
	f := &failure{code: exitFailed, cause: err}
	if !errors.As(err, &f) && !a.running {
		f.code = exitUsage
	}
	if errors.Is(err, screen.ErrSaid) {
		f.cause = nil
	}
	if f.cause != nil {
		fmt.Fprintf(a.err, "gateway: %s\n", screen.Block(told(f.cause)))
	}
	if f.code == exitUsage {
		fmt.Fprintln(a.err, "gateway: see 'gateway --help'")
	}
	return f.code
}

// told is an error for people: of a refusal what the gateway says about it.
func told(err error) string {
	if p, ok := remote.ProblemIn(err); ok && p.Detail != "" {
		return p.Detail
	}
	return err.Error()
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "gateway",
		Short:         "Turn webhooks, API calls and clock ticks into workflow runs",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if !screen.IsFormat(a.Format) {
				return usage("output %q is none of table, json, yaml", a.Format)
			}
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.config, "config", "c", "", "configuration `file` (or GATEWAY_CONFIG; default gateway.yaml)")
	flags.StringVar(&a.admin, "admin", "", "admin `address` of a running gateway (or GATEWAY_ADMIN; default server.admin of the configuration)")
	flags.StringVar(&a.trusted.CA, "tls-ca", "", "who signs the certificate of a running gateway: PEM `file` (or GATEWAY_TLS_CA)")
	flags.StringVar(&a.trusted.Cert, "tls-cert", "", "certificate to show a running gateway: PEM `file` (or GATEWAY_TLS_CERT)")
	flags.StringVar(&a.trusted.Key, "tls-key", "", "its key: PEM `file` (or GATEWAY_TLS_KEY)")
	flags.StringVar(&a.trusted.Token, "token", "", "show a running gateway this `token`, better @file (or GATEWAY_TOKEN, GATEWAY_TOKEN_FILE)")
	flags.StringVarP(&a.Format, "output", "o", screen.Table, "print as table, json or yaml")
	root.AddCommand(
		a.runCommand(), a.sendCommand(), a.triggerCommand(), a.signCommand(), a.eventsCommand(), a.deliveriesCommand(), a.desk().Runs(), a.enginesCommand(), a.desk().Schedules(),
		a.statusCommand(), a.reloadCommand(), a.configCommand(), a.versionCommand(),
	)
	root.AddCommand(a.rehearsal().Commands()...)
	root.AddCommand(a.writer().Commands()...)
	a.noteRuns(root)
	return root
}

// writer is where the writer of a configuration sits.
func (a *app) writer() *edit.Desk {
	return &edit.Desk{Screen: &a.Screen, In: a.in, Err: a.err, Version: currentBuild().Version, Config: a.configFile}
}

// noteRuns notes when a verb begins: what fails before is wrong usage.
func (a *app) noteRuns(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.noteRuns(sub)
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.running = true
			return run(c, args)
		}
	}
}

// group is a verb that only has verbs below it.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return usage("%s: say what to do: %s", c.CommandPath(), names(verbs))
	}}
	c.AddCommand(verbs...)
	return c
}

func names(verbs []*cobra.Command) string {
	list := ""
	for i, v := range verbs {
		if i > 0 {
			list += ", "
		}
		list += v.Name()
	}
	return list
}

const defaultConfig = "gateway.yaml"

// configPath is the configuration's file and whether somebody asked for it.
func (a *app) configPath() (path string, asked bool) {
	if a.config != "" {
		return a.config, true
	}
	if path := a.getenv("GATEWAY_CONFIG"); path != "" {
		return path, true
	}
	return defaultConfig, false
}

func (a *app) configFile() string {
	path, _ := a.configPath()
	return path
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
