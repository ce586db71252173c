package message

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// FuzzCommands: what protobuf reads is read in the same way, whatever is sent.
func FuzzCommands(f *testing.F) {
	at := &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 5}
	attributes := []*enginev1.Attribute{{Name: "a", Value: "1"}, {Name: "b"}, {Name: "a", Value: "2"}}
	full := &enginev1.Command{Command: &enginev1.Command_Start{Start: &enginev1.Start{
		Key: "k", Workflow: "w", Input: []byte("{}"), Attempt: 3, Deadline: at, FirstAttemptAt: at,
		Event: &enginev1.Event{Id: "i", Source: "s", Type: "t", Subject: "u", Time: at, Datacontenttype: "c",
			Body: []byte("body"), Data: []byte("data"), Headers: attributes, Query: attributes, Extensions: attributes}}}}
	empty := &enginev1.Command{Command: &enginev1.Command_Start{Start: &enginev1.Start{Attempt: -1, Event: &enginev1.Event{}}}}
	cancel := &enginev1.Command{Command: &enginev1.Command_Cancel{Cancel: &enginev1.Cancel{Key: "k", Reason: "r"}}}
	answer := &enginev1.Command{Command: &enginev1.Command_Answer{Answer: &enginev1.Answer{Key: "k", Input: []byte("1")}}}
	for _, list := range [][]*enginev1.Command{nil, {full}, {empty, cancel, full, answer}, {{}}} {
		f.Add(encoded(f, &enginev1.RunRequest{Commands: list}))
	}
	// Protobuf's less usual forms: what comes twice, and what is not known.
	both := append(encoded(f, cancel), encoded(f, full)...)
	twice := append(encoded(f, full), encoded(f, empty)...)
	later := protowire.AppendVarint(protowire.AppendTag(encoded(f, full), 99, protowire.VarintType), 7)
	for _, command := range [][]byte{both, twice, later, append(encoded(f, full), encoded(f, answer)...)} {
		f.Add(nested(command))
	}
	parts := func(start *enginev1.Start, more ...[]byte) {
		f.Add(nested(nested(bytes.Join(append([][]byte{encoded(f, start)}, more...), nil))))
	}
	event := encoded(f, &enginev1.Start{Event: &enginev1.Event{Id: "other", Headers: attributes[:1]}})
	parts(full.GetStart(), event) // its time is the first one's
	parts(&enginev1.Start{Deadline: &timestamppb.Timestamp{Seconds: 5}}, encoded(f, &enginev1.Start{Deadline: &timestamppb.Timestamp{Nanos: 7}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := &enginev1.RunRequest{}
		if proto.Unmarshal(b, want) != nil {
			return // never sent; and text that is not UTF-8 is passed on
		}
		got := Commands{{Other: full}} // of the message before
		if err := got.decode(b); err != nil {
			t.Fatalf("%v: %v", want, err)
		}
		if len(got) != len(want.Commands) {
			t.Fatalf("%d commands, want %d", len(got), len(want.Commands))
		}
		for i, command := range want.Commands {
			compare(t, &got[i], command)
		}
	})
}

func compare(t *testing.T, got *Command, want *enginev1.Command) {
	t.Helper()
	start, ok := want.Command.(*enginev1.Command_Start)
	switch {
	case !ok && !proto.Equal(got.Other, want):
		t.Errorf("got %+v, want %v", got, want)
	case ok && (got.Other != nil || !reflect.DeepEqual(plain(got.Start), expected(start.Start))):
		t.Errorf("got %+v, want %v", got, want)
	}
}

// plain does without the difference between empty and not there.
func plain(s Start) Start {
	s.Input, s.Event.Body, s.Event.Data = some(s.Input), some(s.Event.Body), some(s.Event.Data)
	return s
}

// nested is the message as the first field of one.
func nested(m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), m)
}

func encoded(f *testing.F, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// expected is the plain way, by protobuf's objects.
func expected(m *enginev1.Start) Start {
	e := m.GetEvent()
	return Start{
		Key: m.GetKey(), Workflow: m.GetWorkflow(), Attempt: int(m.GetAttempt()), Input: some(m.GetInput()),
		Deadline: timeOf(m.GetDeadline()), FirstAttemptAt: timeOf(m.GetFirstAttemptAt()),
		Event: Event{ID: e.GetId(), Source: e.GetSource(), Type: e.GetType(), Subject: e.GetSubject(),
			Time: timeOf(e.GetTime()), ContentType: e.GetDatacontenttype(), Body: some(e.GetBody()), Data: some(e.GetData()),
			Headers: mapOf(e.GetHeaders()), Query: mapOf(e.GetQuery()), Extensions: mapOf(e.GetExtensions())},
	}
}

func some(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func timeOf(m *timestamppb.Timestamp) time.Time {
	if m == nil {
		return time.Time{}
	}
	return m.AsTime()
}

func mapOf(list []*enginev1.Attribute) map[string]string {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string]string)
	for _, a := range list {
		out[a.GetName()] = a.GetValue()
	}
	return out
}

