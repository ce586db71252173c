package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// said is an error of Temporal's with its type.
func said(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	if s.Code() == codes.Unauthenticated {
		return fmt.Errorf("unauthenticated: %s", s.Message()) // for which Temporal has no type
	}
	return serviceerror.FromStatus(s)
}

// errEnded: a workflow is there no more to take part.
var errEnded = errors.New("has ended")

// throttle is the least that Temporal gets to breathe when it says that it has
// too much to do.
const throttle = time.Second

// failure says what to do about an error of Temporal's. An event that it can
// take at no time fails for good; all else may pass, a wrong API key too: it
// is not the event's fault.
func (e *engine) failure(ctx context.Context, step string, err error) error {
	if err == nil {
		return nil
	}
	err = said(err)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	told := fmt.Errorf("temporal %s: %s: %w", e.address, step, err)
	switch err.(type) {
	case *serviceerror.ResourceExhausted:
		return sdk.RetryAfter(told, throttle)
	case *serviceerror.InvalidArgument, *serviceerror.NamespaceNotFound:
		return sdk.Permanent(told)
	}
	return told
}

// isMissing is whether there is no such workflow, or none that runs.
func isMissing(err error) bool {
	_, missing := errors.AsType[*serviceerror.NotFound](said(err))
	return missing
}

// lasts is whether asking again can't help.
func lasts(err error) bool {
	switch said(err).(type) {
	case *serviceerror.NotFound, *serviceerror.NamespaceNotFound, *serviceerror.InvalidArgument,
		*serviceerror.PermissionDenied, *serviceerror.Unimplemented:
		return true
	}
	return false
}

// explain is a failure with its causes, the innermost of which is what people
// look for.
func explain(f *failure.Failure) string {
	var b strings.Builder
	for ; f != nil; f = f.GetCause() {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(f.GetMessage())
		if kind := f.GetApplicationFailureInfo().GetType(); kind != "" {
			fmt.Fprintf(&b, " (%s)", kind)
		}
	}
	return b.String()
}

// forGood is whether the workflow's own code said that trying again can't help.
func forGood(f *failure.Failure) bool {
	for ; f != nil; f = f.GetCause() {
		if f.GetApplicationFailureInfo().GetNonRetryable() {
			return true
		}
	}
	return false
}
