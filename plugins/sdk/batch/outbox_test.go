package batch

import (
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// sink is a stream that keeps what it gets.
type sink struct {
	t    *testing.T
	keys []string
}

func (s *sink) SendMsg(sent any) error {
	encoded, err := message.NewCodec().Marshal(sent)
	if err != nil {
		return err
	}
	m := &enginev1.RunResponse{}
	if err := proto.Unmarshal(encoded.Materialize(), m); err != nil {
		return err
	}
	if n, size := len(m.Updates), proto.Size(m); n == 0 || n > MaxLen || n > 1 && size > MaxBytes {
		s.t.Errorf("a message of %d updates, %d bytes", n, size)
	}
	for _, u := range m.Updates {
		s.keys = append(s.keys, u.Key)
	}
	return nil
}

func TestMessagesAreCut(t *testing.T) {
	s := &sink{t: t}
	ends := 0
	o := NewOutbox(s, func(runs int64) { ends += int(runs) })
	for i := range 1000 {
		size := i % 10
		if i%100 == 0 {
			size = MaxBytes
		}
		m := &enginev1.RunUpdate{Key: strconv.Itoa(i), Update: &enginev1.RunUpdate_Succeeded{
			Succeeded: &enginev1.Succeeded{Output: make([]byte, size)}}}
		if i%50 == 1 {
			m.Update = &enginev1.RunUpdate_Progress{Progress: &enginev1.Progress{Step: "s"}}
		}
		o.put(said{update: m, size: sizeOf(m), end: i%2 == 0})
	}
	o.drain()
	for i, key := range s.keys {
		if key != strconv.Itoa(i) {
			t.Fatalf("update %s is number %d", key, i)
		}
	}
	if len(s.keys) != 1000 || ends != 500 || o.unsent != 0 || o.bytes != 0 {
		t.Errorf("%d updates, %d ends; %d updates of %d bytes are left", len(s.keys), ends, o.unsent, o.bytes)
	}
}
