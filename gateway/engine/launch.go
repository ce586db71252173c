package engine

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
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/event-gateway/gateway/gateway/engine/link"
	"github.com/event-gateway/gateway/gateway/engine/process"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// maxMessageEnv tells an engine the largest message, in bytes, before it makes
// its gRPC server: the default of most is 4 MiB.
const maxMessageEnv = "GATEWAY_MAX_MESSAGE_BYTES"

// launch is the start of one process.
type launch struct {
	spec   Spec
	binary *process.Binary
	host   *process.Host
	log    *logger
	timing timing
	runner *process.Runner
	client *plugin.Client
	conns  conns
	began  time.Time
}

// conns are the connections that go-plugin made. One whose first stream it could not
// open, as the process was gone by then, it leaves open, and trying for ever.
type conns struct {
	mu   sync.Mutex
	list []*grpc.ClientConn
}

// stream notes on which connection a stream is opened.
func (c *conns) stream(ctx context.Context, desc *grpc.StreamDesc, on *grpc.ClientConn, method string,
	open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	c.mu.Lock()
	if !slices.Contains(c.list, on) {
		c.list = append(c.list, on)
	}
	c.mu.Unlock()
	return open(ctx, desc, on, method, opts...)
}

func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.list {
		_ = conn.Close() // it may be closed already
	}
}

// start makes a session: process, handshake, description, configuration and
// the open stream. Whatever fails, no process is left.
func (l *launch) start(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, l.spec.StartTimeout)
	defer cancel()
	l.began = time.Now()
	if err := l.prepare(); err != nil {
		return nil, err
	}
	// go-plugin's start takes no context: killing the process ends it.
	stop := context.AfterFunc(ctx, func() { _ = l.runner.Kill(ctx) })
	defer stop()
	s, err := l.connect(ctx)
	if err == nil {
		err = s.link.Introduce(ctx, l.spec.Config, l.spec.BaseDir)
	}
	if err == nil {
		err = s.link.Open()
	}
	if err != nil {
		err = l.explain(ctx, err)
		l.abandon()
		return nil, err
	}
	return s, nil
}

// prepare makes what a start uses up: a folder, a runner, a client.
func (l *launch) prepare() error {
	if err := l.refresh(); err != nil {
		return err
	}
	folder, err := l.host.Folder()
	if err != nil {
		return fmt.Errorf("engine %s: start: %w", l.spec.Name, err)
	}
	env, config := l.environment(), l.clientConfig(folder)
	if !l.spec.Plain {
		certificate := ""
		if config.TLSConfig, certificate, err = wire.ClientTLS(); err != nil {
			return fmt.Errorf("engine %s: start: %w", l.spec.Name, err)
		}
		env = append(env, wire.ClientCertEnv+"="+certificate)
	}
	l.runner = l.host.Runner(process.Command{
		Binary: l.binary,
		Args:   l.spec.Args,
		Env:    env,
		Dir:    l.spec.BaseDir,
		Folder: folder,
		Limits: process.Limits{Memory: l.spec.Memory, OpenFiles: l.spec.OpenFiles},
		Line:   l.log.line,
	})
	l.client = plugin.NewClient(config)
	return nil
}

// refresh makes sure that the file is still the one that was acquired. A pin
// is strict; without one a file that was written over runs as it now is.
func (l *launch) refresh() error {
	before := l.binary.Sum()
	if err := l.binary.Refresh(); err != nil {
		return fmt.Errorf("engine %s: start: %w", l.spec.Name, err)
	}
	sum := l.binary.Sum()
	if err := checkPin(l.spec, l.binary); err != nil {
		return err
	}
	if sum != before {
		l.log.line(process.Line{Level: process.Warn,
			Message: "the program was written over since it was loaded; running it as it is now"})
	}
	return nil
}

// Checksum is the SHA-256 of a program, in lower-case hexadecimal, as it is
// pinned. What the gateway would not run has none.
func Checksum(path string) (string, error) {
	b, err := process.OpenBinary(path)
	if err != nil {
		return "", err
	}
	defer b.Close()
	return b.Sum(), nil
}

func checkPin(spec Spec, b *process.Binary) error {
	if spec.SHA256 == "" || strings.EqualFold(spec.SHA256, b.Sum()) {
		return nil
	}
	return &ChecksumError{Engine: spec.Name, Path: b.Path(), Want: spec.SHA256, Have: b.Sum()}
}

// environment is what the process sees: the spec's, a PATH, and the limit.
// go-plugin adds its own.
func (l *launch) environment() []string {
	env := make([]string, 0, len(l.spec.Env)+2)
	if _, ok := l.spec.Env["PATH"]; !ok {
		env = append(env, "PATH="+os.Getenv("PATH"))
	}
	for key, value := range l.spec.Env {
		env = append(env, key+"="+value)
	}
	slices.Sort(env)
	return append(env, maxMessageEnv+"="+strconv.FormatInt(l.spec.MaxMessage, 10))
}

