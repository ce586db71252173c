package sdk

import (
	"context"
	"errors"
	"io"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Run reads one stream to its end. When the gateway closes its half, it gets
// the ends of the runs that are under way; when it is gone, they are stopped
// or, if the engine can be asked for them later, left alone.
func (s *service) Run(out enginev1.EngineService_RunServer) error {
	st := s.runs.open(out)
	defer s.runs.end(st)
	var m message.Commands
	for {
		err := out.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			st.wait(out.Context())
			return nil
		}
		if err != nil {
			return nil // the status of a stream that nobody reads
		}
		for i := range m {
			s.handle(st, &m[i])
		}
		clear(m) // an engine without work keeps no bodies
	}
}

func (s *service) handle(st *stream, c *message.Command) {
	if c.Other == nil {
		s.runs.start(st, newRun(&c.Start), s.run)
		return
	}
	switch m := c.Other.Command.(type) {
	case *enginev1.Command_Cancel:
		cause := "cancelled by the gateway"
		if m.Cancel.Reason != "" {
			cause += ": " + m.Cancel.Reason
		}
		s.runs.stopKey(st, m.Cancel.Key, errors.New(cause))
	case *enginev1.Command_Answer:
		if !s.runs.answer(st, m.Answer.Key, m.Answer.Input) {
			s.runs.start(st, answeredRun(m.Answer), s.answer)
		}
	}
}

func newRun(m *message.Start) *run {
	e := &m.Event
	return &run{request: Request{
		Key:            m.Key,
		Workflow:       m.Workflow,
		Attempt:        m.Attempt,
		Deadline:       m.Deadline,
		FirstAttemptAt: m.FirstAttemptAt,
		Event: Event{ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: e.Time,
			ContentType: e.ContentType, Headers: e.Headers, Query: e.Query, Extensions: e.Extensions,
			Body: e.Body, data: e.Data},
		Input: m.Input,
	}}
}

func answeredRun(m *enginev1.Answer) *run {
	return &run{request: Request{Key: m.Key, Input: m.Input}}
}

// run asks the engine to run.
func (s *service) run(ctx context.Context, r *run) *enginev1.RunUpdate {
	if r.request.Key == "" {
		return &enginev1.RunUpdate{Update: failed(ctx, Permanent(errors.New("start without a key")))}
	}
	result, err := s.engine.Run(ctx, &r.request)
	return s.ended(ctx, result, err)
}

// answer asks the engine to go on with a run that waited before the engine
// was started again.
func (s *service) answer(ctx context.Context, r *run) *enginev1.RunUpdate {
	answerer, ok := s.engine.(Answerer)
	if !ok {
		err := errors.New("no run with this key waits for an answer: the engine was started again since")
		return &enginev1.RunUpdate{Update: failed(ctx, err)}
	}
	result, err := answerer.Answer(ctx, &r.request)
	return s.ended(ctx, result, err)
}

func (s *service) ended(ctx context.Context, result Result, err error) *enginev1.RunUpdate {
	var output []byte
	if err == nil {
		output, err = encode(result.Output, s.limit)
	}
	if err != nil {
		return &enginev1.RunUpdate{Update: failed(ctx, err)}
	}
	return succeeded(output)
}

// success is the update of nearly every run, in one piece of memory.
type success struct {
	update enginev1.RunUpdate
	kind   enginev1.RunUpdate_Succeeded
	end    enginev1.Succeeded
}

func succeeded(output []byte) *enginev1.RunUpdate {
	m := &success{}
	m.update.Update, m.kind.Succeeded, m.end.Output = &m.kind, &m.end, output
	return &m.update
}
