package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Talk is one Run stream.
type Talk struct {
	nonce  string // before every key on the stream
	stream enginev1.EngineService_RunClient
	// Break ends it as a gateway does that is killed.
	Break context.CancelFunc
	heard chan *enginev1.RunUpdate // closed when the stream ends
	err   error                    // why it ended; read after heard is closed
}

// Talk opens a stream.
func (p *Process) Talk(ctx context.Context) (*Talk, error) { return NewTalk(ctx, p, p.nonce) }

// NewTalk opens a stream on which a nonce stands before every key.
func NewTalk(ctx context.Context, engine enginev1.EngineServiceClient, nonce string) (*Talk, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := engine.Run(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	t := &Talk{nonce: nonce, stream: stream, Break: cancel, heard: make(chan *enginev1.RunUpdate, 1024)}
	go t.listen()
	return t, nil
}

func (t *Talk) listen() {
	defer close(t.heard)
	for {
		m, err := t.stream.Recv()
		if err != nil {
			t.err = err
			return
		}
		for _, update := range m.Updates {
			update.Key = strings.TrimPrefix(update.Key, t.nonce)
			t.heard <- update
		}
	}
}

// ErrQuiet is that there is no update.
var ErrQuiet = errors.New("no update")

// Next is the next update; ErrQuiet when none comes in time.
func (t *Talk) Next(limit time.Duration) (*enginev1.RunUpdate, error) {
	select {
	case m, ok := <-t.heard:
		if !ok {
			return nil, fmt.Errorf("stream ended: %w", t.err)
		}
		return m, nil
	case <-time.After(limit):
		return nil, fmt.Errorf("%w within %s", ErrQuiet, limit)
	}
}

// RunTimeout is what a workflow that succeeds soon may take.
const RunTimeout = 20 * time.Second

// End reads updates up to the end of a run with this key.
func (t *Talk) End(key string, limit time.Duration) (*enginev1.RunUpdate, error) {
	until := time.Now().Add(limit)
	for {
		m, err := t.Next(time.Until(until))
		if err != nil {
			return nil, fmt.Errorf("run %q: %w", key, err)
		}
		if m.Key != key {
			return nil, fmt.Errorf("run %q: an update for another key: %q", key, m.Key)
		}
		if Ends(m) {
			return m, nil
		}
	}
}

// Ends tells whether an update is the end of its run.
func Ends(m *enginev1.RunUpdate) bool {
	return m.GetSucceeded() != nil || m.GetFailed() != nil
}

// Start sends a Start.
func (t *Talk) Start(key, workflow string, input []byte, change ...func(*enginev1.Start)) error {
	return t.Send(StartCommand(key, workflow, input, change...))
}

// StartCommand is a Start. The event is the same for all trials.
func StartCommand(key, workflow string, input []byte, change ...func(*enginev1.Start)) *enginev1.Command {
	now := timestamppb.Now()
	m := &enginev1.Start{
		Key: key, Workflow: workflow, Input: input, Attempt: 1, FirstAttemptAt: now,
		Event: &enginev1.Event{
			Id: "event-" + key, Source: "/webhooks/sdktest", Type: "sdktest.tried", Time: now,
			Datacontenttype: "application/json", Body: []byte(`{"tried":true}`),
			Headers:    []*enginev1.Attribute{{Name: "user-agent", Value: "sdktest"}},
			Extensions: []*enginev1.Attribute{{Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		},
	}
	for _, c := range change {
		c(m)
	}
	return &enginev1.Command{Command: &enginev1.Command_Start{Start: m}}
}

// CancelCommand is a Cancel.
func CancelCommand(key string) *enginev1.Command {
	return &enginev1.Command{Command: &enginev1.Command_Cancel{Cancel: &enginev1.Cancel{Key: key, Reason: "sdktest"}}}
}

// AnswerCommand is an Answer; no input is null.
func AnswerCommand(key string, input json.RawMessage) *enginev1.Command {
	if len(input) == 0 {
		input = json.RawMessage("null")
	}
	return &enginev1.Command{Command: &enginev1.Command_Answer{Answer: &enginev1.Answer{Key: key, Input: input}}}
}

// Send sends commands in one message.
func (t *Talk) Send(commands ...*enginev1.Command) error {
	for _, c := range commands {
		switch c := c.Command.(type) {
		case *enginev1.Command_Start:
			c.Start.Key = t.nonce + c.Start.Key
		case *enginev1.Command_Cancel:
			c.Cancel.Key = t.nonce + c.Cancel.Key
		case *enginev1.Command_Answer:
			c.Answer.Key = t.nonce + c.Answer.Key
		}
	}
	return t.stream.Send(&enginev1.RunRequest{Commands: commands})
}

// Succeeded wants a run's success, with an output that is JSON.
func Succeeded(m *enginev1.RunUpdate) error {
	if f := m.GetFailed(); f != nil {
		return fmt.Errorf("run %q failed (%s): %s", m.Key, f.Kind, f.Message)
	}
	if out := m.GetSucceeded().GetOutput(); len(out) > 0 && !json.Valid(out) {
		return fmt.Errorf("run %q: output is not JSON: %.80q", m.Key, out)
	}
	return nil
}

// Failed wants a failure that may be tried again.
func Failed(m *enginev1.RunUpdate) error {
	f := m.GetFailed()
	if f == nil {
		return errors.New("the run succeeded")
	}
	if f.Kind == enginev1.FailureKind_FAILURE_KIND_PERMANENT {
		return fmt.Errorf("failed for good, which is wrong: %s", f.Message)
	}
	return nil
}
