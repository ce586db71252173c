package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/event-gateway/gateway/plugins/sdk"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// The test binary is also the engines under test: TEST_ENGINE says which.
func TestMain(m *testing.M) {
	if mode := os.Getenv("TEST_ENGINE"); mode != "" {
		beEngine(mode)
		return
	}
	os.Exit(m.Run())
}

// The files that go-plugin replaces when it serves.
var realStdout, realStderr = os.Stdout, os.Stderr

func beEngine(mode string) {
	switch mode {
	case "hello":
		fmt.Println("hello, I am no engine")
		os.Exit(0)
	case "exit":
		fmt.Fprintln(os.Stderr, "there is no database")
		os.Exit(3)
	case "mute":
		time.Sleep(time.Minute)
	case "grandchild":
		holdPipes(false, true)
	case "grandchild-group":
		holdPipes(false)
	case "host":
		beHost()
		return
	case "sdk":
		sdk.Serve(sdk.Func(func(_ context.Context, r *sdk.Request) (sdk.Result, error) {
			return sdk.Result{Output: r.Input}, nil
		}))
		return
	}
	plugins := wire.Plugins(&testEngine{mode: mode})
	if mode == "other-version" {
		plugins = map[int]plugin.PluginSet{7: plugins[1]}
	}
	if mode == "plaintext" {
		_ = os.Unsetenv("PLUGIN_CLIENT_CERT")
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: plugins,
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			if mode == "small" {
				return grpc.NewServer(o...)
			}
			if mode == "unwell" {
				o = append(o, grpc.UnaryInterceptor(notServing))
			}
			n, _ := strconv.Atoi(os.Getenv(maxMessageEnv))
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(n), grpc.InitialWindowSize(1<<20),
				grpc.InitialConnWindowSize(1<<20), grpc.WriteBufferSize(128<<10), grpc.ReadBufferSize(128<<10))...)
		},
	})
}

// notServing answers health checks, and says that the engine is not well.
func notServing(ctx context.Context, m any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if info.FullMethod == grpc_health_v1.Health_Check_FullMethodName {
		return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING}, nil
	}
	return next(ctx, m)
}

// holdPipes leaves children that keep the pipes open: in the group, or where
// they left it.
func holdPipes(leaves ...bool) {
	for _, leave := range leaves {
		child := exec.Command("/bin/sleep", "30")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: leave}
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, "grandchild", child.Process.Pid, leave)
	}
}

type testEngine struct {
	enginev1.UnimplementedEngineServiceServer
	mode   string
	config struct {
		Problem   string
		Workflows []string
	}
	runs runs
}

func (t *testEngine) Describe(context.Context, *enginev1.DescribeRequest) (*enginev1.DescribeResponse, error) {
	d := &enginev1.DescribeResponse{Name: "test", Version: "1.2.3"}
	for _, name := range t.config.Workflows {
		d.Workflows = append(d.Workflows, &enginev1.Workflow{Name: name})
	}
	if t.mode != "plain-abilities" {
		d.Abilities = []enginev1.Ability{enginev1.Ability_ABILITY_CHECK, enginev1.Ability_ABILITY_GET, enginev1.Ability_ABILITY_ANSWER}
	}
	return d, nil
}

func (t *testEngine) Configure(_ context.Context, r *enginev1.ConfigureRequest) (*enginev1.ConfigureResponse, error) {
	if err := json.Unmarshal(r.GetConfig(), &t.config); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if t.config.Problem != "" {
		return &enginev1.ConfigureResponse{Problems: []*enginev1.Problem{{Path: []string{"dir", "0"}, Message: t.config.Problem}}}, nil
	}
	return &enginev1.ConfigureResponse{}, nil
}

func (t *testEngine) Check(_ context.Context, r *enginev1.CheckRequest) (*enginev1.CheckResponse, error) {
	if r.GetWorkflow() == "echo" {
		return &enginev1.CheckResponse{}, nil
	}
	return &enginev1.CheckResponse{Problems: []*enginev1.Problem{{Message: "unknown workflow " + r.GetWorkflow()}}}, nil
}

func (t *testEngine) Get(_ context.Context, r *enginev1.GetRequest) (*enginev1.GetResponse, error) {
	return t.runs.get(r.GetKey()), nil
}

func (t *testEngine) Run(stream enginev1.EngineService_RunServer) error {
	t.runs.open(stream)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, c := range m.GetCommands() {
			if err := t.obey(c); err != nil {
				return err
			}
		}
	}
}

