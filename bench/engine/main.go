// Command engine is the benchmark's workflow engine: a real plugin process
// whose one workflow does nothing, so that all there is to measure is the way
// to it and back.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func main() {
	if path := os.Getenv("BENCH_PROFILE"); path != "" {
		defer profile(path)()
	}
	workflow := nothing
	if os.Getenv("BENCH_HOLD") != "" {
		workflow = hold
	}
	sdk.Serve(sdk.Workflows{"nothing": workflow})
}

func nothing(context.Context, *sdk.Request) (sdk.Result, error) { return sdk.Result{}, nil }

// hold never ends, so that a backlog grows.
func hold(ctx context.Context, _ *sdk.Request) (sdk.Result, error) {
	<-ctx.Done()
	return sdk.Result{}, ctx.Err()
}

// profile begins a CPU profile and returns what ends it.
func profile(path string) (stop func()) {
	f, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}
}
