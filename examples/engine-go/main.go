// Command engine-go is a workflow engine for the event gateway.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() {
	sdk.Serve(sdk.Workflows{"greet": greet, "nap": nap, "approve": approve})
}

// greet reads its input and what happened.
func greet(_ context.Context, r *sdk.Request) (sdk.Result, error) {
	input := struct {
		Name string `json:"name"`
	}{Name: "world"}
	if err := r.Decode(&input); err != nil {
		return sdk.Result{}, sdk.Permanent(err) // trying again can't help
	}
	return sdk.Result{Output: fmt.Sprintf("hello %s, thank you for %s", input.Name, r.Event.Type)}, nil
}

// nap takes long, and stops at once when it is told to.
func nap(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	r.Progress("sleeping", "for two minutes", 0)
	select {
	case <-time.After(2 * time.Minute):
		return sdk.Result{Output: "well rested"}, nil
	case <-ctx.Done():
		return sdk.Result{}, ctx.Err()
	}
}

// approve asks somebody. The run holds no place while it waits.
func approve(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	answer, err := r.Wait(ctx, sdk.Prompt{Text: "Go on?", Schema: []byte(`{"type": "boolean"}`)})
	if err != nil {
		return sdk.Result{}, err
	}
	if string(answer) != "true" {
		return sdk.Result{}, sdk.Permanent(errors.New("refused"))
	}
	return sdk.Result{Output: "approved"}, nil
}
