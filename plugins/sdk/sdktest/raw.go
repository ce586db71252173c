package sdktest

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/trace"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// raw is an engine started without go-plugin and without TLS, so that its
// standard output can be seen and its parent need not be us.
type raw struct {
	enginev1.EngineServiceClient
	cmd    *exec.Cmd
	conn   *grpc.ClientConn
	stdout *bufio.Reader
	stderr *trace.Output
	mark   string
	folder string // of its socket
}

// startRaw starts the engine by way of a command line before its own.
func startRaw(ctx context.Context, o Options, before ...string) (*raw, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("no Options.Command")
	}
	line := append(before, o.Command...)
	r := &raw{cmd: exec.Command(line[0], line[1:]...), stderr: &trace.Output{}, mark: trace.NewMark()}
	var err error
	if r.folder, err = os.MkdirTemp("", "sdktest-"); err != nil {
		return nil, err
	}
	r.cmd.Env = append(environment(o, r.mark, r.folder), wire.CookieKey+"="+wire.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1")
	r.cmd.Stderr = r.stderr
	r.cmd.WaitDelay = stopTimeout
	r.cmd.Dir = o.BaseDir
	ownGroup(r.cmd)
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		_ = os.RemoveAll(r.folder)
		return nil, err
	}
	r.stdout = bufio.NewReaderSize(out, maxLine)
	if err := within(ctx, startTimeout, r.shake); err != nil {
		r.kill()
		return nil, &spoken{err, r.stderr.Last()}
	}
	if err := configure(ctx, r, o, o.Config); err != nil {
		r.kill()
		return nil, &spoken{err, r.stderr.Last()}
	}
	return r, nil
}

// shake reads the handshake and connects.
func (r *raw) shake() error {
	line, err := r.stdout.ReadSlice('\n')
	fields := strings.Split(strings.TrimSuffix(string(line), "\n"), "|")
	if err != nil || len(fields) < 5 || fields[0] != "1" || fields[1] != "1" || fields[4] != "grpc" {
		return fmt.Errorf("want a handshake like 1|1|unix|/path|grpc and nothing before it, got %.200q, %v", line, err)
	}
	target := fields[3]
	if fields[2] == "unix" {
		target = "unix:" + target
	}
	r.conn, err = grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20)))
	if err == nil {
		r.EngineServiceClient = enginev1.NewEngineServiceClient(r.conn)
	}
	return err
}

func (r *raw) kill() {
	if r.conn != nil {
		_ = r.conn.Close()
	}
	killGroup(r.cmd)
	_ = r.cmd.Wait()
	_ = os.RemoveAll(r.folder)
}

// stdout does many runs and looks at what is printed: the gateway gives up on
// a longer line, and an engine whose output nobody reads stands still.
func stdout(ctx context.Context, o Options) error {
	r, err := startRaw(ctx, o)
	if err != nil {
		return err
	}
	defer r.kill()
	printed := make(chan error, 1)
	go func() { printed <- r.lines() }()
	t, err := newTalk(ctx, r, o.nonce)
	if err == nil {
		err = concurrent(ctx, nil, t, o)
		t.cancel()
	}
	killGroup(r.cmd) // and the output ends
	long := within(ctx, stopTimeout, func() error { return <-printed })
	if err = cmp.Or(long, err); err != nil {
		return &spoken{err, r.stderr.Last()}
	}
	return nil
}

// lines reads to the end, and beyond lines that are too long.
func (r *raw) lines() (err error) {
	for {
		switch line, e := r.stdout.ReadSlice('\n'); {
		case errors.Is(e, bufio.ErrBufferFull):
			err = fmt.Errorf("a line of more than %d bytes on the standard output: %.40q…", maxLine, line)
		case e != nil:
			_, _ = io.Copy(io.Discard, r.stdout)
			return err
		}
	}
}
