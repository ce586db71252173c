//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "exec")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	script(t, filepath.Join(dir, "workflows", "greet.sh"), "#!/bin/sh\ncat >/dev/null\necho noisy >&2\necho '{\"hello\": \"world\"}'\n")
	script(t, filepath.Join(dir, "workflows", "slow.sh"), "#!/bin/sh\nsleep 300 &\nwait\n")
	sdktest.Run(t, sdktest.Options{
		Command:   []string{binary},
		Env:       []string{"PATH=" + os.Getenv("PATH")},
		BaseDir:   dir,
		Config:    json.RawMessage(`{"dir": "workflows"}`),
		BadConfig: json.RawMessage(`{"dirs": "workflows"}`),
		Workflow:  "greet",
		Slow:      "slow",
		Input:     json.RawMessage(`{"n": 1}`),
	})
}

func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	// A child forked meanwhile would hold the file open for writing, and
	// starting it would fail as "text file busy".
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
