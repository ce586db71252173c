//go:build unix && grapheteria

// Package grapheteria tests the Python engine of this folder from outside: its
// installed program, as the gateway starts it.
package grapheteria

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

// installed is the folder with the program and its virtual environment. What
// `make plugins/grapheteria` made is used again; without it, it is made here.
var installed = sync.OnceValues(func() (string, error) {
	folder, err := filepath.Abs("../../bin/plugins")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("./install.sh", folder).CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return folder, nil
})

func install(t *testing.T) string {
	t.Helper()
	folder, err := installed()
	if err != nil {
		t.Fatalf("install.sh: %v\n%s", err, folder)
	}
	return folder
}

// TestContract holds the whole of it to the promises of every engine, on both
// transports.
func TestContract(t *testing.T) {
	dir := t.TempDir()
	project := copyProject(t, "tests/project", dir)
	sdktest.Run(t, sdktest.Options{
		Command:   []string{filepath.Join(install(t), "grapheteria")},
		Env:       []string{"PATH=" + os.Getenv("PATH")},
		BaseDir:   dir,
		Config:    config(t, project, "nodes"),
		BadConfig: json.RawMessage(`{"project": "project", "node": ["nodes"]}`),
		Workflow:  "greet", Slow: "slow", Asks: "ask",
		Input: json.RawMessage(`{"n": 1}`),
	})
}

// TestContractPlain is the same for gateway_engine alone, with an engine that
// is not Grapheteria.
func TestContractPlain(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	sdktest.Run(t, sdktest.Options{
		Command:  []string{filepath.Join(install(t), "grapheteria.d", "venv", "bin", "python"), "tests/plain_engine.py"},
		Env:      []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + here, "PYTHONDONTWRITEBYTECODE=1"},
		Workflow: "quick", Slow: "slow", Asks: "ask",
		Config:    json.RawMessage(`{"greeting": "hello"}`),
		BadConfig: json.RawMessage(`{"greting": "hello"}`),
		Input:     json.RawMessage(`{"n": 1}`),
	})
}

func copyProject(t *testing.T, from, dir string) string {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, "project"), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return "project"
}

func config(t *testing.T, project string, nodes ...string) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(map[string]any{"project": project, "nodes": nodes})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
