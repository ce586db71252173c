package gateway

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/event-gateway/gateway/"

// allowed is the layering of the gateway's side: for each package, from the
// lowest floor up, what it imports of this module and of strangers' modules.
// An import that is not here is a decision that has not been made.
var allowed = []struct{ name, imports, third string }{
	// 1: values and what is known about them
	{"gateway/event", "", ""},
	{"gateway/expr", "event", "cel.dev/cel-go google.golang.org/protobuf"},
	{"gateway/verify", "", ""},
	{"gateway/config/files", "", "github.com/fsnotify/fsnotify"},
	{"gateway/config/document", "config/files", "gopkg.in/yaml.v3"},
	{"gateway/config/decode", "config/document config/files", "gopkg.in/yaml.v3"},
	{"gateway/config/write", "", "gopkg.in/yaml.v3"},
	{"gateway/config/value", "config/decode", ""},
	{"gateway/config/slip", "", ""},
	{"gateway/config/layout", "config/document", "gopkg.in/yaml.v3"},
	{"gateway/config", "config/decode config/document config/files config/slip config/value", ""},
	{"gateway/config/describe", "config", ""},
	// 2: deciding and remembering
	{"gateway/route", "event expr", ""},
	{"gateway/store", "event", ""},
	{"gateway/store/sqlite/folder", "", "golang.org/x/sys"},
	{"gateway/store/sqlite/blob", "store/sqlite/folder", ""},
	{"gateway/store/sqlite/conn", "store/sqlite/blob", "modernc.org/sqlite"},
	{"gateway/store/sqlite/record", "event store", ""},
	{"gateway/store/sqlite/pack", "store store/sqlite/blob store/sqlite/conn", "github.com/klauspost/compress"},
	{"gateway/store/sqlite/ended", "store store/sqlite/conn store/sqlite/pack store/sqlite/record", ""},
	{"gateway/store/sqlite/blocks", "store store/sqlite/conn store/sqlite/ended store/sqlite/pack store/sqlite/record", ""},
	{"gateway/store/sqlite/keys/run", "store store/sqlite/conn", ""},
	{"gateway/store/sqlite/keys", "store store/sqlite/blocks store/sqlite/conn store/sqlite/keys/run", ""},
	{"gateway/store/sqlite/schema", "event store store/sqlite/blocks store/sqlite/conn store/sqlite/ended store/sqlite/record", ""},
	{"gateway/store/sqlite/retain", "store store/sqlite/conn", ""},
	{"gateway/store/sqlite/journal", "", "golang.org/x/sys"},
	{"gateway/store/sqlite/rows", "store store/sqlite/blocks store/sqlite/conn store/sqlite/ended store/sqlite/record", ""},
	{"gateway/store/sqlite/history", "store store/sqlite/conn store/sqlite/record store/sqlite/rows", ""},
	{"gateway/store/sqlite/integrity", "store/sqlite/rows", ""},
	{"gateway/store/sqlite/fill", "store store/sqlite/blocks store/sqlite/conn store/sqlite/ended store/sqlite/record store/sqlite/rows", ""},
	{"gateway/store/sqlite", "event store store/sqlite/blocks store/sqlite/conn store/sqlite/fill store/sqlite/folder store/sqlite/history store/sqlite/integrity store/sqlite/journal store/sqlite/keys store/sqlite/keys/run store/sqlite/pack store/sqlite/record " +
		"store/sqlite/retain store/sqlite/rows store/sqlite/schema", "golang.org/x/sys"},
	{"gateway/store/storetest", "event store", "github.com/google/go-cmp"},
	// 3: sources and engines
	{"gateway/engine/process", "", "go.uber.org/zap golang.org/x/sys github.com/hashicorp/go-plugin"},
	{"gateway/engine/link", "event plugins/sdk/batch plugins/sdk/message plugins/sdk/proto/engine/v1", "google.golang.org/grpc google.golang.org/protobuf"},
	{"gateway/engine", "engine/link engine/process plugins/sdk/wire plugins/sdk/proto/engine/v1",
		"github.com/hashicorp/go-plugin github.com/hashicorp/go-hclog go.uber.org/zap google.golang.org/grpc google.golang.org/protobuf"},
	{"gateway/intake", "event route store", "go.uber.org/zap"},
	{"gateway/webhook/gate", "", ""},
	{"gateway/webhook/fastpath", "", ""},
	{"gateway/webhook/cloudevents", "event", ""},
	{"gateway/webhook/handshake", "event verify", ""},
	{"gateway/webhook/schema", "", "github.com/santhosh-tekuri/jsonschema/v6 golang.org/x/text"},
	{"gateway/webhook", "event expr store verify webhook/cloudevents webhook/fastpath webhook/gate webhook/handshake webhook/schema", "go.uber.org/zap golang.org/x/net"},
	{"gateway/schedule/cron", "", ""},
	{"gateway/schedule", "event schedule/cron store", "go.uber.org/zap"},
	// 4: running and showing
	{"gateway/dispatch/pace", "", ""},
	{"gateway/dispatch/outcome", "engine event store", "go.uber.org/zap"},
	{"gateway/dispatch/named", "", ""},
	{"gateway/dispatch/attempt", "dispatch/outcome engine", ""},
	{"gateway/dispatch", "dispatch/attempt dispatch/named dispatch/outcome dispatch/pace engine event store", "go.uber.org/zap"},
	{"gateway/gather", "dispatch/outcome event store", "go.uber.org/zap"},
	{"gateway/rehearse", "event route", ""},
	{"gateway/rehearse/plan", "event expr rehearse route", ""},
	{"gateway/api/access", "", ""},
	{"gateway/api/live", "", ""},
	{"gateway/api/ask", "", "go.uber.org/zap"},
	{"gateway/api/declare", "api/ask", "go.uber.org/zap"},
	{"gateway/api/steer", "api/ask store", "go.uber.org/zap"},
	{"gateway/api/runs", "api/ask store", "go.uber.org/zap"},
	{"gateway/api/engines", "api/ask", ""},
	{"gateway/api/explain", "api/ask rehearse store", ""},
	{"gateway/api/replay", "api/ask event store", "go.uber.org/zap"},
	{"gateway/api/revisions", "api/ask store", ""},
	{"gateway/api", "api/access api/ask api/declare api/engines api/explain api/live api/replay api/revisions api/runs api/steer event store", "go.uber.org/zap github.com/google/uuid"},
	{"gateway/metrics", "api", "go.uber.org/zap github.com/prometheus/client_golang"},
	{"gateway/ui", "api event store", "go.uber.org/zap"},
	// 5: all together
	{"gateway/backlog", "store", "go.uber.org/zap"},
	{"gateway/reloads", "api", ""},
	{"gateway/lifetime", "", "go.uber.org/zap"},
	{"gateway/compare", "api/revisions config", ""},
	{"gateway/history", "api/revisions compare config config/files store store/sqlite", "github.com/rogpeppe/go-internal"},
	{"gateway/consult", "engine route", ""},
	{"gateway/trial", "engine", "go.uber.org/zap"},
	{"gateway/overlay", "api api/ask api/declare config config/write", ""},
	{"gateway/rehearse/script", "config/decode config/document config/files", ""},
	{"gateway/rehearse/record", "config/write rehearse rehearse/script", ""},
	{"gateway/rehearse/stage", "config/decode event intake rehearse rehearse/script route schedule store webhook", "go.uber.org/zap"},
	{"gateway/again", "api/replay config event intake route store", ""},
	{"gateway/routing", "api/explain history config dispatch dispatch/outcome dispatch/pace expr gather intake rehearse route store", ""},
	{"gateway/timetable", "api/steer config overlay schedule store", ""},
	{"gateway/underway", "api api/engines api/runs dispatch dispatch/attempt engine gather store webhook/schema", "go.uber.org/zap"},
	{"gateway", "again api api/access api/ask api/declare api/live api/steer backlog compare consult history lifetime metrics overlay reloads routing timetable trial underway ui " +
		"config config/decode config/document config/files " +
		"dispatch engine event expr gather intake route " +
		"schedule schedule/cron " +
		"store store/sqlite verify " +
		"webhook webhook/gate webhook/handshake webhook/schema",
		"go.uber.org/zap golang.org/x/sys"},
}

