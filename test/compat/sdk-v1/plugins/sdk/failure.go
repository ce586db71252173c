package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Permanent marks an error that trying again can't help. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err: err, kind: enginev1.FailureKind_FAILURE_KIND_PERMANENT}
}

// RetryAfter marks an error of something that is full: the next attempt
// should not be made before d has passed. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &failure{err: err, kind: enginev1.FailureKind_FAILURE_KIND_THROTTLED, after: d}
}

// failure is an error that knows what to do about it.
type failure struct {
	err   error
	kind  enginev1.FailureKind
	after time.Duration
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// maxText bounds every sentence that is sent, in bytes.
const maxText = 8 << 10

// text makes s fit to be sent: protobuf refuses a string that is not UTF-8,
// and gRPC would end the stream of all runs for it.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// failed is how an error ends an attempt. A run that was cancelled names the
// cause instead of a bare "context canceled".
func failed(ctx context.Context, err error) *enginev1.RunUpdate_Failed {
	out := &enginev1.Failed{Kind: enginev1.FailureKind_FAILURE_KIND_RETRYABLE}
	if f, ok := errors.AsType[*failure](err); ok {
		out.Kind = f.kind
		if f.after > 0 {
			out.RetryAfter = durationpb.New(f.after)
		}
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	out.Message = text(err.Error())
	return &enginev1.RunUpdate_Failed{Failed: out}
}

// encode is the output as JSON, checked here because one message that is too
// large would end the stream of all runs.
func encode(output any, limit int) ([]byte, error) {
	if output == nil {
		return nil, nil
	}
	b, err := json.Marshal(output)
	if err != nil {
		return nil, Permanent(fmt.Errorf("output: %w", err))
	}
	if len(b) > limit {
		return nil, Permanent(fmt.Errorf("output: %d bytes are more than the %d that may be sent", len(b), limit))
	}
	return b, nil
}
