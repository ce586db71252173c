package sdk_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Whoever imports the SDK compiles these modules and no others: what the
// gateway needs for itself stays with the gateway.
func TestDependencies(t *testing.T) {
	const module = "github.com/event-gateway/gateway/"
	allowed := []string{
		module + "plugins/sdk", "google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto",
		"golang.org/x/net", "golang.org/x/sys", "golang.org/x/text", "github.com/golang/protobuf",
		"github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog", "github.com/hashicorp/yamux",
		"github.com/oklog/run", "github.com/fatih/color", "github.com/mattn/go-colorable", "github.com/mattn/go-isatty",
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 10 {
		t.Fatalf("only %q: the list is not what it should be", packages)
	}
	for _, p := range packages {
		if !anyPrefix(p, allowed) {
			t.Errorf("the SDK imports %s", p)
		}
	}
}

func anyPrefix(p string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if p == prefix || strings.HasPrefix(p, prefix+"/") {
			return true
		}
	}
	return false
}
