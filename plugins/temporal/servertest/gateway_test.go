package servertest

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
)

const gatewayYAML = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  temporal:
    plugin: %s
    config:
      address: %s
      namespace: %s
      task_queue: %s
      workflows:
        order: {type: Hang, wait: true}
webhooks:
  github: {scheme: github, secrets: ["${env:SECRET}"]}
routes:
  order:
    events: [github.push]
    run: temporal/order
    with: {commit: "${{ event.data.after }}"}
`

// secret signs the webhook.
const secret = "a secret of the temporal tests"

// gateway is one process of the gateway.
type gateway struct {
	t             *testing.T
	cmd           *exec.Cmd
	listen, admin string
	gone          chan struct{}
	log           words
}

// open starts the gateway in a folder and waits until it is ready.
func open(t *testing.T, dir string) *gateway {
	t.Helper()
	g := &gateway{t: t, gone: make(chan struct{})}
	g.cmd = exec.Command(the.gateway, "run", "--config", filepath.Join(dir, "gateway.yaml"), "--log-format", "json")
	g.cmd.Env = append(os.Environ(), "SECRET="+secret)
	stderr, err := g.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.end(syscall.SIGKILL) })
	ready := make(chan struct{})
	go func() {
		defer close(g.gone)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintf(&g.log, "%s\n", lines.Bytes())
			var line struct{ Msg, Listen, Admin string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
				g.listen, g.admin = line.Listen, line.Admin
				close(ready)
			}
		}
		_ = g.cmd.Wait()
	}()
	select {
	case <-ready:
	case <-g.gone:
		t.Fatalf("the gateway ended:\n%s", g.log.String())
	case <-time.After(patience):
		t.Fatalf("the gateway is not ready:\n%s", g.log.String())
	}
	return g
}

// end ends the gateway, and waits until it has.
func (g *gateway) end(sig syscall.Signal) {
	_ = g.cmd.Process.Signal(sig) // it may be gone
	select {
	case <-g.gone:
	case <-time.After(patience):
		g.t.Errorf("the gateway does not end:\n%s", g.log.String())
	}
	if g.t.Failed() {
		g.t.Logf("the gateway said:\n%s", g.log.String())
	}
}

// push is GitHub telling of one.
func (g *gateway) push(id, body string) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "http://"+g.listen+"/webhooks/github", bytes.NewBufferString(body))
	if err != nil {
		g.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": id,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		g.t.Fatalf("the webhook was answered %s", resp.Status)
	}
}

// one is the only delivery there is.
type one struct {
	ID, State string
	Attempt   int
	RunID     string `json:"run_id"`
}

func (g *gateway) one() one {
	g.t.Helper()
	resp, err := http.Get("http://" + g.admin + "/api/v1/deliveries")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Deliveries []one }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Deliveries) != 1 {
		g.t.Fatalf("deliveries: %+v %v", list, err)
	}
	return list.Deliveries[0]
}

// A signed webhook starts a workflow that lives in Temporal. The gateway is
// killed while it runs, and its engine with it; the gateway that comes after
// takes the same run up and records its end. There was one workflow, and one
// attempt.
func TestGatewayIsKilled(t *testing.T) {
	serve(t)
	dir := t.TempDir()
	yaml := fmt.Sprintf(gatewayYAML, the.engine, the.server.GetFrontendHostPort(), the.server.GetDefaultNamespace(), queue)
	if err := os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	first := open(t, dir)
	first.push("3b1a2c60-0000-11ef-8000-000000000001", `{"after":"4f2c","ref":"refs/heads/main"}`)
	until(t, "the delivery to be running, with its run", func() bool {
		d := first.one()
		return d.State == "running" && d.RunID != ""
	})
	before := first.one()
	id := "gateway-" + before.ID
	first.end(syscall.SIGKILL)
	status(t, id, enums.WORKFLOW_EXECUTION_STATUS_RUNNING)

	second := open(t, dir)
	let(t, id, "shipped")
	until(t, "the delivery to have succeeded", func() bool { return second.one().State == "succeeded" })
	if after := second.one(); after.ID != before.ID || after.RunID != before.RunID || after.Attempt != 1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	runs(t, id, 1)
	in := events(t, id, "")[0].GetWorkflowExecutionStartedEventAttributes().Input.Payloads[0].Data
	if string(in) != `{"commit":"4f2c"}` {
		t.Errorf("input %s", in)
	}
	second.end(syscall.SIGTERM)
	if code := second.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}
