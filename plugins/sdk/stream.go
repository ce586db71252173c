package sdk

import (
	"context"
	"errors"
	"io"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Run reads one stream to its end. When the gateway closes its half, it gets
// the ends of the runs that are under way; when it is gone, they are stopped
// or, if the engine can be asked for them later, left alone.
func (s *service) Run(out enginev1.EngineService_RunServer) error {
	st := s.runs.open(out)
	defer s.runs.end(st)
	for {
		m, err := out.Recv()
		if errors.Is(err, io.EOF) {
			st.wait(out.Context())
			return nil
		}
		if err != nil {
			return nil // the status of a stream that nobody reads
		}
		s.handle(st, m)
	}
}

func (s *service) handle(st *stream, m *enginev1.RunRequest) {
	switch m := m.Message.(type) {
	case *enginev1.RunRequest_Start:
		s.runs.start(st, newRun(m.Start), s.run)
	case *enginev1.RunRequest_Cancel:
		cause := "cancelled by the gateway"
		if m.Cancel.Reason != "" {
			cause += ": " + m.Cancel.Reason
		}
		s.runs.stopKey(m.Cancel.Key, errors.New(cause))
	case *enginev1.RunRequest_Answer:
		if !s.runs.answer(m.Answer.Key, m.Answer.Input) {
			s.runs.start(st, answeredRun(m.Answer), s.answer)
		}
	}
}

func newRun(m *enginev1.Start) *run {
	r := &run{request: Request{
		Key:      m.Key,
		Workflow: m.Workflow,
		Attempt:  int(m.Attempt),
		Input:    m.Input,
	}}
	if m.Deadline != nil {
		r.request.Deadline = m.Deadline.AsTime()
	}
	if m.FirstAttemptAt != nil {
		r.request.FirstAttemptAt = m.FirstAttemptAt.AsTime()
	}
	if m.Event != nil {
		fillEvent(&r.request.Event, m.Event)
	}
	return r
}

func fillEvent(e *Event, m *enginev1.Event) {
	e.ID, e.Source, e.Type, e.Subject = m.Id, m.Source, m.Type, m.Subject
	e.ContentType, e.Body, e.data = m.Datacontenttype, m.Body, m.Data
	e.Headers, e.Query, e.Extensions = m.Headers, m.Query, m.Extensions
	if m.Time != nil {
		e.Time = m.Time.AsTime()
	}
}

func answeredRun(m *enginev1.Answer) *run {
	return &run{request: Request{Key: m.Key, Input: m.Input}}
}

// run asks the engine to run.
func (s *service) run(ctx context.Context, r *run) *enginev1.RunResponse {
	if r.request.Key == "" {
		return &enginev1.RunResponse{Update: failed(ctx, Permanent(errors.New("start without a key")))}
	}
	result, err := s.engine.Run(ctx, &r.request)
	return s.ended(ctx, result, err)
}

// answer asks the engine to go on with a run that waited before the engine
// was started again.
func (s *service) answer(ctx context.Context, r *run) *enginev1.RunResponse {
	answerer, ok := s.engine.(Answerer)
	if !ok {
		err := errors.New("no run with this key waits for an answer: the engine was started again since")
		return &enginev1.RunResponse{Update: failed(ctx, err)}
	}
	result, err := answerer.Answer(ctx, &r.request)
	return s.ended(ctx, result, err)
}

func (s *service) ended(ctx context.Context, result Result, err error) *enginev1.RunResponse {
	var output []byte
	if err == nil {
		output, err = encode(result.Output, s.limit)
	}
	if err != nil {
		return &enginev1.RunResponse{Update: failed(ctx, err)}
	}
	return &enginev1.RunResponse{Update: &enginev1.RunResponse_Succeeded{
		Succeeded: &enginev1.Succeeded{Output: output},
	}}
}
