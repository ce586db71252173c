package message

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
		s := Start{Key: key, Workflow: workflow, Input: body, Attempt: attempt, Deadline: at,
			Event: Event{ID: key, Source: workflow, Type: name, Subject: value, Time: at, ContentType: name,
				Body: body, Headers: many, Query: map[string]string{value: name}}}
		if attempt%2 == 0 {
			s.FirstAttemptAt, s.Event.Extensions, s.Event.Data = at, many, []byte(value)
		}
		same(t, &s)
		s.Event = Event{}
		same(t, &s)
	})
}

func same(t *testing.T, s *Start) {
	t.Helper()
	want, err := proto.Marshal(&enginev1.RunRequest{
		Commands: []*enginev1.Command{{Command: &enginev1.Command_Start{Start: startOf(s)}}}})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Append([]byte("before"))
	if !bytes.Equal(got, append([]byte("before"), want...)) {
		t.Errorf("%+v:\n got %q\nwant %q", s, got, want)
	}
	if s.Size() != len(want) {
		t.Errorf("a size of %d was expected, it is %d", s.Size(), len(want))
	}
}

func startOf(s *Start) *enginev1.Start {
	e := &s.Event
	return &enginev1.Start{Key: s.Key, Workflow: s.Workflow, Input: s.Input, Attempt: int32(s.Attempt),
		Deadline: stampOf(s.Deadline), FirstAttemptAt: stampOf(s.FirstAttemptAt),
		Event: &enginev1.Event{Id: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: stampOf(e.Time),
			Datacontenttype: e.ContentType, Body: e.Body, Data: e.Data,
			Headers: listOf(e.Headers), Query: listOf(e.Query), Extensions: listOf(e.Extensions)}}
}

func stampOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func listOf(values map[string]string) []*enginev1.Attribute {
	var all []*enginev1.Attribute
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, &enginev1.Attribute{Name: name, Value: values[name]})
	}
	return all
}

func TestOtherMessages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		got  Encoded
		want *enginev1.Command
	}{
		{"cancel", Cancel("k", "a reason"), &enginev1.Command{Command: &enginev1.Command_Cancel{
			Cancel: &enginev1.Cancel{Key: "k", Reason: "a reason"}}}},
		{"cancel without a reason", Cancel("k", ""), &enginev1.Command{Command: &enginev1.Command_Cancel{
			Cancel: &enginev1.Cancel{Key: "k"}}}},
		{"answer", Answer("k", []byte("[1]")), &enginev1.Command{Command: &enginev1.Command_Answer{
			Answer: &enginev1.Answer{Key: "k", Input: []byte("[1]")}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, err := proto.Marshal(&enginev1.RunRequest{Commands: []*enginev1.Command{tt.want}})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(tt.got, want) {
				t.Errorf("got %q, want %q", tt.got, want)
			}
		})
	}
}

// Successes are as protobuf makes them, and nothing else is taken for one.
func TestAppendSuccess(t *testing.T) {
	t.Parallel()
	for _, m := range []*enginev1.RunUpdate{
		{Key: "k", Update: &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{Output: []byte("{}")}}},
		{Key: "k", Update: &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{}}},
		{Update: &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{Output: make([]byte, 300)}}},
	} {
		want, err := proto.Marshal(&enginev1.RunResponse{Updates: []*enginev1.RunUpdate{m}})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := AppendSuccess(nil, m); !ok || !bytes.Equal(got, want) {
			t.Errorf("%v: got %q %t, want %q", m, got, ok, want)
		}
	}
	failed := &enginev1.RunUpdate{Key: "k", Update: &enginev1.RunUpdate_Failed{Failed: &enginev1.Failed{}}}
	if got, ok := AppendSuccess([]byte("before"), failed); ok || string(got) != "before" {
		t.Errorf("a failure is %q %t", got, ok)
	}
}

// What was marshalled may be used again at once.
func TestEncodedIsCopied(t *testing.T) {
	t.Parallel()
	b := Encoded(strings.Repeat("x", 5000))
	m, err := NewCodec().Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if got := string(m.Materialize()); got != strings.Repeat("x", 5000) {
		t.Errorf("got %q", got)
	}
	m.Free()
}
