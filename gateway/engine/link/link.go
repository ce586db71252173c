// Package link is the connection to one process of an engine: it speaks
// version 1 of the engine contract for the pool above it and carries all runs
// over one stream, whose end is the end of the link.
package link

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Link is used from many goroutines once it is open.
type Link struct {
	name       string // of the engine
	process    string // Update.Process
	maxMessage int64
	rpc        enginev1.EngineServiceClient
	desc       Description

	stream enginev1.EngineService_RunClient
	cancel context.CancelFunc // ends the stream
	calls  calls
	outbox *outbox

	broken chan struct{} // closed when the stream has ended
	err    error         // why; set before broken is closed
}

// New makes a link of a connected client. name is the engine's, process says
// which of its processes this is, maxMessage is in bytes.
func New(rpc enginev1.EngineServiceClient, name, process string, maxMessage int64) *Link {
	return &Link{name: name, process: process, maxMessage: maxMessage, rpc: rpc,
		calls: calls{byKey: make(map[string]*call)}, outbox: newOutbox(), broken: make(chan struct{})}
}

// Process says which process this is: "exec/3f2a pid 4711".
func (l *Link) Process() string { return l.process }

// Description is what the engine said about itself in Introduce.
func (l *Link) Description() Description { return l.desc }

// Count gives the calls that have not ended and how many of them wait for an
// answer.
func (l *Link) Count() (all, waiting int) { return l.calls.count() }

// WhenIdle is closed when no call is left but those that wait for an answer.
func (l *Link) WhenIdle() <-chan struct{} { return l.calls.whenIdle() }

// Forget drops a call: nothing more is reported for its key.
func (l *Link) Forget(key string) { l.calls.remove(key) }

// Run sends a start. It does not wait; after a nil error exactly one final
// update is reported, after an error none.
func (l *Link) Run(c Call, report func(Update)) error {
	q := queued{start: startOf(c)}
	if q.size = int64(q.start.Size()); q.size > l.maxMessage {
		return &TooLargeError{Size: q.size, Max: l.maxMessage}
	}
	if err := l.calls.add(c.Key, &call{report: report, size: q.size}); err != nil {
		return err
	}
	if err := l.outbox.put(q, false); err != nil && l.calls.remove(c.Key) {
		return err
	} // else the stream ended just now, and Lost is reported
	return nil
}

// Cancel asks the engine to end a run. Its final update still follows.
func (l *Link) Cancel(key, reason string) {
	m := message.Cancel(key, strings.ToValidUTF8(reason, "\uFFFD"))
	_ = l.outbox.put(queued{other: m, size: int64(len(m))}, true) // when it is down, the run is Lost anyway
}

// Answer resumes a waiting run with one JSON value.
func (l *Link) Answer(key string, input []byte) error {
	m := message.Answer(key, input)
	size := int64(len(m))
	if size > l.maxMessage {
		return &TooLargeError{Size: size, Max: l.maxMessage}
	}
	if err := l.outbox.put(queued{other: m, size: size}, false); err != nil {
		return err
	}
	l.calls.answered(key)
	return nil
}

// unaryTimeout bounds questions to an engine.
const unaryTimeout = 10 * time.Second

// Get asks what became of a run; Unknown from an engine that can't tell.
func (l *Link) Get(ctx context.Context, key, runID string) (Update, error) {
	if !l.desc.CanGet {
		return Update{Kind: Unknown, Process: l.process}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	response, err := l.rpc.Get(ctx, &enginev1.GetRequest{Key: key, RunId: runID})
	if err != nil {
		return Update{}, fmt.Errorf("engine %s: get: %w", l.name, err)
	}
	u := stateOf(response)
	u.Process = l.process
	return u, nil
}

// Attach is Get, and reports the further updates of a run that goes on.
func (l *Link) Attach(ctx context.Context, key, runID string, report func(Update)) (Update, error) {
	held := &call{report: report, holding: true}
	if err := l.calls.add(key, held); err != nil {
		return Update{}, err
	}
	u, err := l.Get(ctx, key, runID)
	if err != nil || (u.Kind != Running && u.Kind != Waiting) {
		l.calls.remove(key)
		return u, err
	}
	if !l.calls.letGo(key, held, u) {
		return Update{}, ErrDown
	}
	return u, nil
}

// Check asks whether a workflow can run with an input.
func (l *Link) Check(ctx context.Context, workflow string, input []byte, computed []string) ([]Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	if !l.desc.CanCheck {
		return l.desc.check(workflow), nil
	}
	response, err := l.rpc.Check(ctx, &enginev1.CheckRequest{Workflow: workflow, Input: input, Computed: computed})
	switch status.Code(err) {
	case codes.OK:
		return problemsOf(response.GetProblems()), nil
	case codes.InvalidArgument:
		return []Problem{{Message: status.Convert(err).Message()}}, nil
	case codes.Unimplemented:
		return l.desc.check(workflow), nil
	}
	return nil, fmt.Errorf("engine %s: check %q: %w", l.name, workflow, err)
}

// Lose reports the end of every call that is left, and refuses new ones. The
// stream must have ended.
func (l *Link) Lose(why string) {
	left := l.calls.close()
	refused := l.refused(left)
	for key, lost := range left {
		u := Update{Kind: Lost, Message: why, Process: l.process}
		if key == refused {
			u = Update{Kind: Failed, Failure: Permanent, Message: l.refusal(lost), Process: l.process}
		}
		lost.report(u)
	}
}

// refused finds the call that made the engine end the stream, when its status
// can only be about one message: the largest that it has not heard of, when a
// message was too large for it; the only one, when an argument was bad. That
// call would break every stream that it is tried on.
func (l *Link) refused(left map[string]*call) string {
	switch status.Code(l.err) {
	case codes.InvalidArgument:
		if len(left) != 1 {
			return ""
		}
	case codes.ResourceExhausted:
	default:
		return ""
	}
	var worst string
	var size int64
	for key, c := range left {
		if !c.heard && c.size > size {
			worst, size = key, c.size
		}
	}
	return worst
}

func (l *Link) refusal(c *call) string {
	text := status.Convert(l.err).Message()
	if status.Code(l.err) == codes.ResourceExhausted {
		return fmt.Sprintf("the engine refused a message of about %d bytes (%s): "+
			"it must take messages of GATEWAY_MAX_MESSAGE_BYTES", c.size, text)
	}
	return "the engine refused the run: " + text
}
