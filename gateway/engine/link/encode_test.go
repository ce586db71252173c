package link

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/plugins/sdk/batch"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// FuzzStart: protobuf makes the same bytes of the same start.
func FuzzStart(f *testing.F) {
	f.Add("0f1e", "workflow", []byte(`{"a":1}`), "x-header", "value", 1, int64(1_700_000_000), int64(5))
	f.Add("", "", []byte(nil), "", "", 0, int64(0), int64(0))
	f.Add("k", strings.Repeat("w", 127), make([]byte, 20_000), "é", strings.Repeat("v", 128), -1, int64(-5), int64(999_999_999))
	f.Fuzz(func(t *testing.T, key, workflow string, body []byte, name, value string, attempt int, seconds, nanos int64) {
		for _, text := range []string{key, workflow, name, value} {
			if !utf8.ValidString(text) {
				return // protobuf takes no such text
			}
		}
		many := map[string]string{name: value, value: name, key: workflow, "": key}
		at := time.Unix(seconds, nanos%1e9)
		c := Call{Key: key, Workflow: workflow, Input: body, Attempt: attempt, Deadline: at,
			Event: &event.Event{ID: key, Source: workflow, Type: name, Subject: value, Time: at, ContentType: name,
				Body: body, Headers: many, Query: map[string]string{value: name}}}
		if attempt%2 == 0 {
			c.FirstAttemptAt, c.Event.Extensions = at, many
		}
		same(t, c)
		c.Event = nil
		same(t, c)
	})
}

func same(t *testing.T, c Call) {
	t.Helper()
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(&enginev1.RunRequest{
		Commands: []*enginev1.Command{{Command: &enginev1.Command_Start{Start: startMessage(c)}}}})
	if err != nil {
		t.Fatal(err)
	}
	q := queued{start: newStart(c)}
	got := q.append(nil)
	if !bytes.Equal(got, want) {
		t.Errorf("the start of %+v, event %+v:\n got %q\nwant %q", c, c.Event, got, want)
	}
	if q.size() != int64(len(got)) {
		t.Errorf("a size of %d was expected, it is %d", q.size(), len(got))
	}
}

func startMessage(c Call) *enginev1.Start {
	m := &enginev1.Start{Key: c.Key, Workflow: c.Workflow, Input: c.Input, Attempt: int32(c.Attempt),
		Deadline: stamp(c.Deadline), FirstAttemptAt: stamp(c.FirstAttemptAt)}
	if e := c.Event; e != nil {
		m.Event = &enginev1.Event{Id: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: stamp(e.Time),
			Datacontenttype: e.ContentType, Body: e.Body, Data: e.JSON(),
			Headers: list(e.Headers), Query: list(e.Query), Extensions: list(e.Extensions)}
	}
	return m
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func list(values map[string]string) []*enginev1.Attribute {
	var all []*enginev1.Attribute
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, &enginev1.Attribute{Name: name, Value: values[name]})
	}
	return all
}

// The other commands are as protobuf makes them, and text that it would not
// take does not break the stream for all runs.
func TestOtherCommands(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		got  []byte
		want *enginev1.Command
	}{
		{"cancel", cancelMessage("k", "a reason"), &enginev1.Command{Command: &enginev1.Command_Cancel{
			Cancel: &enginev1.Cancel{Key: "k", Reason: "a reason"}}}},
		{"cancel without a reason", cancelMessage("k", ""), &enginev1.Command{Command: &enginev1.Command_Cancel{
			Cancel: &enginev1.Cancel{Key: "k"}}}},
		{"cancel with a broken reason", cancelMessage("k", "\xff"), &enginev1.Command{Command: &enginev1.Command_Cancel{
			Cancel: &enginev1.Cancel{Key: "k", Reason: "\uFFFD"}}}},
		{"answer", answerMessage("k", []byte("[1]")), &enginev1.Command{Command: &enginev1.Command_Answer{
			Answer: &enginev1.Answer{Key: "k", Input: []byte("[1]")}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got enginev1.RunRequest
			if err := proto.Unmarshal(tt.got, &got); err != nil {
				t.Fatal(err)
			}
			if want := (&enginev1.RunRequest{Commands: []*enginev1.Command{tt.want}}); !proto.Equal(&got, want) {
				t.Errorf("got %v, want %v", &got, want)
			}
		})
	}
}

// A large message is not kept for those that come after it.
func TestEncoderStaysSmall(t *testing.T) {
	t.Parallel()
	var e encoder
	for _, body := range []int{100, 1 << 20, 100} {
		list := []queued{{start: newStart(Call{Key: "k", Event: &event.Event{Body: make([]byte, body)}})}}
		m, rest := e.message(list, batch.MaxBytes)
		if len(rest) > 0 {
			t.Fatalf("%d are left", len(rest))
		}
		if size := proto.Size(m); size < body || size > body+100 {
			t.Errorf("a body of %d is a message of %d", body, size)
		}
		if cap(e.spare) > maxSpare {
			t.Errorf("%d bytes are kept", cap(e.spare))
		}
	}
}
