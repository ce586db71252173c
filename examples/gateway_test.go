//go:build unix

package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// tree is a folder with what `make build` leaves in the repository: programs,
// configuration and examples, so that nothing is written to the real one.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, program := range []struct{ to, from string }{
		{"bin/gateway", "./cmd/gateway"}, {"bin/plugins/exec", "./plugins/exec"}, {"bin/plugins/http", "./plugins/http"},
	} {
		build := exec.Command("go", "build", "-o", filepath.Join(root, program.to), program.from)
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", program.from, err, out)
		}
	}
	for _, example := range []string{"hello", "payment", "github-push", "daily-report", "notify"} {
		if err := os.CopyFS(filepath.Join(root, "examples", example), os.DirFS(example)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("../gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "gateway.yaml"), text)
	return root
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// running is a gateway that runs.
type running struct {
	t             *testing.T
	program       string
	dir           string
	public, admin string // URLs
	env           []string

	mu  sync.Mutex
	log bytes.Buffer
}

// start runs the gateway in a folder of the tree until the test ends; then it
// must stop when asked, and say that all went well.
func start(t *testing.T, root, dir string) *running {
	t.Helper()
	g := &running{t: t, program: filepath.Join(root, "bin", "gateway"), dir: filepath.Join(root, dir)}
	g.env = append(environment(t, g.dir), "PATH="+os.Getenv("PATH"))
	// Any free ports: those of the file may be taken here.
	g.edit("127.0.0.1:8080", "127.0.0.1:0")
	g.edit("127.0.0.1:9090", "127.0.0.1:0")
	cmd := exec.Command(g.program, "run", "--log-format", "json")
	cmd.Dir, cmd.Env = g.dir, g.env
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, read := make(chan [2]string, 1), make(chan struct{})
	go g.read(stderr, ready, read)
	t.Cleanup(func() { g.stop(cmd, read) })
	select {
	case at := <-ready:
		g.public, g.admin = "http://"+at[0], "http://"+at[1]
	case <-read:
		t.Fatal("the gateway ended instead of being ready")
	case <-time.After(patience):
		t.Fatal("the gateway is not ready")
	}
	return g
}

// environment is what example.env sets.
func environment(t *testing.T, dir string) (env []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "example.env"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			env = append(env, line)
		}
	}
	return env
}

// read keeps the log, and finds in it where the gateway listens.
func (g *running) read(stderr io.Reader, ready chan<- [2]string, done chan<- struct{}) {
	defer close(done)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		g.mu.Lock()
		g.log.Write(append(lines.Bytes(), '\n'))
		g.mu.Unlock()
		var line struct{ Msg, Listen, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			ready <- [2]string{line.Listen, line.Admin}
		}
	}
}

func (g *running) stop(cmd *exec.Cmd, read <-chan struct{}) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		g.t.Error(err)
	}
	select {
	case <-read:
	case <-time.After(patience):
		g.t.Error("the gateway does not stop")
		_ = cmd.Process.Kill()
		<-read
	}
	if err := cmd.Wait(); err != nil {
		g.t.Errorf("the gateway ended badly: %v", err)
	}
	if g.t.Failed() {
		g.t.Logf("its log:\n%s", g.log.Bytes())
	}
}

// edit changes the configuration, as an editor does that renames a new file
// into place.
func (g *running) edit(from, to string) {
	g.t.Helper()
	path := filepath.Join(g.dir, "gateway.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		g.t.Fatalf("%s does not hold %q", path, from)
	}
	write(g.t, path+".new", bytes.ReplaceAll(text, []byte(from), []byte(to)))
	if err := os.Rename(path+".new", path); err != nil {
		g.t.Fatal(err)
	}
}

