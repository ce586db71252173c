// Command engine-go is the smallest engine: copy this folder to begin your own.
package main

import (
	"context"
	"fmt"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() {
	sdk.Serve(sdk.Workflows{"greet": greet})
}

func greet(_ context.Context, r *sdk.Request) (sdk.Result, error) {
	input := struct {
		Name string `json:"name"`
	}{Name: "world"}
	if err := r.Decode(&input); err != nil {
		return sdk.Result{}, sdk.Permanent(err) // trying again can't help
	}
	return sdk.Result{Output: fmt.Sprintf("hello %s, thank you for %s", input.Name, r.Event.Type)}, nil
}
