package compare

import (
	"reflect"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/config"
)

const engines = `version: 1
engines:
  a: {plugin: /bin/a, args: [x], env: {HOME: /tmp}, config: {n: 1}, limits: {in_flight: 1, timeout: 1s}}
  b: {plugin: /bin/b}
webhooks:
  w: {scheme: token, secrets: [a-secret-of-this-test], signature: {header: X-T}, max_body: 2MiB}
`

// An engine restarts for what its process is started with, and for nothing else.
func TestEngines(t *testing.T) {
	load := func(text string) *config.Config {
		doc, problems := config.Parse("gateway.yaml", []byte(text), config.Options{NoSecrets: true})
		if problems.Failed() {
			t.Fatal(problems)
		}
		return doc.Config
	}
	for _, c := range []struct {
		from, to string
		want     []Engine
	}{
		{"version: 1", "version: 1 # the same", nil},
		{"/bin/a", "/bin/c", []Engine{{"a", "restarts", []string{"plugin"}}}},
		{"[x]", "[y]", []Engine{{"a", "restarts", []string{"args"}}}},
		{"/tmp", "/var/tmp", []Engine{{"a", "restarts", []string{"env"}}}},
		{"{n: 1}", "{n: 2}", []Engine{{"a", "restarts", []string{"config"}}}},
		{"in_flight: 1, timeout: 1s", "in_flight: 2, timeout: 2s", nil},
		{"in_flight: 1", "memory: 1GiB", []Engine{{"a", "restarts", []string{"limits.memory"}}}},
		{"/bin/b", "/bin/b, transport: plain", []Engine{{"b", "restarts", []string{"transport"}}}},
		{"  b: {", "  c: {", []Engine{{Name: "b", Kind: "stops"}, {Name: "c", Kind: "starts"}}},
		{"2MiB", "3MiB", []Engine{{"a", "restarts", []string{"max_body"}}, {"b", "restarts", []string{"max_body"}}}},
	} {
		if got := Engines(load(engines), load(strings.Replace(engines, c.from, c.to, 1))); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s → %s: %+v, want %+v", c.from, c.to, got, c.want)
		}
	}
}
