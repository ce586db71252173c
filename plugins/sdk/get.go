package sdk

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Get tells what became of a run. One that is under way in this process is
// known without asking the author; one that the author knows to be running
// somewhere else is followed to its end.
func (s *service) Get(ctx context.Context, m *enginev1.GetRequest) (*enginev1.GetResponse, error) {
	if here := s.runs.get(m.Key); here != nil {
		return here, nil
	}
	getter, ok := s.engine.(Getter)
	if !ok {
		return &enginev1.GetResponse{State: &enginev1.GetResponse_Unknown{Unknown: &enginev1.Unknown{}}}, nil
	}
	state, err := getter.Get(ctx, m.Key, m.RunId)
	if err != nil {
		return nil, status.Error(codes.Unavailable, text(err.Error()))
	}
	if state.Status == Running {
		s.follow(m.Key, state.RunID)
	}
	return s.got(ctx, state), nil
}

// get is the state of a run under way; nil without one, and for one that is
// being stopped: it will not be known in a moment.
func (rs *runs) get(key string) *enginev1.GetResponse {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.live[key]
	switch {
	case r == nil || r.stopping:
		return nil
	case r.prompt != nil:
		return &enginev1.GetResponse{State: &enginev1.GetResponse_Waiting{Waiting: r.prompt}}
	default:
		return runningState(r.runID)
	}
}

func runningState(runID string) *enginev1.GetResponse {
	return &enginev1.GetResponse{State: &enginev1.GetResponse_Running{Running: &enginev1.Running{RunId: runID}}}
}

func (s *service) got(ctx context.Context, state State) *enginev1.GetResponse {
	switch state.Status {
	case Running:
		return runningState(text(state.RunID))
	case Waiting:
		return &enginev1.GetResponse{State: &enginev1.GetResponse_Waiting{Waiting: waiting(state.Prompt)}}
	case Succeeded, Failed:
		switch end := s.ended(ctx, state.Result, state.failure()).Update.(type) {
		case *enginev1.RunUpdate_Succeeded:
			return &enginev1.GetResponse{State: &enginev1.GetResponse_Succeeded{Succeeded: end.Succeeded}}
		case *enginev1.RunUpdate_Failed:
			return &enginev1.GetResponse{State: &enginev1.GetResponse_Failed{Failed: end.Failed}}
		}
	}
	return &enginev1.GetResponse{State: &enginev1.GetResponse_Unknown{Unknown: &enginev1.Unknown{}}}
}

// failure is the error of a state, which is never nil when it has failed.
func (s *State) failure() error {
	if s.Status == Failed && s.Err == nil {
		return errors.New("failed")
	}
	return s.Err
}

// A run is asked for after a second, then less and less often.
const (
	firstLook = time.Second
	lastLook  = 15 * time.Second
)

// follow makes a run that goes on elsewhere one that is under way here, so
// that its end comes on the stream.
func (s *service) follow(key, runID string) {
	r := &run{request: Request{Key: key}, runID: text(runID)}
	s.runs.start(s.runs.latest(), r, s.look)
}

func (rs *runs) latest() *stream {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.newest
}

func (s *service) look(ctx context.Context, r *run) *enginev1.RunUpdate {
	if follower, ok := s.engine.(Follower); ok {
		result, err := follower.Follow(ctx, &r.request, r.runID)
		return s.ended(ctx, result, err)
	}
	getter := s.engine.(Getter)
	for pause := firstLook; ; pause = min(pause*2, lastLook) {
		select {
		case <-ctx.Done():
			return &enginev1.RunUpdate{Update: failed(ctx, ctx.Err())}
		case <-time.After(pause):
		}
		state, err := getter.Get(ctx, r.request.Key, r.runID)
		if err != nil || state.Status == Running {
			continue
		}
		return s.looked(ctx, state)
	}
}

// looked is the last update of a run that was followed.
func (s *service) looked(ctx context.Context, state State) *enginev1.RunUpdate {
	switch state.Status {
	case Waiting:
		return &enginev1.RunUpdate{Update: &enginev1.RunUpdate_Waiting{Waiting: waiting(state.Prompt)}}
	case Unknown:
		return &enginev1.RunUpdate{Update: failed(ctx, errors.New("the run was lost"))}
	}
	return s.ended(ctx, state.Result, state.failure())
}
