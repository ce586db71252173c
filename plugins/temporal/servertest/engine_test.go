package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// engine is one process of the engine, with a stream to it.
type engine struct {
	enginev1.EngineServiceClient
	t      *testing.T
	cmd    *exec.Cmd
	client *plugin.Client
	log    *words
	stream enginev1.EngineService_RunClient
	heard  chan *enginev1.RunUpdate
}

// configured starts the engine with `workflows:`, at a Temporal that is at
// address; empty is the server.
func configured(t *testing.T, address, workflows string) *engine {
	t.Helper()
	if address == "" {
		address = the.server.GetFrontendHostPort()
	}
	return started(t, fmt.Sprintf(`{"address":%q,"namespace":%q,"task_queue":%q,"workflows":%s}`,
		address, the.server.GetDefaultNamespace(), queue, workflows))
}

func started(t *testing.T, config string) *engine {
	t.Helper()
	e := &engine{t: t, cmd: exec.Command(the.engine), log: &words{}, heard: make(chan *enginev1.RunUpdate, 64)}
	e.cmd.Env = noRaceSleep()
	e.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake(), VersionedPlugins: wire.Plugins(nil), Cmd: e.cmd, AutoMTLS: true, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Stderr: e.log,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
	})
	t.Cleanup(e.end)
	conn, err := e.client.Client()
	if err != nil {
		t.Fatal(err)
	}
	service, err := conn.Dispense(wire.Name)
	if err != nil {
		t.Fatal(err)
	}
	e.EngineServiceClient = service.(enginev1.EngineServiceClient)
	out, err := e.Configure(t.Context(), &enginev1.ConfigureRequest{Config: []byte(config)})
	if err != nil || len(out.Problems) > 0 {
		t.Fatalf("configure: %v %v", err, out)
	}
	if e.stream, err = e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	go e.listen()
	return e
}

// noRaceSleep keeps the race detector from sleeping a second at every exit.
func noRaceSleep() []string { return []string{"GORACE=atexit_sleep_ms=0"} }

func (e *engine) listen() {
	defer close(e.heard)
	for {
		m, err := e.stream.Recv()
		if err != nil {
			return
		}
		for _, update := range m.Updates {
			e.heard <- update
		}
	}
}

// end stops the engine, and wants that the race detector has kept silent.
func (e *engine) end() {
	e.client.Kill()
	if said := e.log.String(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic:") || e.t.Failed() {
		e.t.Errorf("the engine said:\n%s", said)
	}
}

// kill is SIGKILL.
func (e *engine) kill() {
	e.t.Helper()
	if err := e.cmd.Process.Kill(); err != nil {
		e.t.Fatal(err)
	}
	for range e.heard { // until the stream breaks
	}
}

// call is a Start as the gateway makes it.
type call struct {
	key, workflow, input string
	attempt              int32
	deadline             time.Duration
	change               func(*enginev1.Start)
}

func (e *engine) start(c call) {
	e.t.Helper()
	m := &enginev1.Start{
		Key: c.key, Workflow: c.workflow, Input: []byte(c.input), Attempt: max(c.attempt, 1),
		Event: &enginev1.Event{
			Id: "event-" + c.key, Source: "/webhooks/shop", Type: "order.placed", Subject: "17", Time: timestamppb.Now(),
			Datacontenttype: "application/json", Body: []byte(`{"order":17}`),
			Extensions: []*enginev1.Attribute{{Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		},
	}
	if c.deadline > 0 {
		m.Deadline = timestamppb.New(time.Now().Add(c.deadline))
	}
	if c.change != nil {
		c.change(m)
	}
	e.send(&enginev1.Command{Command: &enginev1.Command_Start{Start: m}})
}

func (e *engine) cancel(key string) {
	e.t.Helper()
	e.send(&enginev1.Command{Command: &enginev1.Command_Cancel{Cancel: &enginev1.Cancel{Key: key, Reason: "discarded"}}})
}

func (e *engine) send(c *enginev1.Command) {
	e.t.Helper()
	if err := e.stream.Send(&enginev1.RunRequest{Commands: []*enginev1.Command{c}}); err != nil {
		e.t.Fatal(err)
	}
}

// patience is for what should come soon.
const patience = 30 * time.Second

// next is the next update in short form, with its run id or its output apart.
func (e *engine) next() (kind, text string) {
	e.t.Helper()
	select {
	case m, ok := <-e.heard:
		if !ok {
			e.t.Fatal("the stream ended")
		}
		switch u := m.Update.(type) {
		case *enginev1.RunUpdate_Accepted:
			return "accepted", u.Accepted.RunId
		case *enginev1.RunUpdate_Succeeded:
			return "succeeded", string(u.Succeeded.Output)
		case *enginev1.RunUpdate_Failed:
			return strings.ToLower(strings.TrimPrefix(u.Failed.Kind.String(), "FAILURE_KIND_")), u.Failed.Message
		}
		e.t.Fatalf("unexpected %v", m)
	case <-time.After(patience):
		e.t.Fatalf("no update within %s", patience)
	}
	return "", ""
}

// accepted is the id of the run that was just accepted.
func (e *engine) accepted() string {
	e.t.Helper()
	kind, text := e.next()
	if kind != "accepted" {
		e.t.Fatalf("%s %s, want accepted", kind, text)
	}
	return text
}

// ends wants the end of a run.
func (e *engine) ends(kind, text string) {
	e.t.Helper()
	got, said := e.next()
	for got == "accepted" {
		got, said = e.next()
	}
	if got != kind || !strings.Contains(said, text) {
		e.t.Errorf("got  %s: %s\nwant %s: %s", got, said, kind, text)
	}
}

// handed is the output of a run that does not wait.
type handed struct {
	WorkflowID     string `json:"workflow_id"`
	RunID          string `json:"run_id"`
	AlreadyStarted bool   `json:"already_started"`
}

func (e *engine) handed() (h handed) {
	e.t.Helper()
	kind, text := e.next()
	if err := json.Unmarshal([]byte(text), &h); kind != "succeeded" || err != nil {
		e.t.Fatalf("%s: %s", kind, text)
	}
	return h
}

// state is what Get says.
func (e *engine) state(key, runID string) (kind, text string) {
	e.t.Helper()
	m, err := e.Get(e.t.Context(), &enginev1.GetRequest{Key: key, RunId: runID})
	if err != nil {
		e.t.Fatal(err)
	}
	switch s := m.State.(type) {
	case *enginev1.GetResponse_Running:
		return "running", s.Running.RunId
	case *enginev1.GetResponse_Succeeded:
		return "succeeded", string(s.Succeeded.Output)
	case *enginev1.GetResponse_Failed:
		return strings.ToLower(strings.TrimPrefix(s.Failed.Kind.String(), "FAILURE_KIND_")), s.Failed.Message
	}
	return "unknown", ""
}

// words are what the engine logs.
type words struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

// until polls until a condition holds; what says what was waited for.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
