//go:build unix

// Package compat runs engines of other years against the gateway of today.
package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

const patience = time.Minute

// build builds a program in a module.
func build(t *testing.T, dir, name, source string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", program, source)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", source, err, out)
	}
	return program
}

// An engine that was built from the first SDK keeps every promise of today.
func TestFirstSDK(t *testing.T) {
	engine := build(t, "sdk-v1", "engine", "./engine")
	sdktest.Run(t, sdktest.Options{
		Command: []string{engine}, BaseDir: t.TempDir(),
		Config: json.RawMessage(`{"greeting": "hello"}`), BadConfig: json.RawMessage(`{"greting": "hello"}`),
		Workflow: "greet", Slow: "nap", Asks: "approve", Answer: json.RawMessage("true"),
	})
	out, err := trigger(t, engine, `config: {greeting: hello}`)
	if err != nil || !strings.Contains(out, `"output": "hello from asked"`) {
		t.Errorf("got %v, %s", err, out)
	}
}

func TestEngineWithTwoVersions(t *testing.T) {
	engine := build(t, ".", "newer", "./newer")
	out, err := trigger(t, engine, `env: {VERSIONS: "1,2"}`)
	if err != nil || !strings.Contains(out, `"output": "version 1"`) {
		t.Errorf("got %v, %s", err, out)
	}
}

func TestEngineOfANewerVersion(t *testing.T) {
	engine := build(t, ".", "newer", "./newer")
	out, err := trigger(t, engine, `env: {VERSIONS: "2"}`)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 78 {
		t.Errorf("want exit code 78, got %v", err)
	}
	want := regexp.MustCompile(`engines\.old\.plugin: .*speaks version 2 of the engine contract, this gateway speaks version 1`)
	if !want.MatchString(out) {
		t.Errorf("got %s\nwant %s", out, want)
	}
}

// trigger runs a gateway with the engine and triggers one event: what comes of
// it, or what a gateway says that doesn't start.
func trigger(t *testing.T, engine, more string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	gateway := build(t, "../..", "gateway", "./cmd/gateway")
	config := "version: 1\nserver: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\n" +
		"engines:\n  old:\n    plugin: " + engine + "\n    " + more + "\nroutes:\n  r: {events: [asked], run: old/greet}\n"
	if err := os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run := exec.CommandContext(ctx, gateway, "run", "--log-format", "json")
	log := &waiting{ready: make(chan string, 1)}
	run.Dir, run.Stderr = dir, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	select {
	case err := <-ended:
		return log.said.String(), err
	case admin := <-log.ready:
		out, err := exec.CommandContext(ctx, gateway, "trigger", "asked", "--wait", "60s", "--admin", admin, "-o", "json").CombinedOutput()
		_ = run.Process.Signal(syscall.SIGTERM)
		return string(out), errors.Join(err, <-ended)
	}
}

// waiting is a log in which the gateway says where it listens.
type waiting struct {
	said  bytes.Buffer // not embedded: copying would go past Write
	ready chan string
	seen  bool
}

var adminIn = regexp.MustCompile(`"msg":"ready".*"admin":"([^"]+)"`)

func (w *waiting) Write(b []byte) (int, error) {
	w.said.Write(b)
	if found := adminIn.FindSubmatch(w.said.Bytes()); found != nil && !w.seen {
		w.seen = true
		w.ready <- string(found[1])
	}
	return len(b), nil
}
