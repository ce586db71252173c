package link

import (
	"time"

	"github.com/event-gateway/gateway/gateway/event"
)

// Call is one attempt to run a workflow for an event.
type Call struct {
	// Key is the idempotency key: the delivery's id.
	Key      string
	Workflow string
	Event    *event.Event
	// Input is one JSON value; nil without `with:`.
	Input []byte
	// Attempt is 1 for the first.
	Attempt int
	// Deadline is told to the engine, zero is none. Nothing here cancels the
	// call when it passes.
	Deadline       time.Time
	FirstAttemptAt time.Time
}

// UpdateKind says what an Update tells.
type UpdateKind uint8

// Kinds of updates. Succeeded, Failed and Lost end a call. Unknown and Running
// come from Get and Attach alone, Lost never does.
const (
	// Unknown: the engine does not know the run; it is safe to start it.
	Unknown UpdateKind = iota
	// Running: the run goes on.
	Running
	// Accepted: the run exists in the engine, as RunID.
	Accepted
	// Progress: Step, Message, Fraction.
	Progress
	// Waiting: the run waits for an Answer; Prompt, Schema.
	Waiting
	// Succeeded: Output.
	Succeeded
	// Failed: Message, Failure, RetryAfter.
	Failed
	// Lost: the process or its stream went away; what became of the run is
	// not known. Message says why.
	Lost
)

// Final tells whether a call ends with this update.
func (k UpdateKind) Final() bool { return k >= Succeeded }

// FailureKind says what may be done about a failure.
type FailureKind uint8

// Kinds of failures.
const (
	Retryable FailureKind = iota
	Permanent
	Throttled
)

// Update is what an engine says about a run.
type Update struct {
	Kind    UpdateKind
	RunID   string
	Step    string
	Message string
	// Fraction is 0 to 1, negative when unknown.
	Fraction float64
	Prompt   string
	// Schema is the JSON Schema of the answer, nil when anything goes.
	Schema []byte
	// Output is one JSON value, nil is null.
	Output  []byte
	Failure FailureKind
	// RetryAfter is the engine's wish; 0 is none.
	RetryAfter time.Duration
	// Process says which process spoke: "exec/3f2a pid 4711".
	Process string
}

// Description is what an engine says about itself.
type Description struct {
	Name    string
	Version string
	// CanCheck, CanGet and CanAnswer: what it can do beyond Run.
	CanCheck, CanGet, CanAnswer bool
	// Workflows is empty when the engine can't list them.
	Workflows []Workflow
}

// Workflow is something that an engine can run.
type Workflow struct {
	Name        string
	Description string
	// InputSchema is a JSON Schema, nil when anything goes.
	InputSchema []byte
}
