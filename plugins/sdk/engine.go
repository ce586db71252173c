package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// Engine runs workflows. Run is called from many goroutines at once.
type Engine interface {
	Run(ctx context.Context, r *Request) (Result, error)
}

// Result is what a run that succeeded hands back.
type Result struct {
	// Output is marshalled with encoding/json; a json.RawMessage is taken as
	// it is. Nil is null.
	Output any
}

// Describer tells people and the gateway what the engine can run. It may be
// asked before Configure. When it lists workflows, a route to any other one
// is refused when the configuration is loaded.
type Describer interface {
	Describe(ctx context.Context) (Description, error)
}

// Description is who an engine is. Without a Name it is called as its file,
// without a Version it has that of its main module.
type Description struct {
	Name, Version string
	// Workflows are all that the engine can run; empty when it can't tell.
	Workflows []Workflow
}

// Workflow is one thing that an engine can run.
type Workflow struct {
	Name, Description string
	// InputSchema is a JSON Schema of Request.Input; empty when anything goes.
	InputSchema json.RawMessage
}

// Configurer takes the engine's `config:`, once, before any run. Every
// [Problem] in the tree of the error is reported at the key it names, any
// other error at `config:` itself. An engine that is no Configurer refuses
// a configuration that has one.
type Configurer interface {
	Configure(ctx context.Context, c *Config) error
}

// Checker is asked about every route when a configuration is loaded; its
// errors are read as those of Configure, with paths into the route's `with:`.
type Checker interface {
	Check(ctx context.Context, r Route) error
}

// Route is what a route asks of the engine.
type Route struct {
	Workflow string
	// Input is the constant part of `with:`, a JSON object.
	Input json.RawMessage
	// Computed are the keys of `with:` whose values come with each event.
	Computed []string
}

// Getter finds runs by key, also after a restart of the engine. The gateway
// asks it about runs that were under way when either side died. A run that
// it reports as Running is asked for again, every few seconds, until it is
// not; an error means that nothing is known yet, and is asked again too.
type Getter interface {
	Get(ctx context.Context, key, runID string) (State, error)
}

// Follower is a [Getter] that can wait for the end of a run that goes on
// elsewhere; it is asked once where Get would be asked again and again.
// Request has nothing but the Key, and ctx ends as that of Run does.
type Follower interface {
	Getter
	Follow(ctx context.Context, r *Request, runID string) (Result, error)
}

// State is what became of a run.
type State struct {
	Status Status
	// RunID is set while Running.
	RunID string
	// Prompt is set while Waiting.
	Prompt Prompt
	// Result is set when Succeeded.
	Result Result
	// Err is set when Failed; see Permanent and RetryAfter.
	Err error
}

// Status is where a run stands.
type Status int

// The zero Status is Unknown: it is safe to start the run.
const (
	Unknown Status = iota
	Running
	Waiting
	Succeeded
	Failed
)

// Answerer resumes runs that wait and that are no longer in [Request.Wait],
// because the engine was started again since. Request has the Key, and the
// answer as its Input; what Answer returns ends the run.
type Answerer interface {
	Answer(ctx context.Context, r *Request) (Result, error)
}

// Prompt is what a waiting run wants to know, and from whom.
type Prompt struct {
	Text string
	// Schema is a JSON Schema of the answer; empty when anything goes.
	Schema json.RawMessage
}

// Event is what happened: a CloudEvent.
type Event struct {
	ID, Source, Type, Subject string
	// Time is when the gateway received it, or a schedule's slot; UTC.
	Time time.Time
	// ContentType is the media type of Body with its parameters.
	ContentType string
	// Body is exactly what was sent.
	Body []byte
	// Headers are the kept request headers, names in lower case.
	Headers map[string]string
	// Query is the URL's query.
	Query map[string]string
	// Extensions are the CloudEvents extension attributes, traceparent
	// among them.
	Extensions map[string]string

	data []byte
}

// Data is the body as JSON: the body itself, or what the gateway made of a
// form, a text or bytes. It is empty when there is no body.
func (e *Event) Data() json.RawMessage {
	if len(e.data) > 0 {
		return e.data
	}
	return e.Body
}

// Decode stores Data in v, as json.Unmarshal does.
func (e *Event) Decode(v any) error {
	return json.Unmarshal(e.Data(), v)
}