func (l *launch) clientConfig(folder string) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     l.spec.StartTimeout,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: folder},
		GRPCDialOptions:  l.dialOptions(),
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
		SyncStdout:       process.NewLog(l.log.line),
		SyncStderr:       process.NewLog(l.log.line),
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			l.runner.AddEnv(cmd.Env)
			return l.runner, nil
		},
	}
}

func (l *launch) dialOptions() []grpc.DialOption {
	const window, buffer = 1 << 20, 128 << 10
	return []grpc.DialOption{
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithReadBufferSize(buffer),
		grpc.WithWriteBufferSize(buffer),
		grpc.WithDisableServiceConfig(),
		grpc.WithStreamInterceptor(l.conns.stream),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallSendMsgSize(limit(l.spec.MaxMessage+1<<20)),
			// More than an engine may send: one that sends too much fails its
			// own run (tooMuch); only far too much ends the stream for all.
			grpc.MaxCallRecvMsgSize(limit(4*l.spec.MaxMessage+1<<20))),
	}
}

func limit(bytes int64) int { return int(min(bytes, 1<<31-1)) }

func (l *launch) connect(ctx context.Context) (*session, error) {
	if _, err := l.client.Start(); err != nil {
		return nil, err
	}
	p := l.runner.Process()
	if !l.spec.Plain && !hasCertificate(p.FirstLine()) {
		return nil, errPlaintext
	}
	protocol, err := l.client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(wire.Name)
	if err != nil {
		return nil, err
	}
	conn := protocol.(*plugin.GRPCClient).Conn // gRPC is the only protocol allowed
	label := fmt.Sprintf("%s/%.4s pid %d", l.spec.Name, l.binary.Sum(), p.PID())
	return &session{
		link: link.New(raw.(enginev1.EngineServiceClient), l.spec.Name, label, l.spec.MaxMessage),
		conn: conn, health: grpc_health_v1.NewHealthClient(conn), client: l.client, process: p,
		timing: l.timing, started: l.began, hung: make(chan struct{}),
	}, ctx.Err()
}

// abandon ends whatever a failed start has made.
func (l *launch) abandon() {
	_ = l.runner.Kill(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.client.Kill()
		l.conns.close()
		if p := l.runner.Process(); p != nil {
			<-p.Done()
		}
	}()
	within(done, l.timing.killWithin)
}

var errPlaintext = errors.New("the engine speaks without TLS: set `transport: plain` for it, " +
	"or build it with an SDK that answers PLUGIN_CLIENT_CERT with a certificate of its own")

// hasCertificate looks at the sixth field of the handshake line, as go-plugin
// does: 1|1|unix|/path|grpc|certificate.
func hasCertificate(line string) bool {
	fields := strings.Split(line, "|")
	return len(fields) >= 6 && len(fields[5]) > 50
}

// explain says what went wrong in a start so that one knows what to do.
func (l *launch) explain(ctx context.Context, err error) error {
	var config *ConfigError
	if errors.As(err, &config) {
		return err
	}
	return fmt.Errorf("engine %s: start: %w", l.spec.Name, l.cause(ctx, err))
}

func (l *launch) cause(ctx context.Context, err error) error {
	p := l.runner.Process()
	switch {
	case p == nil, errors.Is(err, errPlaintext), errors.Is(err, link.ErrNoService):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	}
	line, path := p.FirstLine(), l.binary.Path()
	switch {
	case line == "" && (ctx.Err() != nil || time.Since(l.began) >= l.spec.StartTimeout):
		return fmt.Errorf("%q did not shake hands within %v%s", path, l.spec.StartTimeout, l.said())
	case line == "" && within(p.Done(), time.Second):
		return fmt.Errorf("%q ended (%s) before it shook hands%s", path, p.Exit(), l.said())
	case strings.Count(line, "|") < 3:
		return fmt.Errorf("%q is not an engine: it printed %.100q where the handshake should be; "+
			"an engine is built with the SDK and prints nothing on stdout before it", path, line)
	case !spoken(line):
		return fmt.Errorf("%q speaks version %s of the engine contract, this gateway speaks version %d: "+
			"use a version of the engine that still speaks it, or a newer gateway", path, strings.Split(line, "|")[1], wire.ProtocolVersion)
	case ctx.Err() != nil:
		return fmt.Errorf("not ready within %v%s: %w", l.spec.StartTimeout, l.said(), err)
	}
	return fmt.Errorf("%w%s", err, l.said())
}

// spoken tells whether the version in a handshake line is one of ours.
func spoken(line string) bool {
	version, err := strconv.Atoi(strings.Split(line, "|")[1])
	return err == nil && wire.Plugins(nil)[version] != nil
}

// said quotes the last thing the process printed; often it says why.
func (l *launch) said() string {
	lines := l.log.tail.lines()
	if len(lines) == 0 {
		return ""
	}
	var words []string
	for _, line := range lines[max(0, len(lines)-3):] {
		words = append(words, line.Level+" "+line.Text)
	}
	return "; its last words: " + strings.Join(words, " / ")
}
