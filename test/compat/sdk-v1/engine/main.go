// Command engine uses every power of the SDK as it was first released.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

type engine struct {
	folder string
	config struct {
		Greeting string `json:"greeting"`
	}
}

func main() { sdk.Serve(&engine{}) }

func (e *engine) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{Name: "sdk-v1", Workflows: []sdk.Workflow{{Name: "greet"}, {Name: "nap"}, {Name: "approve"}}}, nil
}

func (e *engine) Configure(_ context.Context, c *sdk.Config) error {
	e.folder = c.BaseDir
	return c.Decode(&e.config)
}

func (e *engine) Check(_ context.Context, r sdk.Route) error {
	if r.Workflow == "nap" && len(r.Computed) > 0 {
		return sdk.Problem{Path: []string{r.Computed[0]}, Message: "a nap takes no input"}
	}
	return nil
}

func (e *engine) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	r.Accept("run-" + r.Key)
	sdk.Logger().Info("run", "workflow", r.Workflow)
	switch r.Workflow {
	case "greet":
		r.Progress("greeting", "", 0.5)
		return sdk.Result{Output: e.config.Greeting + " from " + r.Event.Type}, e.remember(r.Key, "succeeded")
	case "nap":
		<-ctx.Done()
		return sdk.Result{}, sdk.RetryAfter(ctx.Err(), time.Second)
	case "approve":
		if err := e.remember(r.Key, "waiting"); err != nil {
			return sdk.Result{}, err
		}
		answer, err := r.Wait(ctx, sdk.Prompt{Text: "Go on?"})
		if err != nil {
			return sdk.Result{}, err
		}
		return sdk.Result{Output: answer}, e.remember(r.Key, "succeeded")
	}
	return sdk.Result{}, sdk.Permanent(fmt.Errorf("unknown workflow %q", r.Workflow))
}

// Answer goes on with a run that an earlier process left waiting.
func (e *engine) Answer(_ context.Context, r *sdk.Request) (sdk.Result, error) {
	if text, err := os.ReadFile(e.file(r.Key)); err != nil || string(text) != "waiting" {
		return sdk.Result{}, errors.New("no run with this key waits")
	}
	return sdk.Result{Output: r.Input}, e.remember(r.Key, "succeeded")
}

// Get tells what became of a run that isn't under way here.
func (e *engine) Get(_ context.Context, key, _ string) (sdk.State, error) {
	text, err := os.ReadFile(e.file(key))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return sdk.State{Status: sdk.Unknown}, nil
	case err != nil:
		return sdk.State{}, err
	case string(text) == "waiting":
		return sdk.State{Status: sdk.Waiting, Prompt: sdk.Prompt{Text: "Go on?"}}, nil
	}
	return sdk.State{Status: sdk.Succeeded}, nil
}

func (e *engine) remember(key, state string) error {
	return os.WriteFile(e.file(key), []byte(state), 0o600)
}

func (e *engine) file(key string) string { return filepath.Join(e.folder, "key-"+key) }
