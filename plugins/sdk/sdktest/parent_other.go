//go:build !unix

package sdktest

import (
	"context"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// Neither can be tried where there are no signals.

func parentDeath(context.Context, Options) error { return untried("no signals here") }

func interrupt(context.Context, *host.Process, Options) error { return untried("no signals here") }
