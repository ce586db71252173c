package compare

import (
	"fmt"
	"testing"

	"github.com/event-gateway/gateway/gateway/config"
)

func TestDifferences(t *testing.T) {
	a := &config.Config{Routes: map[string]config.Route{"same": {}, "gone": {}, "changed": {Concurrency: 1}}}
	b := &config.Config{Routes: map[string]config.Route{"same": {}, "new": {}, "changed": {Concurrency: 2}}}
	if got := fmt.Sprint(Differences(a, b)); got != "[routes: +new -gone ~changed]" {
		t.Error(got)
	}
}
