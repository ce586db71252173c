//go:build unix

package author

import (
	"os"
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
	run(t, dir, nil, gateway, "validate", "--no-secrets", "--strict", "--engines", "--format", "github")

	path := filepath.Join(dir, "gateway.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
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
