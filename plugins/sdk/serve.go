package sdk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// stopGrace is how long runs may take to end when the engine stops. It is a
// little more than the five seconds that a well-behaved child process gets.
const stopGrace = 7 * time.Second

// heapRoom is memory that is never touched, and so costs none. An engine holds
// little and makes garbage with every run: without it the collector, which
// lets the heap double, would be at work some twenty times a second.
const heapRoom = 16 << 20

// Serve serves the engine to the gateway that started this program, and
// returns when the gateway is done with it and the runs have ended. Started
// by hand, the program explains itself and exits.
//
// Call it last in main, and never write to the standard output before it: the
// first line there is the handshake.
func Serve(engine Engine) {
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		fmt.Fprint(stderr, byHand(os.Args[0]))
		os.Exit(1)
	}
	limit := messageLimit(os.Getenv(wire.MaxMessageEnv))
	s := newService(engine, limit)
	go exitWithParent(os.Getppid(), s.runs)
	room := make([]byte, heapRoom)
	defer runtime.KeepAlive(room)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(s),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, serverOptions(limit)...)...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{
			Name: "go-plugin", Level: hclog.Warn, Output: stderr, JSONFormat: true,
		}),
	})
	s.runs.close(stopGrace)
}

// byHand is what somebody reads who starts an engine in a shell.
func byHand(program string) string {
	name := filepath.Base(program)
	return fmt.Sprintf(`%s is a workflow engine: the event gateway starts it, people don't.
Name it in gateway.yaml, and send events to it with a route:

  engines:
    %s:
      plugin: %s

  routes:
    my-route:
      events: [some.event]
      run: %s/some-workflow
`, name, name, program, name)
}

// messageLimit reads MaxMessageEnv.
func messageLimit(env string) int {
	n, err := strconv.ParseInt(env, 10, 31)
	if err != nil || n <= 0 {
		return wire.DefaultMaxMessage
	}
	return int(n)
}

// window is how much of a message may be under way unacknowledged. A fixed
// one spares the probes with which gRPC would look for it.
const window = 1 << 20

func serverOptions(limit int) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(message.NewCodec()),
		grpc.MaxRecvMsgSize(limit + wire.MessageOverhead),
		grpc.MaxSendMsgSize(limit + wire.MessageOverhead),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.UnaryInterceptor(guard()),
	}
}

// guard answers for an author's code that panics, and at the first call gives
// the process its standard error back: go-plugin has put pipes in the place
// of os.Stdout and os.Stderr by then, and what is printed would go nowhere.
func guard() grpc.UnaryServerInterceptor {
	unpipe := sync.OnceFunc(func() { os.Stdout, os.Stderr = stderr, stderr })
	return func(ctx context.Context, m any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
		unpipe()
		defer func() {
			if p := recover(); p != nil {
				Logger().Error("call panicked", "method", info.FullMethod, "error", fmt.Sprint(p), "stack", string(debug.Stack()))
				err = status.Error(codes.Internal, text(fmt.Sprintf("panic: %v", p)))
			}
		}()
		return next(ctx, m)
	}
}

// exitWithParent ends the process when the gateway that started it is gone:
// nobody else would, and two gateways must not have an engine each that works
// on the same things.
func exitWithParent(parent int, runs *runs) {
	for os.Getppid() == parent {
		time.Sleep(time.Second)
	}
	Logger().Error("the gateway is gone", "parent", parent)
	runs.close(stopGrace)
	os.Exit(1)
}
