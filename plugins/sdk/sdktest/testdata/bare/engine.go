package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// engine remembers its runs in a folder, a file each.
type engine struct {
	enginev1.UnimplementedEngineServiceServer
	folder string

	mu     sync.Mutex
	runs   map[string]*run
	open   []*stream          // those that live, the newest last
	on     map[string]*stream // where a key was started
	opened int
}

func newEngine() *engine { return &engine{runs: map[string]*run{}, on: map[string]*stream{}} }

// keepsRuns: runs outlive their stream. That they need not is no defect.
func keepsRuns() bool { return !defect("no-get") && !defect("goes-on") && !defect("goes-on-quietly") }

var workflows = []string{"quick", "slow", "ask"}

func (e *engine) Describe(context.Context, *enginev1.DescribeRequest) (*enginev1.DescribeResponse, error) {
	d := &enginev1.DescribeResponse{Name: "bare", Version: "1", Abilities: []enginev1.Ability{
		enginev1.Ability_ABILITY_CHECK, enginev1.Ability_ABILITY_ANSWER}}
	if keepsRuns() {
		d.Abilities = append(d.Abilities, enginev1.Ability_ABILITY_GET)
	}
	for _, name := range workflows {
		d.Workflows = append(d.Workflows, &enginev1.Workflow{Name: name})
	}
	if defect("nameless") {
		d.Name = ""
	}
	if defect("listed-twice") {
		d.Workflows = append(d.Workflows, d.Workflows[0])
	}
	return d, nil
}

func (e *engine) Configure(_ context.Context, m *enginev1.ConfigureRequest) (*enginev1.ConfigureResponse, error) {
	var config struct{ Greeting, Greting string }
	if err := json.Unmarshal(m.Config, &config); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	e.folder = m.BaseDir
	problem := &enginev1.Problem{Path: []string{"greting"}, Message: "unknown key"}
	switch {
	case defect("wordless"):
		problem.Message = ""
	case defect("picky"):
		return &enginev1.ConfigureResponse{Problems: []*enginev1.Problem{problem}}, nil
	case defect("credulous"):
		return &enginev1.ConfigureResponse{}, nil
	}
	if config.Greting != "" {
		return &enginev1.ConfigureResponse{Problems: []*enginev1.Problem{problem}}, nil
	}
	return &enginev1.ConfigureResponse{}, nil
}

func (e *engine) Check(_ context.Context, m *enginev1.CheckRequest) (*enginev1.CheckResponse, error) {
	for _, name := range workflows {
		if (name == m.Workflow || defect("takes-any-route")) && !defect("takes-no-route") {
			return &enginev1.CheckResponse{}, nil
		}
	}
	return &enginev1.CheckResponse{Problems: []*enginev1.Problem{{Message: "unknown workflow"}}}, nil
}

func (e *engine) Get(_ context.Context, m *enginev1.GetRequest) (*enginev1.GetResponse, error) {
	runningNow := &enginev1.GetResponse{State: &enginev1.GetResponse_Running{Running: &enginev1.Running{}}}
	succeeded := &enginev1.GetResponse{State: &enginev1.GetResponse_Succeeded{Succeeded: &enginev1.Succeeded{}}}
	e.mu.Lock()
	r := e.runs[m.Key]
	e.mu.Unlock()
	state := e.recall(m.Key)
	switch {
	case defect("goes-on-quietly"):
	case r != nil && defect("hopeful"):
		return succeeded, nil
	case state == "waiting":
		return &enginev1.GetResponse{State: &enginev1.GetResponse_Waiting{Waiting: &enginev1.Waiting{Prompt: "well?"}}}, nil
	case r != nil, state == "" && defect("knows-all"), state == "succeeded" && defect("never-done"):
		return runningNow, nil
	case state == "succeeded":
		return succeeded, nil
	}
	return &enginev1.GetResponse{State: &enginev1.GetResponse_Unknown{Unknown: &enginev1.Unknown{}}}, nil
}

func (e *engine) recall(key string) string {
	text, _ := os.ReadFile(filepath.Join(e.folder, "key-"+key))
	return string(text)
}

func (e *engine) remember(key, state string) {
	if err := os.WriteFile(filepath.Join(e.folder, "key-"+key), []byte(state), 0o600); err != nil {
		panic(err)
	}
}
