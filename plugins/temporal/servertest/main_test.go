// Package servertest tests the engine temporal against Temporal's own server,
// which runs in the test's process. It is a module of its own because that
// server takes minutes to compile; the engine needs none of it.
//
// The engine is the real binary, with the race detector in it; the gateway is
// the one that ships.
package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.temporal.io/server/temporaltest"
)

// world is what the tests use.
type world struct {
	engine, gateway string // binaries, for all tests
	server          *temporaltest.TestServer
}

//nolint:gochecknoglobals // what TestMain makes can reach tests in no other way
var the world

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "temporal-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	the = world{engine: filepath.Join(dir, "temporal"), gateway: filepath.Join(dir, "gateway")}
	for _, args := range [][]string{
		{"build", "-C", "..", "-race", "-o", the.engine, "."},
		{"build", "-C", "../../..", "-o", the.gateway, "./cmd/gateway"},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go %v: %v\n%s", args, err, out)
			return 1
		}
	}
	return m.Run()
}

// serve starts a server for one test, so that none finds the workflows of
// another. Tests run one after the other.
func serve(t *testing.T) {
	t.Helper()
	the.server = temporaltest.NewServer(temporaltest.WithT(t), temporaltest.WithBaseClientOptions(quiet()))
	the.server.NewWorker(queue, register)
}