// listed is a package as `go list -json` tells of it.
type listed struct {
	ImportPath, Dir, Doc string
	GoFiles, Imports     []string
}

// list lists packages of this module.
func list(t *testing.T, patterns ...string) (found []listed) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Doc,GoFiles,Imports"}, patterns...)...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &problems)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		found = append(found, p)
	}
	return found
}

func TestLayers(t *testing.T) {
	for _, p := range list(t, module+"gateway/...") {
		i := slices.IndexFunc(allowed, func(a struct{ name, imports, third string }) bool { return a.name == p.ImportPath })
		if i < 0 {
			t.Errorf("%s is not in the table of packages in this file", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !mayImport(imported, strings.Fields(allowed[i].imports), strings.Fields(allowed[i].third)) {
				t.Errorf("%s imports %s, which the table in this file does not allow", p.ImportPath, imported)
			}
		}
	}
}

func mayImport(imported string, own, third []string) bool {
	if short, ok := strings.CutPrefix(imported, module); ok {
		return slices.Contains(own, short) || slices.Contains(own, strings.TrimPrefix(short, "gateway/"))
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return true // the standard library
	}
	return slices.ContainsFunc(third, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") })
}

// TestFloors: what a package may import stands above it in the table.
func TestFloors(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range allowed {
		if p.name == "gateway" {
			break // alone on its floor
		}
		for _, imported := range strings.Fields(p.imports) {
			if full := path.Join("gateway", imported); !strings.HasPrefix(imported, "plugins/") && !seen[full] {
				t.Errorf("%s may import %s, which is not below it", p.name, imported)
			}
		}
		seen[p.name] = true
	}
}

// TestContractSide: plugins know nothing of the gateway, and strangers'
// modules have their places.
func TestContractSide(t *testing.T) {
	places := map[string][]string{
		"github.com/spf13/cobra":         {"cmd/"},
		"github.com/hashicorp/go-plugin": {"gateway/engine", "plugins/sdk", "test/compat"},
		"github.com/hashicorp/go-hclog":  {"gateway/engine", "plugins/sdk"},
		"modernc.org/":                   {"gateway/store/sqlite/conn"},
		"github.com/santhosh-tekuri/":    {"gateway/webhook/schema", "test/contract"},
		"gopkg.in/yaml.v3":               {"gateway/config/", "cmd/gateway/screen"}, // reads; prints
		"go.uber.org/zap":                {"gateway", "cmd/"},
	}
	for _, p := range list(t, module+"...") {
		for _, imported := range p.Imports {
			if strings.HasPrefix(p.ImportPath, "plugins/") && strings.HasPrefix(imported, module+"gateway") {
				t.Errorf("%s imports %s: the contract's side stands alone", p.ImportPath, imported)
			}
			for third, where := range places {
				if strings.HasPrefix(imported, third) && !slices.ContainsFunc(where, func(w string) bool { return strings.HasPrefix(p.ImportPath, w) }) {
					t.Errorf("%s imports %s, which belongs in %v", p.ImportPath, imported, where)
				}
			}
		}
	}
}