// run runs another verb of the gateway and returns what it prints.
func (g *running) run(args ...string) string {
	g.t.Helper()
	cmd := exec.Command(g.program, args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	out, err := cmd.Output()
	if err != nil {
		g.t.Errorf("gateway %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// send sends a recorded request to the listener that it is for.
func (g *running) send(file string) outcome {
	g.t.Helper()
	f, err := os.Open(file)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	r, err := http.ReadRequest(bufio.NewReader(f))
	if err != nil {
		g.t.Fatalf("%s: %v", file, err)
	}
	to := g.public
	if strings.HasPrefix(r.URL.Path, "/api/") {
		to = g.admin
	}
	if r.URL, err = url.Parse(to + r.RequestURI); err != nil {
		g.t.Fatal(err)
	}
	r.RequestURI, r.Host = "", ""
	o := g.answer(r)
	o.Request = filepath.Base(file)
	return o
}

// answer makes a request and follows its event to the end.
func (g *running) answer(r *http.Request) outcome {
	g.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		EventID   string `json:"event_id"`
		Type      string `json:"event_type"`
		Triggered int    `json:"workflows_triggered"`
		Duplicate bool
		Detail    string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		g.t.Fatalf("%s: %v", r.URL, err)
	}
	o := outcome{
		Status: resp.StatusCode, Detail: answer.Detail,
		Type: answer.Type, Triggered: answer.Triggered, Duplicate: answer.Duplicate,
	}
	if o.Status == http.StatusAccepted && !o.Duplicate {
		ended := g.wait("the end of "+answer.EventID, func() (*outcome, bool) { return g.outcome(answer.EventID) })
		o.Deliveries = ended.Deliveries
	}
	return o
}

// event is one as the API shows it.
type event struct {
	ID, Type   string
	Routed     int
	Deliveries []struct {
		Route, Engine, Workflow, State string
		Attempt                        int
		Last                           struct {
			Message string
			Output  json.RawMessage
		}
	}
}

// outcome is what an event came to, and whether all of it has ended.
func (g *running) outcome(id string) (*outcome, bool) {
	g.t.Helper()
	var e event
	g.get("/api/v1/events/"+url.PathEscape(id), &e)
	o := &outcome{Type: e.Type, Triggered: e.Routed}
	for _, d := range e.Deliveries {
		if !slices.Contains([]string{"succeeded", "dead", "discarded"}, d.State) {
			return o, false
		}
		o.Deliveries = append(o.Deliveries, delivery{
			Route: d.Route, Workflow: d.Engine + "/" + d.Workflow, State: d.State,
			Attempts: d.Attempt, Message: d.Last.Message, Output: d.Last.Output,
		})
	}
	slices.SortFunc(o.Deliveries, func(a, b delivery) int { return strings.Compare(a.Route, b.Route) })
	return o, len(e.Deliveries) == e.Routed
}

// events are those of a source, oldest first.
func (g *running) events(source string) []event {
	g.t.Helper()
	var list struct{ Events []event }
	g.get("/api/v1/events?source="+url.QueryEscape(source), &list)
	slices.Reverse(list.Events)
	return list.Events
}

// deadLetters waits for the events of as many dead deliveries.
func (g *running) deadLetters(n int) (letters []outcome) {
	g.t.Helper()
	if n == 0 {
		return nil
	}
	g.wait("the dead letters", func() (*outcome, bool) {
		letters = nil
		for _, e := range g.events("/gateway") {
			o, ended := g.outcome(e.ID)
			if !ended {
				return o, false
			}
			letters = append(letters, *o)
		}
		return nil, len(letters) == n
	})
	return letters
}

func (g *running) get(path string, into any) {
	g.t.Helper()
	resp, err := http.Get(g.admin + path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		g.t.Fatalf("%s: %s", path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		g.t.Fatalf("%s: %v", path, err)
	}
}

// wait asks until it is so.
func (g *running) wait(what string, so func() (*outcome, bool)) *outcome {
	g.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); ; <-again.C {
		o, ok := so()
		if ok {
			return o
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("%s does not come: %+v", what, o)
		}
	}
}
