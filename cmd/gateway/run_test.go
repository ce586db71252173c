package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/config"
)

// puppet is a gateway that stops when told to.
type puppet struct {
	reloads chan string
	end     chan error
	stopped <-chan struct{}
}

func (p *puppet) Run(ctx context.Context) error {
	p.stopped = ctx.Done()
	return <-p.end
}

func (p *puppet) Reload(_ context.Context, reason string) (api.ReloadResult, error) {
	p.reloads <- reason
	return api.ReloadResult{}, nil
}

func newPuppet() *puppet {
	return &puppet{reloads: make(chan string), end: make(chan error)}
}

// supervised runs supervise in a bubble over a puppet and signals.
func supervised(t *testing.T, play func(p *puppet, signals chan os.Signal, done chan error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &app{err: &bytes.Buffer{}, getenv: func(string) string { return "" }}
		p, signals, done := newPuppet(), make(chan os.Signal), make(chan error, 1)
		go func() { done <- a.supervise(t.Context(), p, signals, zap.NewNop()) }()
		synctest.Wait()
		play(p, signals, done)
	})
}

func TestSignalStopsInOrder(t *testing.T) {
	t.Parallel()
	supervised(t, func(p *puppet, signals chan os.Signal, done chan error) {
		signals <- syscall.SIGTERM
		synctest.Wait()
		<-p.stopped
		if len(done) > 0 {
			t.Error("did not wait for the gateway")
		}
		p.end <- nil
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	supervised(t, func(p *puppet, signals chan os.Signal, done chan error) {
		signals <- syscall.SIGINT
		signals <- syscall.SIGINT
		var f *failure
		if err := <-done; !errors.As(err, &f) || f.code != exitFailed {
			t.Errorf("got %v", err)
		}
		p.end <- nil
	})
}

func TestHangupReloads(t *testing.T) {
	t.Parallel()
	supervised(t, func(p *puppet, signals chan os.Signal, done chan error) {
		signals <- syscall.SIGHUP
		// The reload hangs, and a signal to stop is heard all the same.
		signals <- syscall.SIGTERM
		synctest.Wait()
		<-p.stopped
		if reason := <-p.reloads; reason != "SIGHUP" {
			t.Errorf("reason %q", reason)
		}
		p.end <- nil
		<-done
	})
}

func TestOwnEndIsReturned(t *testing.T) {
	t.Parallel()
	supervised(t, func(p *puppet, _ chan os.Signal, done chan error) {
		broken := errors.New("store: failed")
		p.end <- broken
		if err := <-done; !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNotify(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n")
	for _, address := range []string{path, "@gateway-test-notify"} {
		name := strings.Replace(address, "@", "\x00", 1)
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		a := &app{err: &bytes.Buffer{}, getenv: func(string) string { return address }}
		a.notify("READY=1")
		buf := make([]byte, 32)
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != "READY=1" {
			t.Errorf("%s: got %q, %v", address, buf[:n], err)
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{err: &out}
	var f *failure
	err := a.refuse(config.Problems{{File: "gateway.yaml", Line: 1, Col: 1, Message: "broken", Severity: config.Error}})
	if !errors.As(err, &f) || f.code != exitConfig || !strings.Contains(out.String(), "gateway.yaml:1:1: broken") {
		t.Errorf("got %v, printed %q", err, out.String())
	}
	if other := errors.New("listen: in use"); a.refuse(other) != other {
		t.Error("another error is not a refusal")
	}
}
