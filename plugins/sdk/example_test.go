package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// The smallest engine: one function, every workflow.
func Example() {
	main := func() { // your main
		sdk.Serve(sdk.Func(func(_ context.Context, r *sdk.Request) (sdk.Result, error) {
			return sdk.Result{Output: "hello " + r.Workflow}, nil
		}))
	}
	_ = main
}

// Several workflows, each a function, with input and the event's data.
func ExampleWorkflows() {
	greet := func(_ context.Context, r *sdk.Request) (sdk.Result, error) {
		var input struct{ Greeting string }
		if err := r.Decode(&input); err != nil {
			return sdk.Result{}, sdk.Permanent(err)
		}
		var data struct{ Name string }
		if err := r.Event.Decode(&data); err != nil {
			return sdk.Result{}, sdk.Permanent(err)
		}
		return sdk.Result{Output: input.Greeting + " " + data.Name}, nil
	}
	engine := sdk.Workflows{"greet": greet}
	// In main: sdk.Serve(engine)

	// An engine is an ordinary value, and is tested like one.
	result, err := engine.Run(context.Background(), &sdk.Request{
		Workflow: "greet",
		Input:    []byte(`{"greeting": "good morning"}`),
		Event:    sdk.Event{Body: []byte(`{"name": "Ada"}`)},
	})
	fmt.Println(result.Output, err)
	// Output: good morning Ada <nil>
}

// What an error means to the gateway.
func ExampleRetryAfter() {
	answered := func(res *http.Response) error {
		err := fmt.Errorf("the service answered %s", res.Status)
		switch res.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusBadRequest:
			return sdk.Permanent(err) // the same again won't help
		case http.StatusTooManyRequests:
			return sdk.RetryAfter(err, time.Minute) // not before a minute has passed
		}
		return err // try again
	}
	fmt.Println(answered(&http.Response{StatusCode: 429, Status: "429 Too Many Requests"}))
	// Output: the service answered 429 Too Many Requests
}

// A run that asks somebody before it goes on.
func ExampleRequest_Wait() {
	_ = sdk.Func(func(ctx context.Context, r *sdk.Request) (sdk.Result, error) {
		r.Accept("deployment-17")
		r.Progress("plan", "3 machines will change", 0.5)
		answer, err := r.Wait(ctx, sdk.Prompt{Text: "Deploy to production?", Schema: []byte(`{"type": "boolean"}`)})
		if err != nil {
			return sdk.Result{}, err
		}
		if string(answer) != "true" {
			return sdk.Result{}, sdk.Permanent(errors.New("refused"))
		}
		return sdk.Result{Output: "deployed"}, nil
	})
}
