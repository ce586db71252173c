// Command engine has every power that the SDK knows. It remembers its runs in
// the folder of its configuration, a file each.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/event-gateway/gateway/plugins/sdk"
)

type engine struct {
	folder string
	config struct {
		Greeting string `json:"greeting"`
	}
}

func main() { sdk.Serve(&engine{}) }

func (e *engine) Configure(_ context.Context, c *sdk.Config) error {
	e.folder = c.BaseDir
	return c.Decode(&e.config)
}

func (e *engine) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{Name: "engine", Workflows: []sdk.Workflow{{Name: "quick"}, {Name: "slow"}, {Name: "ask"}}}, nil
}

func (e *engine) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	r.Accept("run-" + r.Key)
	switch r.Workflow {
	case "quick":
		return e.quick(r)
	case "slow":
		<-ctx.Done()
		return sdk.Result{}, ctx.Err()
	case "ask":
		return e.ask(ctx, r)
	}
	return sdk.Result{}, sdk.Permanent(errors.New("unknown workflow"))
}

func (e *engine) quick(r *sdk.Request) (sdk.Result, error) {
	r.Progress("half", "half of it", 0.5)
	sdk.Logger().Info("quick", "key", r.Key)
	fmt.Println("what is printed must not disturb")
	return sdk.Result{Output: e.config.Greeting}, e.remember(r.Key, "succeeded")
}

func (e *engine) ask(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	if err := e.remember(r.Key, "waiting"); err != nil {
		return sdk.Result{}, err
	}
	answer, err := r.Wait(ctx, sdk.Prompt{Text: "well?"})
	if err != nil {
		return sdk.Result{}, err
	}
	return sdk.Result{Output: answer}, e.remember(r.Key, "succeeded")
}

// Answer goes on with a run that an earlier process left waiting.
func (e *engine) Answer(_ context.Context, r *sdk.Request) (sdk.Result, error) {
	if text, err := os.ReadFile(e.file(r.Key)); err != nil || string(text) != "waiting" {
		return sdk.Result{}, errors.New("no run with this key waits")
	}
	return sdk.Result{Output: r.Input}, e.remember(r.Key, "succeeded")
}

// Get tells of runs that ended, or that an earlier process left waiting.
func (e *engine) Get(_ context.Context, key, _ string) (sdk.State, error) {
	text, err := os.ReadFile(e.file(key))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return sdk.State{}, nil
	case err != nil:
		return sdk.State{}, err
	case string(text) == "waiting":
		return sdk.State{Status: sdk.Waiting, Prompt: sdk.Prompt{Text: "well?"}}, nil
	}
	return sdk.State{Status: sdk.Succeeded, Result: sdk.Result{Output: e.config.Greeting}}, nil
}

func (e *engine) remember(key, state string) error {
	return os.WriteFile(e.file(key), []byte(state), 0o600)
}

func (e *engine) file(key string) string { return filepath.Join(e.folder, "key-"+key) }
