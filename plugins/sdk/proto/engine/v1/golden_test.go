package enginev1_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

var update = flag.Bool("update", false, "add what is new in the contract to its golden file")

const golden = "testdata/engine.golden"

// TestOnlyAdditions holds the contract to its word. Engines that were built
// long ago speak it, so -update adds lines to the golden file and never takes
// one away.
func TestOnlyAdditions(t *testing.T) {
	now := contract(enginev1.File_engine_v1_engine_proto)
	text, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	before := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range missing(before, now) {
		t.Errorf("gone or changed within v1: %s", line)
	}
	added := missing(now, before)
	if !*update {
		for _, line := range added {
			t.Errorf("new, and not yet in the golden file (-update): %s", line)
		}
		return
	}
	all := append(before, added...)
	slices.Sort(all)
	if err := os.WriteFile(golden, []byte(strings.TrimSpace(strings.Join(all, "\n"))+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func missing(want, have []string) []string {
	var out []string
	for _, line := range want {
		if line != "" && !slices.Contains(have, line) {
			out = append(out, line)
		}
	}
	return out
}

// contract is everything that another program may rely on, a line each.
func contract(file protoreflect.FileDescriptor) []string {
	out := []string{"package " + string(file.Package())}
	for i := range file.Services().Len() {
		out = append(out, methods(file.Services().Get(i))...)
	}
	for i := range file.Enums().Len() {
		values := file.Enums().Get(i).Values()
		for j := range values.Len() {
			v := values.Get(j)
			out = append(out, fmt.Sprintf("enum %s %d %s", v.Parent().Name(), v.Number(), v.Name()))
		}
	}
	return append(out, messages(file.Messages())...)
}

func methods(s protoreflect.ServiceDescriptor) []string {
	var out []string
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		out = append(out, fmt.Sprintf("method %s (%s%s) returns (%s%s)", m.FullName(),
			stream(m.IsStreamingClient()), m.Input().FullName(),
			stream(m.IsStreamingServer()), m.Output().FullName()))
	}
	return out
}

func stream(is bool) string {
	if is {
		return "stream "
	}
	return ""
}

func messages(all protoreflect.MessageDescriptors) []string {
	var out []string
	for i := range all.Len() {
		m := all.Get(i)
		out = append(out, "message "+string(m.FullName()))
		for j := range m.Fields().Len() {
			out = append(out, field(m.Fields().Get(j)))
		}
		out = append(out, messages(m.Messages())...)
	}
	return out
}

func field(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	if m := f.Message(); m != nil {
		kind = string(m.FullName())
	}
	if e := f.Enum(); e != nil {
		kind = string(e.FullName())
	}
	line := fmt.Sprintf("field %s %d %s %s %s", f.Parent().FullName(), f.Number(), f.Name(), f.Cardinality(), kind)
	if one := f.ContainingOneof(); one != nil {
		line += " in " + string(one.Name())
	}
	return line
}
