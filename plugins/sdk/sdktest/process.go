package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/trace"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// process is the engine under trial.
type process struct {
	enginev1.EngineServiceClient
	client *plugin.Client
	cmd    *exec.Cmd
	conn   plugin.ClientProtocol
	stderr *trace.Output
	mark   string // in the environment of the engine and of what it starts
	nonce  string
	folder string // of its socket
}

// startTimeout is what gateway.yaml has as limits.start_timeout.
const startTimeout = 10 * time.Second

// start starts the engine and shakes hands, with mutual TLS unless changed.
// Everything of go-plugin that can hang is called in a goroutine of its own.
func start(ctx context.Context, o Options, change ...func(*plugin.ClientConfig)) (*process, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("no Options.Command")
	}
	p := &process{cmd: exec.Command(o.Command[0], o.Command[1:]...), stderr: &trace.Output{}}
	p.mark, p.nonce = trace.NewMark(), o.nonce
	var err error
	if p.folder, err = os.MkdirTemp("", "sdktest-"); err != nil {
		return nil, err
	}
	p.cmd.Env = environment(o, p.mark, p.folder)
	p.cmd.Dir = o.BaseDir
	ownGroup(p.cmd)
	c := clientConfig(p.cmd, p.stderr)
	if err := mutual(c); err != nil {
		return nil, err
	}
	for _, f := range change {
		f(c)
	}
	p.client = plugin.NewClient(c)
	if err := within(ctx, startTimeout+time.Second, p.connect); err != nil {
		p.kill()
		return nil, p.spoken(fmt.Errorf("start: %w", err))
	}
	return p, nil
}

// mutual is the handshake with mutual TLS.
func mutual(c *plugin.ClientConfig) error {
	config, certificate, err := wire.ClientTLS()
	if err != nil {
		return err
	}
	c.TLSConfig = config
	c.Cmd.Env = append(c.Cmd.Env, wire.ClientCertEnv+"="+certificate)
	return nil
}

// plain is the handshake of `transport: plain`.
func plain(c *plugin.ClientConfig) {
	c.TLSConfig = nil
	c.Cmd.Env = slices.DeleteFunc(c.Cmd.Env, func(env string) bool { return strings.HasPrefix(env, wire.ClientCertEnv+"=") })
}

// newer is that of a gateway of years to come, which still knows version 1.
func newer(c *plugin.ClientConfig) { c.VersionedPlugins[2] = c.VersionedPlugins[1] }

// environment is what the gateway gives an engine, and a mark of ours.
func environment(o Options, mark, folder string) []string {
	return append(o.Env[:len(o.Env):len(o.Env)],
		wire.MaxMessageEnv+"="+strconv.Itoa(o.MaxMessage), plugin.EnvUnixSocketDir+"="+folder, mark)
}

// spoken adds to an error what the engine said.
func (p *process) spoken(err error) error { return &spoken{err, p.stderr.Last()} }

func (p *process) connect() error {
	conn, err := p.client.Client()
	if err != nil {
		return err
	}
	service, err := conn.Dispense(wire.Name)
	if err != nil {
		return err
	}
	p.conn, p.EngineServiceClient = conn, service.(enginev1.EngineServiceClient)
	return nil
}

func clientConfig(cmd *exec.Cmd, stderr io.Writer) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(nil),
		Cmd:              cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     startTimeout,
		Stderr:           stderr,
		// A line whose @message is no string would panic in go-plugin's
		// reader, which a logger that is off keeps from looking.
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20), grpc.MaxCallSendMsgSize(256<<20)),
		},
	}
}

// configured starts an engine that is ready for runs.
func configured(ctx context.Context, o Options, change ...func(*plugin.ClientConfig)) (*process, error) {
	p, err := start(ctx, o, change...)
	if err != nil {
		return nil, err
	}
	if err := configure(ctx, p, o, o.Config); err != nil {
		p.kill()
		return nil, p.spoken(err)
	}
	return p, nil
}

func configure(ctx context.Context, p enginev1.EngineServiceClient, o Options, config []byte) error {
	if config == nil {
		config = []byte("null")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := p.Configure(ctx, &enginev1.ConfigureRequest{
		Config: config, BaseDir: o.BaseDir, MaxMessageBytes: int64(o.MaxMessage),
	})
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	if len(out.Problems) > 0 {
		return &refused{out.Problems}
	}
	return nil
}

// refused is a configuration with problems.
type refused struct{ problems []*enginev1.Problem }

func (r *refused) Error() string { return fmt.Sprintf("configuration refused: %v", r.problems) }

const (
	// callTimeout is for every call that should be answered at once.
	callTimeout = 10 * time.Second
	// stopTimeout is what an engine has to end after it was told to.
	stopTimeout = 10 * time.Second
)

// kill ends the engine without its consent and waits until it is gone.
func (p *process) kill() {
	killGroup(p.cmd)
	_ = within(context.Background(), stopTimeout, func() error { p.client.Kill(); return nil })
	_ = os.RemoveAll(p.folder)
}

// gone waits for the process to exit by itself.
func (p *process) gone(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !p.client.Exited() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("still there after %s", limit)
		}
	}
	return nil
}

// within calls f, and gives up on it after limit.
func within(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer after %s", limit))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
