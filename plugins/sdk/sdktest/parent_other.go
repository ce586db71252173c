//go:build !unix

package sdktest

import "context"

// Neither can be tried where there are no signals.

func parentDeath(context.Context, Options) error { return nil }

func interrupt(context.Context, *process, Options) error { return nil }
