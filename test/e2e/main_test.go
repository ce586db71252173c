// Package e2e tests the whole: the binaries as they ship, started as people
// start them, over real HTTP, killed and stopped with real signals.
//
// Numbers that a failure needs to be repeated, seeds above all, are logged.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaries are built once for all tests.
type binaries struct {
	gateway, engine, exec, http string
	// temp is for temporary files of what is tested, so that what a killed
	// gateway leaves there goes with the tests.
	temp string
}

//nolint:gochecknoglobals // what TestMain makes can reach tests in no other way
var built binaries

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = binaries{
		gateway: filepath.Join(dir, "gateway"), engine: filepath.Join(dir, "testengine"), exec: filepath.Join(dir, "exec"), http: filepath.Join(dir, "http"), temp: dir,
	}
	for binary, source := range map[string]string{
		built.gateway: "../../cmd/gateway", built.engine: "./testengine", built.exec: "../../plugins/exec", built.http: "../../plugins/http",
	} {
		if out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", source, err, out)
			return 1
		}
	}
	return m.Run()
}
