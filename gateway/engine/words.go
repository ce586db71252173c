package engine

import "github.com/event-gateway/gateway/gateway/engine/link"

// The words in which calls are made, and what they mean, are link's: it speaks
// the contract. Who uses an engine need not know that.
type (
	Call        = link.Call
	Update      = link.Update
	UpdateKind  = link.UpdateKind
	FailureKind = link.FailureKind
	Description = link.Description
	Workflow    = link.Workflow
	Problem     = link.Problem

	ConfigError   = link.ConfigError
	TooLargeError = link.TooLargeError
)

// Kinds of updates and failures.
const (
	Unknown   = link.Unknown
	Running   = link.Running
	Accepted  = link.Accepted
	Progress  = link.Progress
	Waiting   = link.Waiting
	Succeeded = link.Succeeded
	Failed    = link.Failed
	Lost      = link.Lost

	Retryable = link.Retryable
	Permanent = link.Permanent
	Throttled = link.Throttled
)

// Errors of calls. None of them uses up an attempt.
var (
	ErrDown     = link.ErrDown
	ErrBusy     = link.ErrBusy
	ErrInFlight = link.ErrInFlight
)
