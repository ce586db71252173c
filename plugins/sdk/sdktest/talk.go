package sdktest

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

// talk is one Run stream.
type talk struct {
	nonce  string // before every key on the stream
	stream enginev1.EngineService_RunClient
	cancel context.CancelFunc
	heard  chan *enginev1.RunUpdate // closed when the stream ends
	err    error                    // why it ended; read after heard is closed
}

func (p *process) talk(ctx context.Context) (*talk, error) { return newTalk(ctx, p, p.nonce) }

func newTalk(ctx context.Context, engine enginev1.EngineServiceClient, nonce string) (*talk, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := engine.Run(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	t := &talk{nonce: nonce, stream: stream, cancel: cancel, heard: make(chan *enginev1.RunUpdate, 1024)}
	go t.listen()
	return t, nil
}

func (t *talk) listen() {
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

var errQuiet = errors.New("no update")

// next is the next update; errQuiet when none comes in time.
func (t *talk) next(limit time.Duration) (*enginev1.RunUpdate, error) {
	select {
	case m, ok := <-t.heard:
		if !ok {
			return nil, fmt.Errorf("stream ended: %w", t.err)
		}
		return m, nil
	case <-time.After(limit):
		return nil, fmt.Errorf("%w within %s", errQuiet, limit)
	}
}

// runTimeout is what a workflow that succeeds soon may take.
const runTimeout = 20 * time.Second

// end reads updates up to the end of a run with this key.
func (t *talk) end(key string, limit time.Duration) (*enginev1.RunUpdate, error) {
	until := time.Now().Add(limit)
	for {
		m, err := t.next(time.Until(until))
		if err != nil {
			return nil, fmt.Errorf("run %q: %w", key, err)
		}
		if m.Key != key {
			return nil, fmt.Errorf("run %q: an update for another key: %q", key, m.Key)
		}
		if ends(m) {
			return m, nil
		}
	}
}

func ends(m *enginev1.RunUpdate) bool {
	return m.GetSucceeded() != nil || m.GetFailed() != nil
}

// start sends a Start.
func (t *talk) start(key, workflow string, input []byte, change ...func(*enginev1.Start)) error {
	return t.send(startCommand(key, workflow, input, change...))
}

// startCommand is a Start. The event is the same for all trials.
func startCommand(key, workflow string, input []byte, change ...func(*enginev1.Start)) *enginev1.Command {
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

func cancelCommand(key string) *enginev1.Command {
	return &enginev1.Command{Command: &enginev1.Command_Cancel{Cancel: &enginev1.Cancel{Key: key, Reason: "sdktest"}}}
}

// send sends commands in one message.
func (t *talk) send(commands ...*enginev1.Command) error {
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

// succeed starts a run and wants its success.
func (t *talk) succeed(key string, o Options, change ...func(*enginev1.Start)) error {
	if err := t.start(key, o.Workflow, o.Input, change...); err != nil {
		return err
	}
	m, err := t.end(key, runTimeout)
	if err != nil {
		return err
	}
	return succeeded(m)
}

func succeeded(m *enginev1.RunUpdate) error {
	if f := m.GetFailed(); f != nil {
		return fmt.Errorf("run %q failed (%s): %s", m.Key, f.Kind, f.Message)
	}
	if out := m.GetSucceeded().GetOutput(); len(out) > 0 && !json.Valid(out) {
		return fmt.Errorf("run %q: output is not JSON: %.80q", m.Key, out)
	}
	return nil
}

// failed wants a failure that may be tried again.
func failed(m *enginev1.RunUpdate) error {
	f := m.GetFailed()
	if f == nil {
		return errors.New("the run succeeded")
	}
	if f.Kind == enginev1.FailureKind_FAILURE_KIND_PERMANENT {
		return fmt.Errorf("failed for good, which is wrong: %s", f.Message)
	}
	return nil
}
