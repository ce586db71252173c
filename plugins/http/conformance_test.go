package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

func TestConformance(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "http")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
	})
	config := `{"allow":["127.0.0.1"],"requests":{"notify":{"url":"URL/","secrets":["` + vectorSecret + `"]},"slow":{"url":"URL/slow","timeout":"5m"}}}`
	sdktest.Run(t, sdktest.Options{
		Command:   []string{binary},
		Config:    json.RawMessage(strings.ReplaceAll(config, "URL", s.URL)),
		BadConfig: json.RawMessage(`{"requests":{"notify":{"url":"http://127.0.0.1/"}}}`),
		Workflow:  "notify",
		Slow:      "slow",
		Input:     json.RawMessage(`{"n": 1}`),
	})
}
