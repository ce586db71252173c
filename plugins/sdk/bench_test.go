package sdk

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// BenchmarkRun is a run there and back over a socket, many at once.
func BenchmarkRun(b *testing.B) {
	client := dial(b, Func(func(_ context.Context, r *Request) (Result, error) { return Result{}, nil }))
	stream, err := client.Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	const inFlight, together = 256, 16
	places := make(chan struct{}, inFlight)
	done := make(chan error, 1)
	b.ReportAllocs()
	n := 0
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				done <- err
				return
			}
			for range m.Updates {
				<-places
			}
		}
	}()
	var ready []*enginev1.Command // a gateway under load sends several in one message
	send := func() {
		if err := stream.Send(&enginev1.RunRequest{Commands: ready}); err != nil {
			b.Fatal(err)
		}
		ready = nil
	}
	body := make([]byte, 512)
	deadline := timestamppb.New(time.Now().Add(time.Hour))
	for b.Loop() {
		places <- struct{}{}
		n++
		ready = append(ready, &enginev1.Command{Command: &enginev1.Command_Start{Start: &enginev1.Start{
			Key: strconv.Itoa(n), Workflow: "w", Attempt: 1, Deadline: deadline,
			Event: &enginev1.Event{Id: "e", Body: body},
		}}})
		if len(ready) == together {
			send()
		}
	}
	send()
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
