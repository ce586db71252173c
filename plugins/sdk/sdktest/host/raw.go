package host

import (
	"bufio"
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

// Raw is an engine started without go-plugin and without TLS, so that its
// standard output can be seen and its parent need not be us.
type Raw struct {
	enginev1.EngineServiceClient
	Cmd    *exec.Cmd
	conn   *grpc.ClientConn
	stdout *bufio.Reader
	Stderr *trace.Output
	Mark   string
	folder string // of its socket
}

// StartRaw starts the engine by way of a command line before its own.
func StartRaw(ctx context.Context, o Program, before ...string) (*Raw, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("no program")
	}
	line := append(before, o.Command...)
	r := &Raw{Cmd: exec.Command(line[0], line[1:]...), Stderr: &trace.Output{}, Mark: trace.NewMark()}
	var err error
	if r.folder, err = os.MkdirTemp("", "sdktest-"); err != nil {
		return nil, err
	}
	r.Cmd.Env = append(environment(o, r.Mark, r.folder), wire.CookieKey+"="+wire.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1")
	r.Cmd.Stderr = r.Stderr
	r.Cmd.WaitDelay = StopTimeout
	r.Cmd.Dir = o.BaseDir
	ownGroup(r.Cmd)
	out, err := r.Cmd.StdoutPipe()
	if err == nil {
		err = r.Cmd.Start()
	}
	if err != nil {
		_ = os.RemoveAll(r.folder)
		return nil, err
	}
	r.stdout = bufio.NewReaderSize(out, MaxLine)
	if err := Within(ctx, StartTimeout, r.shake); err != nil {
		r.Kill()
		return nil, r.Spoken(err)
	}
	if err := Configure(ctx, r, o, o.Config); err != nil {
		r.Kill()
		return nil, r.Spoken(err)
	}
	return r, nil
}

// shake reads the handshake and connects.
func (r *Raw) shake() error {
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

// Spoken adds to an error what the engine said.
func (r *Raw) Spoken(err error) error { return &Spoken{err, r.Stderr.Last()} }

// Kill ends the engine and waits until it is gone.
func (r *Raw) Kill() {
	if r.conn != nil {
		_ = r.conn.Close()
	}
	KillGroup(r.Cmd)
	_ = r.Cmd.Wait()
	_ = os.RemoveAll(r.folder)
}

// MaxLine is where a line of the log would be torn.
const MaxLine = 64 << 10

// Lines reads to the end, and beyond lines that are too long.
func (r *Raw) Lines() (err error) {
	for {
		switch line, e := r.stdout.ReadSlice('\n'); {
		case errors.Is(e, bufio.ErrBufferFull):
			err = fmt.Errorf("a line of more than %d bytes on the standard output: %.40q…", MaxLine, line)
		case e != nil:
			_, _ = io.Copy(io.Discard, r.stdout)
			return err
		}
	}
}
