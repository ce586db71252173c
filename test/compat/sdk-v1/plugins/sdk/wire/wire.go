// Package wire joins the engine contract to hashicorp/go-plugin: the
// handshake, the versions spoken and the gRPC glue, shared by the SDK (which
// serves) and the gateway (which calls).
package wire

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

const (
	// ProtocolVersion is the newest version of the engine contract spoken here.
	ProtocolVersion = 1
	// Name is what the engine service is dispensed as.
	Name = "engine"
	// CookieKey and CookieValue tell an engine that a gateway started it.
	// They are for friendly errors, not for security.
	CookieKey   = "EVENT_GATEWAY_ENGINE"
	CookieValue = "b1a5c2f0-engine-v1"
	// MaxMessageEnv tells an engine, in bytes, how large a body, an input or
	// an output may get. Both sides allow MessageOverhead on top of it for the
	// rest of a message.
	MaxMessageEnv = "GATEWAY_MAX_MESSAGE_BYTES"
	// DefaultMaxMessage is in force where MaxMessageEnv is not set.
	DefaultMaxMessage = 64 << 20
	// MessageOverhead is what headers, names and framing may take.
	MessageOverhead = 1 << 20
)

// Handshake is what both sides must agree on before anything else.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   CookieKey,
		MagicCookieValue: CookieValue,
	}
}

// Plugins lists every version of the contract that can be spoken. The engine's
// side passes its service; the gateway's side passes nil.
func Plugins(service enginev1.EngineServiceServer) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{1: {Name: &glue{service: service}}}
}

// glue is go-plugin's idea of a plugin: how to serve it and how to call it.
type glue struct {
	plugin.NetRPCUnsupportedPlugin
	service enginev1.EngineServiceServer
}

// GRPCServer registers the engine on the server that go-plugin made.
func (g *glue) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	enginev1.RegisterEngineServiceServer(s, g.service)
	return nil
}

// GRPCClient makes the gateway's side of the connection.
func (g *glue) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return enginev1.NewEngineServiceClient(conn), nil
}
