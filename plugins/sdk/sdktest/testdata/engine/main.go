// Command engine has every power that the SDK knows, and on request a defect
// for the suite to find.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/event-gateway/gateway/plugins/sdk"
)

type engine struct {
	defect string
	config struct {
		Greeting string `json:"greeting"`
	}
}

func main() { sdk.Serve(&engine{defect: os.Getenv("DEFECT")}) }

func (e *engine) Configure(_ context.Context, c *sdk.Config) error {
	if e.defect == "credulous" {
		return nil
	}
	return c.Decode(&e.config)
}

func (e *engine) Describe(context.Context) (sdk.Description, error) {
	d := sdk.Description{Name: "engine", Workflows: []sdk.Workflow{{Name: "quick"}, {Name: "slow"}, {Name: "ask"}}}
	if e.defect == "twice" {
		d.Workflows = append(d.Workflows, sdk.Workflow{Name: "quick"})
	}
	return d, nil
}

func (e *engine) Run(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	r.Accept("run-" + r.Key)
	switch r.Workflow {
	case "quick":
		return e.quick(r)
	case "slow":
		return e.slow(ctx)
	case "ask":
		answer, err := r.Wait(ctx, sdk.Prompt{Text: "well?"})
		return sdk.Result{Output: answer}, err
	}
	return sdk.Result{}, sdk.Permanent(errors.New("unknown workflow"))
}

func (e *engine) quick(r *sdk.Request) (sdk.Result, error) {
	r.Progress("half", "half of it", 0.5)
	sdk.Logger().Info("quick", "key", r.Key)
	fmt.Println("what is printed must not disturb")
	switch e.defect {
	case "bad-log":
		fmt.Fprintln(os.Stderr, `{"@level":"info","@message":7}`)
	case "dies":
		os.Exit(3)
	case "refuses":
		return sdk.Result{}, sdk.Permanent(errors.New("no"))
	}
	return sdk.Result{Output: e.config.Greeting}, nil
}

func (e *engine) slow(ctx context.Context) (sdk.Result, error) {
	switch e.defect {
	case "deaf":
		select {}
	case "hasty":
		<-ctx.Done()
		return sdk.Result{}, sdk.Permanent(ctx.Err())
	case "leaky":
		cmd := exec.Command("/bin/sleep", "20")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			return sdk.Result{}, err
		}
	}
	<-ctx.Done()
	return sdk.Result{}, ctx.Err()
}