// What was read stays as it is when the buffer that it came in is used again.
func TestKeepsNothing(t *testing.T) {
	t.Parallel()
	m := &enginev1.Start{Key: "key", Workflow: "workflow", Input: []byte("input"), Event: &enginev1.Event{Id: "id",
		Body: []byte("body"), Data: []byte("data"), Headers: []*enginev1.Attribute{{Name: "name", Value: "value"}}}}
	b, err := proto.Marshal(&enginev1.RunRequest{Commands: []*enginev1.Command{{Command: &enginev1.Command_Start{Start: m}}}})
	if err != nil {
		t.Fatal(err)
	}
	var got Commands
	if err := NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &got); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if want := expected(m); len(got) != 1 || !reflect.DeepEqual(got[0].Start, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTellsWhere(t *testing.T) {
	t.Parallel()
	const good = "\x0a\x02\x0a\x00"
	for _, bad := range []string{"\x0a", "\x0a\x05\x0a", "\x0a\x02\x0a\x07", "\x0a\x04\x0a\x02\x1a\x09", "\x00"} {
		var m Commands
		if err := m.decode([]byte(good + bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, m)
		} else if strings.HasPrefix(bad, "\x0a\x02") && !strings.Contains(err.Error(), "command 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzUpdates: what protobuf reads is read in the same way, whatever is sent.
func FuzzUpdates(f *testing.F) {
	succeeded := func(key, output string) []byte {
		return encoded(f, &enginev1.RunUpdate{Key: key, Update: &enginev1.RunUpdate_Succeeded{
			Succeeded: &enginev1.Succeeded{Output: []byte(output)}}})
	}
	progress := encoded(f, &enginev1.RunUpdate{Key: "k", Update: &enginev1.RunUpdate_Progress{
		Progress: &enginev1.Progress{Step: "s", Fraction: 0.5}}})
	f.Add(bytes.Join([][]byte{nested(succeeded("k", "{}")), nested(progress), nested(succeeded("k", "")), nested(succeeded("", "1"))}, nil))
	later := protowire.AppendVarint(protowire.AppendTag(succeeded("k", "1"), 99, protowire.VarintType), 7)
	for _, update := range [][]byte{
		append(succeeded("k", "1"), progress...), append(progress, succeeded("k", "1")...),
		append(succeeded("k", "1"), succeeded("k", "")...), later, nil,
	} {
		f.Add(nested(update))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := &enginev1.RunResponse{}
		if proto.Unmarshal(b, want) != nil {
			return
		}
		got := Updates{{Key: "of the message before", Output: []byte("1")}}
		if err := got.decode(b); err != nil {
			t.Fatalf("%v: %v", want, err)
		}
		if len(got) != len(want.Updates) {
			t.Fatalf("%d updates, want %d", len(got), len(want.Updates))
		}
		for i, update := range want.Updates {
			same := proto.Equal(got[i].Other, update)
			if got[i].Other == nil {
				same = update.GetSucceeded() != nil && got[i].Key == update.GetKey() &&
					bytes.Equal(got[i].Output, update.GetSucceeded().GetOutput())
			}
			if !same {
				t.Errorf("got %+v, want %v", got[i], update)
			}
		}
	})
}

// The usual update goes the short way.
func TestSuccessIsReadHere(t *testing.T) {
	t.Parallel()
	m := &enginev1.RunUpdate{Key: "k", Update: &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{Output: []byte("1")}}}
	b, ok := AppendSuccess(nil, m)
	if !ok {
		t.Fatal("it is not encoded")
	}
	var got Updates
	if err := got.decode(b); err != nil {
		t.Fatal(err)
	}
	if want := (Updates{{Key: "k", Output: []byte("1")}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func BenchmarkDecode(b *testing.B) {
	start := &enginev1.Start{Key: "0190b3c2d4e5f6a7", Workflow: "workflow", Attempt: 1, Deadline: timestamppb.Now(),
		FirstAttemptAt: timestamppb.Now(), Event: &enginev1.Event{Id: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
			Source: "/webhooks/github", Type: "github.push", Time: timestamppb.Now(), Datacontenttype: "application/json",
			Body: make([]byte, 1024), Headers: []*enginev1.Attribute{{Name: "x-github-event", Value: "push"}}}}
	m := &enginev1.RunRequest{}
	for range 16 {
		m.Commands = append(m.Commands, &enginev1.Command{Command: &enginev1.Command_Start{Start: start}})
	}
	data, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("here", func(b *testing.B) {
		b.ReportAllocs()
		var m Commands
		for b.Loop() {
			if err := m.decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protobuf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := proto.Unmarshal(data, &enginev1.RunRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
