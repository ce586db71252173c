//go:build unix

package author

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInit: what `gateway init` writes is in its form, validates with its engine,
// passes its tests, and runs.
func TestInit(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := t.TempDir(), t.TempDir()
	gateway := filepath.Join(bin, "gateway")
	run(t, root, nil, "go", "build", "-o", gateway, "./cmd/gateway")
	run(t, root, nil, "go", "build", "-o", filepath.Join(bin, "plugins", "exec"), "./plugins/exec")
	const mine = "# mine\n"
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, dir, nil, gateway, "init"); !strings.Contains(out, "kept   .gitignore") {
		t.Errorf("init says\n%s", out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err != nil || string(got) != mine {
		t.Errorf("a file that was there is now %q, %v", got, err)
	}
	run(t, dir, nil, gateway, "fmt", "--check", "--diff", "gateway.yaml", "tests/routes.yaml", ".github/workflows/gateway.yaml")
	if out := run(t, dir, nil, gateway, "test"); !strings.Contains(out, "cases passed, 0 failed") {
		t.Errorf("its tests:\n%s", out)
	}
	path := filepath.Join(dir, "gateway.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	asksEngines(t, dir, gateway, string(text))
	ports := strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:9090", "127.0.0.1:0") // those may be taken here
	if err := os.WriteFile(path, []byte(ports.Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := start(t, dir, gateway)
	out := run(t, dir, nil, gateway, "trigger", "hello", "--data", `{"name": "Ada"}`, "--wait", "60s", "--admin", admin, "-o", "json")
	if !strings.Contains(out, "hello, Ada") {
		t.Errorf("the first event: %s", out)
	}
}

// asksEngines: validate --engines finds what engines alone know, and leaves
// nothing behind.
func asksEngines(t *testing.T, dir, gateway, text string) {
	t.Helper()
	temp, err := os.MkdirTemp("", "v") // sockets want short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	env := []string{"TMPDIR=" + temp}
	run(t, dir, env, gateway, "validate", "--no-secrets", "--strict", "--engines", "--format", "github")
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte(strings.Replace(text, "    run: hello\n", "    run: helo\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, env, gateway, "validate", "broken.yaml")
	cmd := exec.Command(gateway, "validate", "--engines", "broken.yaml")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), `routes.greet.run: unknown workflow "helo"`) {
		t.Errorf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
