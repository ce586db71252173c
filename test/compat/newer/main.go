// Command newer is an engine of years to come: it offers the versions of the
// contract that VERSIONS lists. Its version 2 is something else altogether.
package main

import (
	"context"
	"os"
	"strings"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

func main() {
	offered := map[int]plugin.PluginSet{}
	for _, v := range strings.Split(os.Getenv("VERSIONS"), ",") {
		switch v {
		case "1":
			offered[1] = wire.Plugins(engine{})[1]
		case "2":
			offered[2] = plugin.PluginSet{wire.Name: second{}}
		}
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake(), VersionedPlugins: offered, GRPCServer: plugin.DefaultGRPCServer,
	})
}

// second serves nothing that anybody knows today.
type second struct{ plugin.NetRPCUnsupportedPlugin }

func (second) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (second) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// engine is what it does in version 1: every run succeeds.
type engine struct {
	enginev1.UnimplementedEngineServiceServer
}

func (engine) Describe(context.Context, *enginev1.DescribeRequest) (*enginev1.DescribeResponse, error) {
	return &enginev1.DescribeResponse{Name: "newer", Workflows: []*enginev1.Workflow{{Name: "greet"}}}, nil
}

func (engine) Configure(context.Context, *enginev1.ConfigureRequest) (*enginev1.ConfigureResponse, error) {
	return &enginev1.ConfigureResponse{}, nil
}

func (engine) Check(context.Context, *enginev1.CheckRequest) (*enginev1.CheckResponse, error) {
	return &enginev1.CheckResponse{}, nil
}

func (engine) Run(stream enginev1.EngineService_RunServer) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil
		}
		for _, c := range m.Commands {
			if start := c.GetStart(); start != nil {
				end := &enginev1.RunUpdate{Key: start.Key, Update: &enginev1.RunUpdate_Succeeded{
					Succeeded: &enginev1.Succeeded{Output: []byte(`"version 1"`)}}}
				if err := stream.Send(&enginev1.RunResponse{Updates: []*enginev1.RunUpdate{end}}); err != nil {
					return err
				}
			}
		}
	}
}
