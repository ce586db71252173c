package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

// A workflow is a function.
func TestGreet(t *testing.T) {
	got, err := greet(t.Context(), &sdk.Request{
		Input: json.RawMessage(`{"name": "Ada"}`),
		Event: sdk.Event{Type: "user.created"},
	})
	if want := "hello Ada, thank you for user.created"; err != nil || got.Output != want {
		t.Errorf("got %q, %v; want %q", got.Output, err, want)
	}
}

// The program is an engine.
func TestContract(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "engine-go")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	sdktest.Run(t, sdktest.Options{
		Command:   []string{binary},
		BadConfig: json.RawMessage(`{"surprise": true}`), // it takes none
		Workflow:  "greet", Slow: "nap", Asks: "approve", Answer: json.RawMessage("true"),
	})
}
