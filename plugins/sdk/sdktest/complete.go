package sdktest

import (
	"context"
	"encoding/json"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// complete fills in what may be left out. Of an engine that can't be asked the
// trials tell.
func complete(ctx context.Context, o Options) Options {
	if o.MaxMessage == 0 {
		o.MaxMessage = 8 << 20
	}
	for _, input := range []*json.RawMessage{&o.SlowInput, &o.AsksInput, &o.Answer} {
		if *input == nil {
			*input = o.Input
		}
	}
	if o.Workflow != "" {
		return o
	}
	p, err := host.Configured(ctx, o.program())
	if err != nil {
		return o
	}
	defer p.Kill()
	ctx, cancel := context.WithTimeout(ctx, host.CallTimeout)
	defer cancel()
	d, err := p.Describe(ctx, &enginev1.DescribeRequest{})
	if err != nil {
		return o
	}
	for _, w := range d.Workflows {
		if !demanding(w.InputSchema) && w.Name != o.Slow && w.Name != o.Asks {
			o.Workflow = w.Name
			break
		}
	}
	return o
}

// demanding is whether a schema wants some input.
func demanding(schema []byte) bool {
	var s struct{ Required []string }
	return json.Unmarshal(schema, &s) == nil && len(s.Required) > 0
}
