//go:build !unix

package sdktest

import "context"

// Neither can be tried where there are no signals.

func parentDeath(context.Context, Options) error { return untried("no signals here") }

func interrupt(context.Context, *process, Options) error { return untried("no signals here") }
