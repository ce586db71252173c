package engine

import (
	"sync"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// runs is the memory of the engine under test.
type runs struct {
	mu     sync.Mutex
	stream enginev1.EngineService_RunServer
	live   map[string]bool
	ended  map[string]*enginev1.RunUpdate
}

func (r *runs) open(stream enginev1.EngineService_RunServer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stream = stream
	r.live, r.ended = make(map[string]bool), make(map[string]*enginev1.RunUpdate)
}

func (r *runs) begin(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[key] = true
}

func (r *runs) send(key string, update any) {
	m := &enginev1.RunUpdate{Key: key}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch u := update.(type) {
	case *enginev1.RunUpdate_Accepted:
		m.Update = u
	case *enginev1.RunUpdate_Progress:
		m.Update = u
	case *enginev1.RunUpdate_Waiting:
		m.Update = u
	case *enginev1.RunUpdate_Succeeded:
		m.Update = u
		delete(r.live, key)
		if key[0] == '#' { // others are not remembered: benchmarks make many
			r.ended[key] = m
		}
	case *enginev1.RunUpdate_Failed:
		m.Update = u
		delete(r.live, key)
	}
	_ = r.stream.Send(&enginev1.RunResponse{Updates: []*enginev1.RunUpdate{m}})
}

func (r *runs) succeed(key string, output []byte) {
	r.send(key, &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{Output: output}})
}

func (r *runs) fail(key, message string, kind enginev1.FailureKind) {
	r.send(key, &enginev1.RunUpdate_Failed{Failed: &enginev1.Failed{Message: message, Kind: kind}})
}

func (r *runs) get(key string) *enginev1.GetResponse {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live[key] {
		return &enginev1.GetResponse{State: &enginev1.GetResponse_Running{Running: &enginev1.Running{RunId: "run-" + key}}}
	}
	if m, ok := r.ended[key]; ok {
		return &enginev1.GetResponse{State: &enginev1.GetResponse_Succeeded{Succeeded: m.GetSucceeded()}}
	}
	return &enginev1.GetResponse{State: &enginev1.GetResponse_Unknown{Unknown: &enginev1.Unknown{}}}
}
