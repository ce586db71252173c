//go:build unix

package sdktest

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// parentTimeout is a few looks at the parent's id, one a second.
const parentTimeout = 5 * time.Second

// parentDeath puts a shell between us and the engine, and kills it. The
// engine's standard output closes when it ends.
func parentDeath(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout+parentTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", `"$@" & wait`, "sh"}, o.Command...)...)
	cmd.Env = append(o.Env[:len(o.Env):len(o.Env)], wire.CookieKey+"="+wire.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1")
	ownGroup(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		killGroup(cmd)
		_ = cmd.Wait()
	}()
	r := bufio.NewReader(stdout)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "1|") {
		return fmt.Errorf("want a handshake on the standard output, got %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	return within(ctx, parentTimeout, func() error {
		for {
			if _, err := r.ReadByte(); err != nil {
				return nil
			}
		}
	})
}

// interrupt is what the whole group of a terminal gets at Ctrl-C.
func interrupt(ctx context.Context, p *process, o Options) error {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	t, err := p.talk(ctx)
	if err != nil {
		return err
	}
	defer t.cancel()
	return t.succeed("interrupted", o)
}
