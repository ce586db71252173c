package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/event-gateway/gateway/gateway/engine/process"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// session is one process of an engine and the stream to it, from handshake to
// death. It is never revived: a restart makes a new one.
type session struct {
	spec    Spec
	label   string // Update.Process
	timing  timing
	process *process.Process
	client  *plugin.Client
	rpc     enginev1.EngineServiceClient
	health  grpc_health_v1.HealthClient
	desc    Description
	started time.Time

	stream enginev1.EngineService_RunClient
	cancel context.CancelFunc // ends the stream
	calls  calls
	outbox *outbox

	broken chan struct{} // closed when the stream has ended
	err    error         // why; set before broken is closed
	hung   chan struct{} // closed when health checks found it dead
}

// run sends a start. See Engine.Run.
func (s *session) run(c Call, report func(Update)) error {
	m := startMessage(c)
	size := m.maxSize()
	if size > s.spec.MaxMessage {
		size = int64(proto.Size(&m.request))
	}
	if size > s.spec.MaxMessage {
		return &TooLargeError{Size: size, Max: s.spec.MaxMessage}
	}
	if err := s.calls.add(c.Key, &call{report: report, size: size}); err != nil {
		return err
	}
	if err := s.outbox.put(&m.request, false); err != nil && s.calls.remove(c.Key) {
		return err
	} // else the stream ended just now, and Lost is reported
	return nil
}

func (s *session) cancelRun(key, reason string) {
	_ = s.outbox.put(cancelMessage(key, reason), true) // when it is down, the run is Lost anyway
}

func (s *session) answer(key string, input []byte) error {
	m := answerMessage(key, input)
	if size := int64(proto.Size(m)); size > s.spec.MaxMessage {
		return &TooLargeError{Size: size, Max: s.spec.MaxMessage}
	}
	if err := s.outbox.put(m, false); err != nil {
		return err
	}
	s.calls.answered(key)
	return nil
}

// unaryTimeout bounds questions to an engine.
const unaryTimeout = 10 * time.Second

func (s *session) get(ctx context.Context, key, runID string) (Update, error) {
	if !s.desc.CanGet {
		return Update{Kind: Unknown, Process: s.label}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	response, err := s.rpc.Get(ctx, &enginev1.GetRequest{Key: key, RunId: runID})
	if err != nil {
		return Update{}, fmt.Errorf("engine %s: get: %w", s.spec.Name, err)
	}
	u := stateOf(response)
	u.Process = s.label
	return u, nil
}

func (s *session) attach(ctx context.Context, key, runID string, report func(Update)) (Update, error) {
	held := &call{report: report, holding: true}
	if err := s.calls.add(key, held); err != nil {
		return Update{}, err
	}
	u, err := s.get(ctx, key, runID)
	if err != nil || (u.Kind != Running && u.Kind != Waiting) {
		s.calls.remove(key)
		return u, err
	}
	if !s.calls.letGo(key, held, u.Kind) {
		return Update{}, ErrDown
	}
	return u, nil
}

func (s *session) check(ctx context.Context, workflow string, input []byte, computed []string) ([]Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	response, err := s.rpc.Check(ctx, &enginev1.CheckRequest{Workflow: workflow, Input: input, Computed: computed})
	switch status.Code(err) {
	case codes.OK:
		return problemsOf(response.GetProblems()), nil
	case codes.InvalidArgument:
		return []Problem{{Message: status.Convert(err).Message()}}, nil
	case codes.Unimplemented:
		return s.desc.check(workflow), nil
	}
	return nil, fmt.Errorf("engine %s: check %q: %w", s.spec.Name, workflow, err)
}

// send carries messages from the outbox to the stream until it ends.
func (s *session) send() {
	var batch []*enginev1.RunRequest
	for {
		select {
		case <-s.outbox.wake:
		case <-s.broken:
			return
		}
		batch = s.outbox.take(batch)
		for _, m := range batch {
			if s.stream.Send(m) != nil {
				return // the receiver learns why
			}
		}
	}
}

// receive carries updates from the stream to the calls until it ends.
func (s *session) receive() {
	defer close(s.broken)
	var m enginev1.RunResponse // used again: what is read from it is not
	for {
		if s.err = s.stream.RecvMsg(&m); s.err != nil {
			return
		}
		u, ok := updateOf(&m)
		if !ok {
			continue
		}
		u.Process = s.label
		if size := int64(len(u.Output) + len(u.Schema)); size > s.spec.MaxMessage {
			u = s.tooMuch(size)
		}
		s.calls.deliver(m.Key, u)
	}
}

// tooMuch ends a run whose answer nobody should have to keep.
func (s *session) tooMuch(size int64) Update {
	return Update{Kind: Failed, Failure: Permanent, Process: s.label,
		Message: fmt.Sprintf("the engine sent %d bytes, at most %d are allowed", size, s.spec.MaxMessage)}
}

// watch kills a process that does not answer health checks, and ends the
// stream of one that is gone.
func (s *session) watch() {
	tick := time.NewTicker(s.timing.healthEvery)
	defer tick.Stop()
	missed := 0
	for {
		select {
		case <-tick.C:
		case <-s.process.Done():
			s.cancel()
			return
		case <-s.broken:
			return
		}
		if s.healthy() {
			missed = 0
		} else if missed++; missed == healthMisses {
			close(s.hung)
			s.process.Kill()
		}
	}
}

// healthMisses is how many health checks in a row may go unanswered.
const healthMisses = 3

// healthy tells whether the process answers. An engine without a health
// service says so, and is alive.
func (s *session) healthy() bool {
	ctx, cancel := context.WithTimeout(context.Background(), s.timing.healthWithin)
	defer cancel()
	answer, err := s.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	switch status.Code(err) {
	case codes.OK:
		return answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
	case codes.Unimplemented, codes.NotFound:
		return true
	}
	return false
}

// lose reports the end of every call that is left.
func (s *session) lose(why string) {
	left := s.calls.close()
	refused := s.refused(left)
	for key, lost := range left {
		u := Update{Kind: Lost, Message: why, Process: s.label}
		if key == refused {
			u = Update{Kind: Failed, Failure: Permanent, Message: s.refusal(lost), Process: s.label}
		}
		lost.report(u)
	}
}

// refused finds the call that made the engine end the stream, when its status
// can only be about one message: the largest that it has not heard of, when a
// message was too large for it; the only one, when an argument was bad. That
// call would break every stream that it is tried on.
func (s *session) refused(left map[string]*call) string {
	switch status.Code(s.err) {
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

func (s *session) refusal(c *call) string {
	text := status.Convert(s.err).Message()
	if status.Code(s.err) == codes.ResourceExhausted {
		return fmt.Sprintf("the engine refused a message of about %d bytes (%s): "+
			"it must take messages of GATEWAY_MAX_MESSAGE_BYTES", c.size, text)
	}
	return "the engine refused the run: " + text
}

// end ends the process in bounded time and tells whether that went well. A
// gentle end lets it close down by itself first.
func (s *session) end(gentle bool) bool {
	killed := make(chan struct{})
	if !gentle {
		s.process.Kill()
	}
	go func() {
		defer close(killed)
		s.client.Kill() // may hang as long as the process does
		<-s.process.Done()
	}()
	if within(killed, s.timing.stopWithin) {
		return true
	}
	s.process.Kill()
	return within(killed, s.timing.killWithin)
}

func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
