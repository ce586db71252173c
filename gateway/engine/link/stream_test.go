package link

import (
	"io"
	"strconv"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/plugins/sdk/batch"
	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// wireless is a stream without a wire. Its engine answers what it has read
// when the test has said all.
type wireless struct {
	grpc.ClientStream
	t    *testing.T
	want int // commands
	read []string
	back chan *enginev1.RunResponse
}

func (w *wireless) Send(*enginev1.RunRequest) error { panic("not used") }

func (w *wireless) SendMsg(sent any) error {
	encoded, _ := sent.(message.Encoded)
	m := &enginev1.RunRequest{}
	if err := proto.Unmarshal(encoded, m); err != nil {
		return err
	}
	if n, size := len(m.Commands), proto.Size(m); n == 0 || n > 1 && size > batch.MaxBytes || n > batch.MaxLen {
		w.t.Errorf("a message of %d commands, %d bytes", n, size)
	}
	answer := &enginev1.RunResponse{}
	for _, c := range m.Commands {
		key := c.GetStart().GetKey()
		w.read = append(w.read, key)
		answer.Updates = append(answer.Updates, &enginev1.RunUpdate{Key: key,
			Update: &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{}}})
	}
	w.back <- answer
	if len(w.read) == w.want {
		close(w.back)
	}
	return nil
}

func (w *wireless) Recv() (*enginev1.RunResponse, error) { panic("not used") }

func (w *wireless) RecvMsg(m any) error {
	next, ok := <-w.back
	if !ok {
		return io.EOF
	}
	encoded, err := proto.Marshal(next)
	if err != nil {
		return err
	}
	return message.NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(encoded)}, m)
}

// TestManyTravelTogether: small and large, each comes once and in its turn.
func TestManyTravelTogether(t *testing.T) {
	t.Parallel()
	const n = 2000
	w := &wireless{t: t, want: n, back: make(chan *enginev1.RunResponse, n)}
	l := New(nil, "test", "test", 1<<20)
	l.stream, l.cancel = w, func() {}
	ended := 0
	for i := range n {
		body := make([]byte, i%2*100+i%500/499*100_000)
		err := l.Run(Call{Key: strconv.Itoa(i), Event: &event.Event{Body: body}}, func(u Update) {
			if ended++; u.Kind != Succeeded {
				t.Errorf("update %+v", u)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	l.Serve()
	for i, key := range w.read {
		if key != strconv.Itoa(i) {
			t.Fatalf("%s is number %d", key, i)
		}
	}
	if ended != n || len(w.read) != n {
		t.Errorf("%d were sent, %d ended", len(w.read), ended)
	}
}

// A large message is not kept for those that come after it.
func TestEncoderStaysSmall(t *testing.T) {
	t.Parallel()
	var e encoder
	for _, body := range []int{100, 1 << 20, 100} {
		list := []queued{{start: startOf(Call{Key: "k", Event: &event.Event{Body: make([]byte, body)}})}}
		m, rest := e.together(list, batch.MaxBytes)
		if len(rest) > 0 {
			t.Fatalf("%d are left", len(rest))
		}
		if len(m) < body || len(m) > body+100 {
			t.Errorf("a body of %d is a message of %d", body, len(m))
		}
		if cap(e.spare) > maxSpare {
			t.Errorf("%d bytes are kept", cap(e.spare))
		}
	}
}

// A reason that is not text must not end the stream for all runs.
func TestCancelReasonIsText(t *testing.T) {
	t.Parallel()
	l := New(nil, "test", "test", 1<<20)
	l.Cancel("k", "no \xff text")
	var e encoder
	encoded, _ := e.together(l.outbox.take(nil), batch.MaxBytes)
	m := &enginev1.RunRequest{}
	if err := proto.Unmarshal(encoded, m); err != nil {
		t.Fatal(err)
	}
	if got := m.GetCommands()[0].GetCancel().GetReason(); got != "no \uFFFD text" {
		t.Errorf("got %q", got)
	}
}
