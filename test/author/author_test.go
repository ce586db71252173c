//go:build unix

// Package author does what somebody does who writes an engine: makes a project,
// builds it, runs its tests, and sends an event through a gateway that runs it.
package author

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take on a busy machine.
const patience = 3 * time.Minute

// projects are the languages, and what is typed in each to build and to test.
var projects = []struct {
	language    string
	build, test []string
}{
	{"go", []string{"make", "build"}, []string{"go", "test", "./..."}},
	{"node", []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"}, []string{"npm", "test"}},
	{"python", []string{"make", "build"}, []string{"make", "test"}},
}

func TestProjects(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	gateway := filepath.Join(bin, "gateway")
	run(t, root, nil, "go", "build", "-o", gateway, "./cmd/gateway")
	for _, p := range projects {
		t.Run(p.language, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			dir, env := t.TempDir(), []string{"GATEWAY=" + gateway, "PATH=" + bin + ":" + os.Getenv("PATH")}
			args := []string{"engines", "new", "greeter", "--lang", p.language}
			if p.language == "go" {
				args = append(args, "--sdk", root)
			}
			run(t, dir, env, gateway, args...)
			dir = filepath.Join(dir, "greeter")
			run(t, dir, env, p.build[0], p.build[1:]...)
			run(t, dir, env, p.test[0], p.test[1:]...)
			trigger(t, dir, gateway)
			t.Logf("from nothing to a workflow that ran: %s", time.Since(began).Round(time.Second))
		})
	}
}

// run runs a program and returns what it prints; its end has to be good.
func run(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// trigger starts the project's gateway, sends it the event that its README
// names, and waits for the workflow.
func trigger(t *testing.T, dir, gateway string) {
	t.Helper()
	anyPorts(t, filepath.Join(dir, "gateway.yaml"))
	admin := start(t, dir, gateway)
	out := run(t, dir, nil, gateway, "trigger", "user.created", "--data", `{"name": "Ada"}`, "--wait", "60s", "--admin", admin, "-o", "json")
	var answer struct {
		Results []struct {
			Status string
			Output any
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatal(err)
	}
	want := "[{SUCCEEDED hello Ada, thank you for user.created}]"
	if got := fmt.Sprint(answer.Results); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// anyPorts adds what the project leaves to the defaults: those ports may be
// taken here.
func anyPorts(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("\nserver: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\n"); err != nil {
		t.Fatal(err)
	}
}

// start starts a gateway, which ends with the test, and returns its admin
// address.
func start(t *testing.T, dir, gateway string) string {
	t.Helper()
	cmd := exec.Command(gateway, "run", "--log-format", "json")
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready, read := make(chan string, 1), make(chan string, 1)
	go func() { read <- readLog(stderr, ready) }()
	t.Cleanup(func() { stop(t, cmd, read) })
	select {
	case admin := <-ready:
		return admin
	case log := <-read:
		read <- log
		t.Fatal("the gateway ended instead of being ready")
	case <-time.After(patience):
		t.Fatal("the gateway is not ready")
	}
	return ""
}

// readLog keeps the log, and finds in it where the gateway listens.
func readLog(stderr io.Reader, ready chan<- string) string {
	var log strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintf(&log, "%s\n", lines.Bytes())
		var line struct{ Msg, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			ready <- line.Admin
		}
	}
	return log.String()
}

func stop(t *testing.T, cmd *exec.Cmd, read <-chan string) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	log := <-read
	if err := cmd.Wait(); err != nil {
		t.Errorf("the gateway ended badly: %v", err)
	}
	if t.Failed() {
		t.Logf("its log:\n%s", log)
	}
}
