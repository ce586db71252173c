package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/event-gateway/gateway/cmd/gateway/daemon"
	"github.com/event-gateway/gateway/cmd/gateway/process"
	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/config"
)

// runFlags are how the log is written, and where a CPU profile goes.
type runFlags struct{ logFormat, logLevel, cpuProfile, lastGood string }

// inFile: the store of which the last good revision is taken is where the file
// says.
const inFile = "where the file says"

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use: "run", Short: "Run the gateway", Args: cobra.NoArgs,
		Long: `Run the gateway until SIGTERM or SIGINT, which end it in order: what was
accepted is kept, what runs gets time to end. A second one ends it at once.
SIGHUP reads the configuration again; so does a change of the file.

The exit code is 78 when the configuration is refused at the start. With
--use-last-good the revision that was in force last is taken from the store
instead, until the file has been mended; =FOLDER says where the store is, for
files of which not even that can be read.`,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			stop, err := process.Profile(f.cpuProfile)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stop()) }()
			return a.run(c.Context(), f)
		},
	}
	c.Flags().StringVar(&f.logFormat, "log-format", "", "json or console (default console on a terminal)")
	c.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	c.Flags().StringVar(&f.lastGood, "use-last-good", "", "when the file is refused, take what was in force last, from the store (in this `folder`)")
	c.Flags().Lookup("use-last-good").NoOptDefVal = inFile
	c.Flags().StringVar(&f.cpuProfile, "cpuprofile", "", "write a CPU profile to this `file` (pprof)")
	_ = c.Flags().MarkHidden("cpuprofile") // it fails for unknown flags alone
	return c
}

func (a *app) run(ctx context.Context, f runFlags) error {
	if f.logFormat == "" {
		f.logFormat = logJSON
		if a.terminal {
			f.logFormat = logConsole
		}
	}
	memory := process.TuneMemory()
	log, err := a.logger(f)
	if err != nil {
		return err
	}
	path, _ := a.configPath()
	doc, problems := config.Load(path, config.Options{Generate: true})
	if problems.Failed() && f.lastGood == "" {
		return a.refuse(problems)
	}
	// Before New, so that no signal finds nobody waiting for it.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	version := currentBuild().Version
	o := gateway.Options{ConfigPath: path, Log: log, Version: version, Ease: memory.Ease, Ready: func() { a.notify("READY=1") }}
	if f.lastGood != inFile {
		o.Folder = f.lastGood
	}
	g, err := daemon.New(o, f.lastGood != "")
	if err != nil {
		return a.refuse(err)
	}
	fmt.Fprint(a.err, screen.Block(problems.Text()))
	if f.logFormat == logConsole && !problems.Failed() {
		a.banner(version, doc)
	}
	return a.supervise(ctx, g, signals, log)
}

// refuse prints what is wrong with a configuration as validate does.
func (a *app) refuse(err error) error {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return err
	}
	fmt.Fprint(a.err, screen.Block(problems.Text()))
	return &failure{code: exitConfig, cause: errors.New("the configuration is refused; nothing was started")}
}

// runner is what run needs of the gateway.
type runner interface {
	Run(ctx context.Context) error
	Reload(ctx context.Context, reason string) (api.ReloadResult, error)
}

// supervise runs the gateway until it ends, and translates signals.
func (a *app) supervise(ctx context.Context, d runner, signals <-chan os.Signal, log *zap.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return a.refuse(err)
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				go reload(ctx, d, log) // a signal to stop must not wait for it
			case ctx.Err() != nil:
				return &failure{code: exitFailed, cause: fmt.Errorf("%s again: ended at once; what had not ended runs again at the next start", s)}
			default:
				log.Info("stopping", zap.Stringer("signal", s))
				a.notify("STOPPING=1")
				stop()
			}
		}
	}
}

// reload has the gateway read its configuration; it logs itself what came of
// it, unless it could not even try.
func reload(ctx context.Context, d runner, log *zap.Logger) {
	if _, err := d.Reload(ctx, "SIGHUP"); err != nil && ctx.Err() == nil {
		log.Error("reload", zap.Error(err))
	}
}

// Formats of the log.
const (
	logJSON    = "json"
	logConsole = "console"
)

func (a *app) logger(f runFlags) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(f.logLevel)
	if err != nil || level > zapcore.ErrorLevel {
		return nil, usage("log-level %q is none of debug, info, warn, error", f.logLevel)
	}
	c := zap.NewProductionEncoderConfig()
	c.TimeKey, c.EncodeTime, c.EncodeDuration = "time", zapcore.RFC3339NanoTimeEncoder, zapcore.StringDurationEncoder
	var encoder zapcore.Encoder
	switch f.logFormat {
	case logJSON:
		encoder = zapcore.NewJSONEncoder(c)
	case logConsole:
		c.EncodeTime, c.EncodeLevel = zapcore.TimeEncoderOfLayout("15:04:05.000"), zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(c)
	default:
		return nil, usage("log-format %q is none of json, console", f.logFormat)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(a.err)), level)), nil
}

// banner tells a person what begins to run, and where.
func (a *app) banner(version string, doc *config.Document) {
	c := doc.Config
	fmt.Fprintf(a.err, "gateway %s, %s, revision %s\n", version, doc.Path, report.Revision(doc.Revision))
	fmt.Fprintf(a.err, "  webhooks at %s\n", origin(c.Server.Listen, c.Server.TLS))
	for _, name := range sorted(c.Webhooks) {
		fmt.Fprintf(a.err, "    %s (%s)\n", c.Webhooks[name].Path, c.Webhooks[name].Scheme)
	}
	fmt.Fprintf(a.err, "  admin at %s\n", origin(c.Server.Admin, c.Server.AdminTLS))
	for _, name := range sorted(c.Routes) {
		r := c.Routes[name]
		fmt.Fprintf(a.err, "  route %s: %s → %s/%s\n", name, strings.Join(r.Events, ", "), r.Run.Engine, r.Run.Workflow)
	}
}
