//go:build unix && grapheteria

package grapheteria

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// site is the example in a folder of its own, with a gateway over several lives.
type site struct {
	t             *testing.T
	dir, gateway  string
	cmd           *exec.Cmd
	public, admin string

	mu  sync.Mutex
	log bytes.Buffer
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), gateway: filepath.Join(t.TempDir(), "gateway")}
	build := exec.Command("go", "build", "-o", s.gateway, "./cmd/gateway")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.CopyFS(s.dir, os.DirFS("../../examples/grapheteria")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, "gateway.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plugin := filepath.Join(install(t), "grapheteria")
	fresh := strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:9090", "127.0.0.1:0",
		"../../bin/plugins/grapheteria", plugin).Replace(string(text))
	if err := os.WriteFile(path, []byte(fresh), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

// start starts the gateway and waits until it is ready.
func (s *site) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.gateway, "run", "--log-format", "json")
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "SHOP_SECRET="+secret)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan [2]string, 1)
	go s.read(stderr, ready)
	select {
	case at, ok := <-ready:
		if !ok {
			s.t.Fatalf("the gateway ended:\n%s", s.said())
		}
		s.public, s.admin = "http://"+at[0], "http://"+at[1]
	case <-time.After(patience):
		s.t.Fatalf("the gateway is not ready:\n%s", s.said())
	}
}

// read keeps the log and finds in it where the gateway listens.
func (s *site) read(stderr io.Reader, ready chan<- [2]string) {
	defer close(ready)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		s.mu.Lock()
		s.log.Write(append(lines.Bytes(), '\n'))
		s.mu.Unlock()
		var line struct{ Msg, Listen, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			ready <- [2]string{line.Listen, line.Admin}
		}
	}
}

func (s *site) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// kill ends the gateway without a word, and nothing else.
func (s *site) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *site) end() {
	if s.cmd != nil {
		s.kill()
	}
	if s.t.Failed() {
		s.t.Logf("the log:\n%s", s.said())
	}
}

const secret = "a secret of this test"

// send sends a signed order.
func (s *site) send(id string, amount int) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{
		"event": "order.placed", "id": id, "order": map[string]any{"number": "A-" + id, "amount": amount},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.public+"/webhooks/shop", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Shop-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusAccepted {
		s.t.Fatalf("%s: %s", resp.Status, text)
	}
}

// delivery is what the API tells of one.
type delivery struct {
	ID, State string
	Attempt   int
	Last      struct {
		Message string
		RunID   string `json:"run_id"`
		Output  json.RawMessage
	}
}

// one waits until the only delivery is in a state.
func (s *site) one(state string, count int) delivery {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last []byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		resp, err := http.Get(s.admin + "/api/v1/deliveries?state=" + state)
		if err != nil {
			s.t.Fatal(err)
		}
		last, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var list struct{ Deliveries []delivery }
		if json.Unmarshal(last, &list) == nil && len(list.Deliveries) == count {
			return list.Deliveries[0]
		}
	}
	s.t.Fatalf("no delivery is %s: %s", state, last)
	return delivery{}
}

// lines are those of a file that the nodes write.
func (s *site) lines(name string) []string {
	text, err := os.ReadFile(filepath.Join(s.dir, "data", name))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// A signed webhook starts a workflow that waits for a person. The gateway is
// killed; the question is still there when it is back; it is answered on the
// command line, and the run goes on where it was, once.
func TestGateway(t *testing.T) {
	s := newSite(t)
	s.start()
	s.send("1", 40)
	small := s.one("succeeded", 1)
	if got, want := s.lines("shipped.log"), []string{"A-1 " + small.ID}; !slices.Equal(got, want) {
		t.Errorf("shipped %q, want %q", got, want)
	}

	s.send("2", 900)
	before := s.one("waiting", 1)
	s.kill()
	s.start()
	after := s.one("waiting", 1)
	if before.ID != after.ID || before.Attempt != after.Attempt {
		t.Errorf("before the crash %+v, after it %+v", before, after)
	}
	if out := s.runs("show", after.ID); !strings.Contains(out, "A-2") || !strings.Contains(out, `"approve"`) {
		t.Errorf("the question:\n%s", out)
	}
	if out := s.runs("answer", after.ID, "perhaps"); !strings.Contains(out, "does not fit") {
		t.Errorf("an answer that is not among the options:\n%s", out)
	}
	if out := s.runs("answer", after.ID, "approve"); !strings.Contains(out, "has its answer") {
		t.Errorf("the answer:\n%s", out)
	}
	ended := s.one("succeeded", 2)
	if ended.ID != after.ID || !strings.Contains(string(ended.Last.Output), `"decision":"approve"`) {
		t.Errorf("ended as %+v %s", ended, ended.Last.Output)
	}
	if got, want := s.lines("shipped.log"), []string{"A-1 " + small.ID, "A-2 " + after.ID}; !slices.Equal(got, want) {
		t.Errorf("shipped %q, want %q", got, want)
	}
}

// runs is the command line's verb, and all that it says.
func (s *site) runs(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.gateway, append([]string{"runs", "--admin", strings.TrimPrefix(s.admin, "http://")}, args...)...)
	cmd.Dir = s.dir
	out, _ := cmd.CombinedOutput() // a refusal is said, too
	return string(out)
}