func (t *testEngine) obey(c *enginev1.Command) error {
	switch c := c.GetCommand().(type) {
	case *enginev1.Command_Start:
		return t.start(c.Start)
	case *enginev1.Command_Cancel:
		t.runs.fail(c.Cancel.GetKey(), "cancelled: "+c.Cancel.GetReason(), enginev1.FailureKind_FAILURE_KIND_RETRYABLE)
	case *enginev1.Command_Answer:
		t.runs.succeed(c.Answer.GetKey(), c.Answer.GetInput())
	}
	return nil
}

// start does what the workflow's name says.
func (t *testEngine) start(s *enginev1.Start) error {
	key := s.GetKey()
	t.runs.begin(key)
	switch s.GetWorkflow() {
	case "echo":
		if isBad() {
			os.Exit(9)
		}
		t.runs.succeed(key, s.GetInput())
	case "steps":
		t.runs.send(key, &enginev1.RunUpdate_Accepted{Accepted: &enginev1.Accepted{RunId: "run-" + key}})
		t.runs.send(key, &enginev1.RunUpdate_Progress{Progress: &enginev1.Progress{Step: "one", Fraction: 0.5}})
		t.runs.succeed(key, s.GetEvent().GetBody())
	case "wait":
		t.runs.send(key, &enginev1.RunUpdate_Waiting{Waiting: &enginev1.Waiting{Prompt: "go on?"}})
	case "sleep":
	case "large":
		t.runs.succeed(key, make([]byte, 2<<20))
	case "crash":
		os.Exit(7)
	case "quit":
		os.Exit(0)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "panic":
		panic("out of workflows")
	case "env":
		text, _ := json.Marshal(os.Environ())
		t.runs.succeed(key, text)
	case "stdin":
		text, _ := io.ReadAll(os.Stdin)
		out, _ := json.Marshal(string(text))
		t.runs.succeed(key, out)
	case "say":
		t.say(string(s.GetInput()))
		t.runs.succeed(key, nil)
	case "eat":
		mib, _ := strconv.Atoi(string(s.GetInput()))
		eaten := make([]byte, mib<<20)
		for i := 0; i < len(eaten); i += 4096 {
			eaten[i] = 1
		}
		t.runs.succeed(key, nil)
	case "open":
		n, _ := strconv.Atoi(string(s.GetInput()))
		t.open(key, n)
	case "hang":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "refuse":
		return status.Error(codes.InvalidArgument, "no such thing")
	case "throttle":
		t.runs.fail(key, "full", enginev1.FailureKind_FAILURE_KIND_THROTTLED)
	}
	return nil
}

// bad at its end makes a program one that dies of its work.
const bad = "a bad version"

func isBad() bool {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer self.Close()
	end := make([]byte, len(bad))
	if at, err := self.Seek(-int64(len(bad)), io.SeekEnd); err == nil {
		_, _ = self.ReadAt(end, at)
	}
	return string(end) == bad
}

// open opens files, tells whether that went well, and closes them.
func (t *testEngine) open(key string, n int) {
	for range n {
		file, err := os.Open(os.DevNull)
		if err != nil {
			t.runs.fail(key, err.Error(), enginev1.FailureKind_FAILURE_KIND_PERMANENT)
			return
		}
		defer file.Close()
	}
	t.runs.succeed(key, nil)
}

// say prints "stream count text" on a real descriptor; x*N is N times x.
func (t *testEngine) say(what string) {
	stream, rest, _ := strings.Cut(what, " ")
	count, text, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(count)
	out := realStderr
	if stream == "stdout" {
		out = realStdout
	}
	if strings.HasPrefix(text, "x*") {
		size, _ := strconv.Atoi(text[2:])
		text = strings.Repeat("x", size)
	}
	for range n {
		_, _ = out.WriteString(text + "\n")
	}
}

// beHost is a gateway that is killed while its engine runs.
func beHost() {
	signal.Ignore(syscall.SIGTERM)
	pool, err := NewPool(Options{RuntimeDir: os.Getenv("TEST_DIR")})
	if err != nil {
		panic(err)
	}
	go func() { _ = pool.Run(context.Background()) }()
	e, err := pool.Acquire(context.Background(), Spec{Name: "t", Path: os.Getenv("TEST_PATH"),
		Env: map[string]string{"TEST_ENGINE": os.Getenv("TEST_INNER")}})
	if err != nil {
		panic(err)
	}
	fmt.Println(e.Status().PID)
	select {}
}
