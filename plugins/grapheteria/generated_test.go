//go:build unix && grapheteria

package grapheteria

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// TestGenerated: the Python messages are those of engine.proto as it is.
func TestGenerated(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(install(t), "grapheteria.d", "venv", "bin", "python"), "-c",
		"import sys; from gateway_engine import engine_pb2; sys.stdout.buffer.write(engine_pb2.DESCRIPTOR.serialized_pb)")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+here, "PYTHONDONTWRITEBYTECODE=1")
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var python descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(raw, &python); err != nil {
		t.Fatal(err)
	}
	golang := protodesc.ToFileDescriptorProto(enginev1.File_engine_v1_engine_proto)
	golang.Name = python.Name // each was generated from a folder of its own
	for _, messages := range [][]*descriptorpb.DescriptorProto{golang.MessageType, python.MessageType} {
		for _, m := range messages {
			for _, f := range m.Field {
				f.JsonName = nil // Python leaves it out
			}
		}
	}
	if !proto.Equal(golang, &python) {
		t.Error("gateway_engine/engine_pb2.py is out of date: make generate-python")
	}
}
