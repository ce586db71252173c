package sdktest

import (
	"cmp"
	"context"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// stdout does many runs and looks at what is printed: the gateway gives up on
// a longer line, and an engine whose output nobody reads stands still.
func stdout(ctx context.Context, o Options) error {
	r, err := host.StartRaw(ctx, o.program())
	if err != nil {
		return err
	}
	defer r.Kill()
	printed := make(chan error, 1)
	go func() { printed <- r.Lines() }()
	t, err := host.NewTalk(ctx, r, o.nonce)
	if err == nil {
		err = concurrent(ctx, nil, &talk{t}, o)
		t.Break()
	}
	host.KillGroup(r.Cmd) // and the output ends
	long := host.Within(ctx, host.StopTimeout, func() error { return <-printed })
	if err = cmp.Or(long, err); err != nil {
		return r.Spoken(err)
	}
	return nil
}
