package sdk

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// fakeStream is the gateway's end of a Run call, without a wire.
type fakeStream struct {
	grpc.ServerStream
	ctx    context.Context
	cancel context.CancelFunc
	in     chan *enginev1.RunRequest
	out    chan *enginev1.RunUpdate
	done   chan struct{} // closed when the handler has returned

	messages atomic.Int64 // sent
}

func (f *fakeStream) Context() context.Context { return f.ctx }

func (f *fakeStream) Recv() (*enginev1.RunRequest, error) { panic("not used") }

func (f *fakeStream) RecvMsg(into any) error {
	select {
	case m, ok := <-f.in:
		if !ok {
			return io.EOF
		}
		wire, err := proto.Marshal(m)
		if err != nil {
			return err
		}
		return message.NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, into)
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

func (f *fakeStream) Send(*enginev1.RunResponse) error { panic("not used") }

func (f *fakeStream) SendMsg(sent any) error {
	wire, err := message.NewCodec().Marshal(sent)
	if err != nil {
		return err
	}
	m := &enginev1.RunResponse{}
	if err := proto.Unmarshal(wire.Materialize(), m); err != nil {
		return err
	}
	f.messages.Add(1)
	for _, update := range m.Updates {
		select {
		case f.out <- update:
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
	return nil
}

func newFakeStream() *fakeStream {
	f := &fakeStream{
		in: make(chan *enginev1.RunRequest), out: make(chan *enginev1.RunUpdate, 64), done: make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// connect opens a stream to s. Call it in a synctest bubble.
func connect(s *service) *fakeStream {
	f := newFakeStream()
	go func() {
		defer close(f.done)
		_ = s.Run(f)
	}()
	synctest.Wait()
	return f
}

// drop breaks the stream and waits until the service has noticed.
func (f *fakeStream) drop() {
	f.cancel()
	synctest.Wait()
}

func (f *fakeStream) start(key string, change ...func(*enginev1.Start)) {
	m := &enginev1.Start{Key: key, Workflow: "w", Attempt: 1}
	for _, c := range change {
		c(m)
	}
	f.say(&enginev1.Command{Command: &enginev1.Command_Start{Start: m}})
}

// say sends commands in one message.
func (f *fakeStream) say(commands ...*enginev1.Command) {
	f.in <- &enginev1.RunRequest{Commands: commands}
	synctest.Wait()
}

func (f *fakeStream) cancelRun(key string) {
	f.say(&enginev1.Command{Command: &enginev1.Command_Cancel{
		Cancel: &enginev1.Cancel{Key: key, Reason: "a test"},
	}})
}

func (f *fakeStream) answer(key, input string) {
	f.say(&enginev1.Command{Command: &enginev1.Command_Answer{
		Answer: &enginev1.Answer{Key: key, Input: []byte(input)},
	}})
}

// heard are the updates that have come since the last call, in short form.
func (f *fakeStream) heard() []string {
	synctest.Wait()
	var out []string
	for {
		select {
		case m := <-f.out:
			out = append(out, short(m))
		default:
			return out
		}
	}
}

func short(m *enginev1.RunUpdate) string {
	switch u := m.Update.(type) {
	case *enginev1.RunUpdate_Accepted:
		return m.Key + " accepted " + u.Accepted.RunId
	case *enginev1.RunUpdate_Progress:
		return m.Key + " progress " + u.Progress.Step
	case *enginev1.RunUpdate_Waiting:
		return m.Key + " waiting " + u.Waiting.Prompt
	case *enginev1.RunUpdate_Succeeded:
		return m.Key + " succeeded " + string(u.Succeeded.Output)
	case *enginev1.RunUpdate_Failed:
		return m.Key + " " + kinds[u.Failed.Kind] + " " + u.Failed.Message
	}
	return m.Key + " nothing"
}

var kinds = map[enginev1.FailureKind]string{
	enginev1.FailureKind_FAILURE_KIND_RETRYABLE: "retryable",
	enginev1.FailureKind_FAILURE_KIND_PERMANENT: "permanent",
	enginev1.FailureKind_FAILURE_KIND_THROTTLED: "throttled",
}

// serve runs a test against a service in a bubble, and wants its end clean.
func serve(t *testing.T, engine Engine, test func(t *testing.T, s *service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if e, ok := engine.(interface{ enter() }); ok {
			e.enter()
		}
		s := newService(engine, 1<<20)
		test(t, s)
		s.runs.close(stopGrace)
		synctest.Wait()
		if n := len(s.runs.live); n > 0 {
			t.Errorf("%d runs are left", n)
		}
	})
}
