package dispatch

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/plugins/sdk"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// The test binary is also the programs that the benchmark talks to.
func TestMain(m *testing.M) {
	switch os.Getenv("BENCH_PROGRAM") {
	case "engine":
		sdk.Serve(sdk.Func(func(_ context.Context, r *sdk.Request) (sdk.Result, error) {
			return sdk.Result{Output: r.Event.Data()}, nil
		}))
	case "echo":
		serveEcho(os.Getenv("BENCH_SOCKET"))
	default:
		os.Exit(m.Run())
	}
}

// payload is the body of each event, 1 KiB of JSON.
var payload = fmt.Appendf(nil, `{"text":"%01010d"}`, 0)

// inFlight is how many runs, or messages, are under way at a time.
const inFlight = 1000

// BenchmarkDispatch carries deliveries from memory to an engine and back, and
// tells the rate as a ratio to a bare gRPC stream whose server sends each
// message back: plaintext, one message for each, nothing else done. The two take
// turns within one run.
func BenchmarkDispatch(b *testing.B) {
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	echo, deliver := dialEcho(b, path), startDispatch(b, path)
	const part = 2000
	echo(part) // warm
	deliver(part)
	var echoed, delivered time.Duration
	for b.Loop() {
		echoed += echo(part)
		delivered += deliver(part)
	}
	n := float64(part * b.N)
	b.ReportMetric(n/echoed.Seconds(), "echoes/s")
	b.ReportMetric(n/delivered.Seconds(), "runs/s")
	b.ReportMetric(echoed.Seconds()/delivered.Seconds(), "of-echo")
}

// bareService sends back what it gets.
type bareService struct {
	enginev1.UnimplementedEngineServiceServer
}

func (bareService) Run(s enginev1.EngineService_RunServer) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return nil //nolint:nilerr // the other side has gone
		}
		start := m.Commands[0].GetStart()
		end := &enginev1.RunUpdate{Key: start.Key, Update: &enginev1.RunUpdate_Succeeded{Succeeded: &enginev1.Succeeded{Output: start.Event.Body}}}
		if err := s.Send(&enginev1.RunResponse{Updates: []*enginev1.RunUpdate{end}}); err != nil {
			return err
		}
	}
}

func serveEcho(socket string) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(1<<20))
	enginev1.RegisterEngineServiceServer(server, bareService{})
	fmt.Println("ready")
	_ = server.Serve(listener)
}

// dialEcho starts the bare server and returns what sends n messages there and
// back, inFlight at a time.
func dialEcho(b *testing.B, path string) func(n int) time.Duration {
	socket := filepath.Join(b.TempDir(), "s")
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), "BENCH_PROGRAM=echo", "BENCH_SOCKET="+socket)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 5)); err != nil {
		b.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(1<<20))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	stream, err := enginev1.NewEngineServiceClient(conn).Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return func(n int) time.Duration { return echoMany(b, stream, n) }
}

func echoMany(b *testing.B, stream enginev1.EngineService_RunClient, n int) time.Duration {
	began := time.Now()
	places := make(chan struct{}, inFlight)
	var received sync.WaitGroup
	received.Go(func() {
		for range n {
			if _, err := stream.Recv(); err != nil {
				b.Error(err)
				return
			}
			<-places
		}
	})
	for i := range n {
		places <- struct{}{}
		start := &enginev1.Start{Key: store.FormatID(int64(i)), Workflow: "echo", Attempt: 1, Event: &enginev1.Event{
			Id: store.FormatID(int64(i)), Source: "/bench", Type: "bench", Datacontenttype: "application/json", Body: payload,
		}}
		command := &enginev1.Command{Command: &enginev1.Command_Start{Start: start}}
		if err := stream.Send(&enginev1.RunRequest{Commands: []*enginev1.Command{command}}); err != nil {
			b.Error(err)
			break
		}
	}
	received.Wait()
	return time.Since(began)
}

// nowhere is a store that keeps nothing.
type nowhere struct{ ended func() }

func (nowhere) Claim(_ store.Claim, then func(store.Claimed, error)) { then(store.Claimed{}, nil) }

func (s nowhere) Record(c *store.Change) {
	if c.Committed != nil {
		c.Committed()
	}
	if !c.State.Open() {
		s.ended()
	}
}

// startDispatch starts an engine and a dispatcher and returns what has n
// deliveries run.
func startDispatch(b *testing.B, path string) func(n int) time.Duration {
	pool, err := engine.NewPool(engine.Options{RuntimeDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = pool.Run(ctx) })
	e, err := pool.Acquire(ctx, engine.Spec{Name: "bench", Path: path, Env: map[string]string{"BENCH_PROGRAM": "engine"}})
	if err != nil {
		b.Fatal(err)
	}
	places := make(chan struct{}, inFlight)
	var left atomic.Int64
	done := make(chan struct{}, 1)
	d := New(Options{
		Route: func(ev *event.Event) *store.Entry { return &store.Entry{Event: ev} }, Log: zap.NewNop(),
		Store: nowhere{func() {
			<-places
			if left.Add(-1) == 0 {
				done <- struct{}{}
			}
		}},
	})
	d.Apply(&Plan{Engines: map[string]Lane{"bench": {Engine: e, InFlight: inFlight}}, Routes: map[string]Rule{"r": {Engine: "bench", Workflow: "echo"}}})
	running.Go(func() { _ = d.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	seq := int64(0)
	return func(n int) time.Duration {
		began := time.Now()
		left.Store(int64(n))
		for range n {
			places <- struct{}{}
			seq++
			d.Take([]*store.Delivery{{Seq: seq, Route: "r", Claimed: true, Due: began, Event: &event.Event{
				ID: store.FormatID(seq), Source: "/bench", Type: "bench", ContentType: "application/json", Body: payload,
			}}})
		}
		<-done
		return time.Since(began)
	}
}
