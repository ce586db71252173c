// Command approver is an engine with one workflow: a refund that a person allows.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() { sdk.Serve(sdk.Workflows{"refund": refund}) }

func refund(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
	var order struct {
		Order string
		Cents int
	}
	if err := r.Decode(&order); err != nil {
		return sdk.Result{}, sdk.Permanent(err)
	}
	question := fmt.Sprintf("Refund %d.%02d for order %s?", order.Cents/100, order.Cents%100, order.Order)
	answer, err := r.Wait(ctx, sdk.Prompt{Text: question, Schema: []byte(`{"enum": ["yes", "no"]}`)})
	if err != nil {
		return sdk.Result{}, err
	}
	if string(answer) != `"yes"` {
		return sdk.Result{}, sdk.Permanent(errors.New("refused"))
	}
	return sdk.Result{Output: "refunded " + order.Order}, nil
}
