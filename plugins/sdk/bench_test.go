package sdk

import (
	"context"
	"testing"

	"net"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// BenchmarkRun is a run there and back over a socket, many at once.
func BenchmarkRun(b *testing.B) {
	client := dial(b, Func(func(_ context.Context, r *Request) (Result, error) { return Result{}, nil }))
	stream, err := client.Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	const inFlight = 256
	places := make(chan struct{}, inFlight)
	done := make(chan error, 1)
	b.ReportAllocs()
	n := 0
	go func() {
		for i := 0; ; i++ {
			if _, err := stream.Recv(); err != nil {
				done <- err
				return
			}
			<-places
		}
	}()
	body := make([]byte, 512)
	for b.Loop() {
		places <- struct{}{}
		n++
		key := []byte("delivery-000000000000")
		for i, v := len(key)-1, n; v > 0; i, v = i-1, v/10 {
			key[i] = byte('0' + v%10)
		}
		if err := stream.Send(&enginev1.RunRequest{Message: &enginev1.RunRequest_Start{Start: &enginev1.Start{
			Key: string(key), Workflow: "w", Attempt: 1, Event: &enginev1.Event{Id: "e", Body: body},
		}}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		b.Fatal(err)
	}
	<-done
}

func dial(b *testing.B, engine Engine) enginev1.EngineServiceClient {
	path := filepath.Join(b.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(serverOptions(1 << 20)...)
	enginev1.RegisterEngineServiceServer(server, newService(engine, 1<<20))
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return enginev1.NewEngineServiceClient(conn)
}
