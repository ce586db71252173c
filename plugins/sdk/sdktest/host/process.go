// Package host starts an engine's program as the gateway would, with go-plugin
// or without, and talks to it. Trials judge what they hear.
package host

import (
	"context"
	"encoding/json"
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
	"google.golang.org/grpc/health/grpc_health_v1"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/trace"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// Program is the engine's program, and what it is started with.
type Program struct {
	Command []string
	Env     []string // nothing is inherited
	Config  json.RawMessage
	// BaseDir is the folder where it runs.
	BaseDir string
	// MaxMessage is the limit that it is told, in bytes.
	MaxMessage int
	// Nonce stands before every key, so that an engine that remembers finds
	// each new.
	Nonce string
}

// Process is a running engine.
type Process struct {
	enginev1.EngineServiceClient
	Client *plugin.Client
	Cmd    *exec.Cmd
	Conn   *grpc.ClientConn
	Stderr *trace.Output
	// Mark is in the environment of the engine and of what it starts.
	Mark   string
	nonce  string
	folder string // of its socket
}

// StartTimeout is what gateway.yaml has as limits.start_timeout.
const StartTimeout = 10 * time.Second

// Start starts the engine and shakes hands, with mutual TLS unless changed.
// Everything of go-plugin that can hang is called in a goroutine of its own.
func Start(ctx context.Context, o Program, change ...func(*plugin.ClientConfig)) (*Process, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("no program")
	}
	p := &Process{Cmd: exec.Command(o.Command[0], o.Command[1:]...), Stderr: &trace.Output{}}
	p.Mark, p.nonce = trace.NewMark(), o.Nonce
	var err error
	if p.folder, err = os.MkdirTemp("", "sdktest-"); err != nil {
		return nil, err
	}
	p.Cmd.Env = environment(o, p.Mark, p.folder)
	p.Cmd.Dir = o.BaseDir
	ownGroup(p.Cmd)
	c := clientConfig(p.Cmd, p.Stderr)
	if err := mutual(c); err != nil {
		return nil, err
	}
	for _, f := range change {
		f(c)
	}
	p.Client = plugin.NewClient(c)
	if err := Within(ctx, StartTimeout+time.Second, p.connect); err != nil {
		p.Kill()
		return nil, p.Spoken(fmt.Errorf("start: %w", err))
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

// Plain is the handshake of `transport: plain`.
func Plain(c *plugin.ClientConfig) {
	c.TLSConfig = nil
	c.Cmd.Env = slices.DeleteFunc(c.Cmd.Env, func(env string) bool { return strings.HasPrefix(env, wire.ClientCertEnv+"=") })
}

// Newer is that of a gateway of years to come, which still knows version 1.
func Newer(c *plugin.ClientConfig) { c.VersionedPlugins[2] = c.VersionedPlugins[1] }

// environment is what the gateway gives an engine, and a mark of ours.
func environment(o Program, mark, folder string) []string {
	return append(o.Env[:len(o.Env):len(o.Env)],
		wire.MaxMessageEnv+"="+strconv.Itoa(o.MaxMessage), plugin.EnvUnixSocketDir+"="+folder, mark)
}

// Spoken adds to an error what the engine said.
func (p *Process) Spoken(err error) error { return &Spoken{err, p.Stderr.Last()} }

// Spoken is an error, and what the engine wrote about it.
type Spoken struct {
	Err  error
	Said string
}

func (s *Spoken) Error() string { return s.Err.Error() }
func (s *Spoken) Unwrap() error { return s.Err }

// State asks what became of a run.
func (p *Process) State(ctx context.Context, key string) (*enginev1.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	return p.Get(ctx, &enginev1.GetRequest{Key: p.nonce + key})
}

// Can tells whether the engine says that it has an ability.
func (p *Process) Can(ctx context.Context, ability enginev1.Ability) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	d, err := p.Describe(ctx, &enginev1.DescribeRequest{})
	return slices.Contains(d.GetAbilities(), ability), err
}

// Well asks for the engine's health.
func (p *Process) Well(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	m := &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName}
	answer, err := grpc_health_v1.NewHealthClient(p.Conn).Check(ctx, m)
	if err == nil && answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		err = fmt.Errorf("want SERVING (1), got %s (%d)", answer.GetStatus(), answer.GetStatus())
	}
	if err != nil {
		return fmt.Errorf("health of service %q: %w", plugin.GRPCServiceName, err)
	}
	return nil
}

func (p *Process) connect() error {
	conn, err := p.Client.Client()
	if err != nil {
		return err
	}
	service, err := conn.Dispense(wire.Name)
	if err != nil {
		return err
	}
	p.Conn = conn.(*plugin.GRPCClient).Conn // gRPC is the only protocol allowed
	p.EngineServiceClient = service.(enginev1.EngineServiceClient)
	return nil
}

func clientConfig(cmd *exec.Cmd, stderr io.Writer) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(nil),
		Cmd:              cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     StartTimeout,
		Stderr:           stderr,
		// A line whose @message is no string would panic in go-plugin's
		// reader, which a logger that is off keeps from looking.
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20), grpc.MaxCallSendMsgSize(256<<20)),
		},
	}
}

// Configured starts an engine that is ready for runs.
func Configured(ctx context.Context, o Program, change ...func(*plugin.ClientConfig)) (*Process, error) {
	p, err := Start(ctx, o, change...)
	if err != nil {
		return nil, err
	}
	if err := Configure(ctx, p, o, o.Config); err != nil {
		p.Kill()
		return nil, p.Spoken(err)
	}
	return p, nil
}

// Configure hands over a configuration; what the engine has against it is a
// *Refused.
func Configure(ctx context.Context, p enginev1.EngineServiceClient, o Program, config []byte) error {
	if config == nil {
		config = []byte("null")
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	out, err := p.Configure(ctx, &enginev1.ConfigureRequest{
		Config: config, BaseDir: o.BaseDir, MaxMessageBytes: int64(o.MaxMessage),
	})
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	if len(out.Problems) > 0 {
		return &Refused{out.Problems}
	}
	return nil
}

// Refused is a configuration with problems.
type Refused struct{ Problems []*enginev1.Problem }

func (r *Refused) Error() string { return fmt.Sprintf("configuration refused: %v", r.Problems) }

const (
	// CallTimeout is for every call that should be answered at once.
	CallTimeout = 10 * time.Second
	// StopTimeout is what an engine has to end after it was told to.
	StopTimeout = 10 * time.Second
)

// Kill ends the engine without its consent and waits until it is gone.
func (p *Process) Kill() {
	KillGroup(p.Cmd)
	_ = Within(context.Background(), StopTimeout, func() error { p.Client.Kill(); return nil })
	_ = os.RemoveAll(p.folder)
}

// Gone waits for the process to exit by itself.
func (p *Process) Gone(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !p.Client.Exited() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("still there after %s", limit)
		}
	}
	return nil
}

// Within calls f, and gives up on it after limit.
func Within(ctx context.Context, limit time.Duration, f func() error) error {
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
