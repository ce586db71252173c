//go:build unix

// Package examples runs every example as its README says: the real programs,
// started on the example's own files, are sent the recorded requests, and what
// comes of them is compared with expected.json.
package examples

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the test knows Berlin also where the host does not
)

var update = flag.Bool("update", false, "write what came out to expected.json")

func TestExamples(t *testing.T) {
	root := tree(t)
	t.Run("cases", func(t *testing.T) { cases(t, root) })
	t.Run("payment", func(t *testing.T) { story(t, root, "payment") })
	t.Run("github-push", func(t *testing.T) { otherBranches(t, story(t, root, "github-push")) })
	t.Run("daily-report", func(t *testing.T) { onSchedule(t, story(t, root, "daily-report")) })
	t.Run("notify", func(t *testing.T) { notify(t, root) })
	t.Run("hello", func(t *testing.T) { hello(t, root) })
}

// cases runs the cases of every example as its users would, without its secrets
// and its engines, and wants no route or condition left untried.
func cases(t *testing.T, root string) {
	folders, err := filepath.Glob("*/tests")
	if err != nil || len(folders) != 4 {
		t.Fatalf("folders with cases: %v, %v", folders, err)
	}
	documented(t, root)
	for _, folder := range folders {
		test := exec.Command(filepath.Join(root, "bin", "gateway"), "test", "--require-coverage")
		test.Dir, test.Env = filepath.Join(root, "examples", filepath.Dir(folder)), []string{"NO_COLOR=1"}
		if out, err := test.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "ok ") {
			t.Errorf("%s: %v\n%s", folder, err, out)
		}
	}
}

// documented runs the cases that docs/testing.md shows through the configuration
// that it shows, with the answer that it shows.
func documented(t *testing.T, root string) {
	text, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, shown := t.TempDir(), regexp.MustCompile("(?s)```(yaml)?\n(.*?)```").FindAllStringSubmatch(string(text), 3)
	write(t, filepath.Join(dir, "gateway.yaml"), []byte(shown[0][2]))
	if err := os.Mkdir(filepath.Join(dir, "tests"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tests", "deploys.yaml"), []byte(shown[1][2]))
	test := exec.Command(filepath.Join(root, "bin", "gateway"), "test", "--coverage")
	test.Dir, test.Env = dir, []string{"NO_COLOR=1"}
	out, err := test.CombinedOutput()
	took := regexp.MustCompile(`failed in .*`)
	want := took.ReplaceAllString(strings.TrimPrefix(shown[2][2], "$ gateway test --coverage\n"), "failed")
	if got := took.ReplaceAllString(string(out), "failed"); err != nil || got != want {
		t.Errorf("docs/testing.md: %v\n%s", err, out)
	}
}

// story sends what was recorded, in the order of the files' names, and
// compares what comes of it.
func story(t *testing.T, root, name string) *running {
	g := start(t, root, filepath.Join("examples", name))
	play(t, g, name)
	return g
}

// play sends the recorded requests of an example to its gateway.
func play(t *testing.T, g *running, name string) {
	t.Helper()
	requests, err := filepath.Glob(filepath.Join(name, "requests", "*.http"))
	if err != nil || len(requests) == 0 {
		t.Fatalf("no requests: %v", err)
	}
	var got outcomes
	dead := 0
	for _, file := range requests {
		o := g.send(file)
		got.Requests = append(got.Requests, o)
		dead += o.dead()
	}
	got.DeadLetters = g.deadLetters(dead)
	compare(t, filepath.Join(name, "expected.json"), got)
}

// outcomes is expected.json.
type outcomes struct {
	Requests    []outcome `json:"requests"`
	DeadLetters []outcome `json:"dead_letters,omitempty"`
}

// outcome is what one request, or one event, came to.
type outcome struct {
	Request    string     `json:"request,omitempty"`
	Status     int        `json:"status,omitempty"`
	Detail     string     `json:"detail,omitempty"`
	Type       string     `json:"event_type,omitempty"`
	Triggered  int        `json:"workflows_triggered"`
	Duplicate  bool       `json:"duplicate,omitempty"`
	Deliveries []delivery `json:"deliveries,omitempty"`
}

func (o outcome) dead() (n int) {
	for _, d := range o.Deliveries {
		if d.State == "dead" {
			n++
		}
	}
	return n
}

type delivery struct {
	Route    string          `json:"route"`
	Workflow string          `json:"workflow"`
	State    string          `json:"state"`
	Attempts int             `json:"attempts"`
	Message  string          `json:"message,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`
}

func compare(t *testing.T, path string, got outcomes) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(want) {
		t.Errorf("%s is different; now it is\n%s", path, text)
	}
}

// otherBranches names another branch in the configuration while the gateway
// runs: the list there decides, and nothing else does.
func otherBranches(t *testing.T, g *running) {
	g.edit("[refs/heads/main, refs/heads/production]", "[refs/heads/next]")
	g.run("reload", "--admin", strings.TrimPrefix(g.admin, "http://"))
	for branch, routes := range map[string]string{"main": "0 routes", "next": "1 route"} {
		answer := g.run("send", "--webhook", "github", "--event", "push", "--url", g.public+"/webhooks/github",
			"--data", `{"ref":"refs/heads/`+branch+`","deleted":false,"after":"c0ffee","repository":{"full_name":"acme-tea/shop"},"pusher":{"name":"mina"}}`)
		if !strings.HasSuffix(answer, ", "+routes+"\n") {
			t.Errorf("a push to %s: %q, want %s", branch, answer, routes)
		}
	}
}

// notify lets the gateway be its own partner: what one side signs, the other
// verifies.
func notify(t *testing.T, root string) {
	g := start(t, root, filepath.Join("examples", "notify"))
	g.edit("http://127.0.0.1:0/", g.public+"/") // any free port, known only now
	g.run("reload", "--admin", strings.TrimPrefix(g.admin, "http://"))
	play(t, g, "notify")
	heard := g.wait("what the partner heard", func() (*outcome, bool) {
		for _, e := range g.events("/webhooks/partner") {
			return g.outcome(e.ID)
		}
		return nil, false
	})
	d := heard.Deliveries
	if heard.Type != "partner.order.shipped" || len(d) != 1 || d[0].State != "succeeded" || string(d[0].Output) != `{"order":"A-1001","parcels":2}` {
		t.Errorf("the partner made of it %+v", heard)
	}
	if n := len(g.events("/webhooks/partner")); n != 1 {
		t.Errorf("the partner took %d events", n)
	}
}

// onSchedule waits for the clock rather than for a request: first the schedule
// as it stands, then, changed while the gateway runs, one for the impatient.
func onSchedule(t *testing.T, g *running) {
	var list struct {
		Schedules []struct {
			Name string
			Next time.Time
		}
	}
	g.get("/api/v1/schedules", &list)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Schedules) != 1 || list.Schedules[0].Next.In(berlin).Format("15:04:05") != "06:30:00" {
		t.Fatalf("the next report is not at half past six in Berlin: %+v", list)
	}
	g.edit("cron: \"30 6 * * *\"\n    timezone: Europe/Berlin", "every: 1s")
	found := g.wait("a report on schedule", func() (*outcome, bool) {
		for _, e := range g.events("/schedules/daily-report") {
			o, ended := g.outcome(e.ID)
			if ended {
				return o, true
			}
		}
		return nil, false
	})
	if d := found.Deliveries; found.Type != "generate_daily_report" || len(d) != 1 || d[0].State != "succeeded" {
		t.Errorf("the schedule came to %+v", found)
	}
}

// hello does what README.md at the root says.
func hello(t *testing.T, root string) {
	g := start(t, root, ".")
	secret, err := os.ReadFile(filepath.Join(root, "data", "secrets", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, "data", "secrets", "hello"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret is not for its owner alone: %v, %v", info.Mode(), err)
	}
	g.wait("a heartbeat", func() (*outcome, bool) {
		for _, e := range g.events("/schedules/heartbeat") {
			o, ended := g.outcome(e.ID)
			return o, ended && o.Deliveries[0].State == "succeeded"
		}
		return nil, false
	})

	answer := g.run("send", "--webhook", "hello", "--url", g.public+"/webhooks/hello", "--data", `{"name":"Ada"}`)
	if !strings.HasPrefix(answer, "accepted hello ") || !strings.HasSuffix(answer, ", 1 route\n") {
		t.Errorf("gateway send: %q", answer)
	}

	o := g.answer(signedHello(t, g.public, strings.TrimSpace(string(secret)), `{"name":"Grace","urgent":true}`))
	if o.Status != http.StatusAccepted || len(o.Deliveries) != 2 {
		t.Fatalf("by hand: %+v", o)
	}
	if d := o.Deliveries[0]; d.Route != "greet" || string(d.Output) != `{"greeting":"hello, Grace"}` {
		t.Errorf("greet: %+v %s", d, d.Output)
	}
	if d := o.Deliveries[1]; d.Route != "page" || d.State != "dead" || d.Attempts != 2 {
		t.Errorf("page: %+v", d)
	}
	letters := g.deadLetters(1)
	if d := letters[0].Deliveries; len(d) != 1 || d[0].Route != "on-dead" || d[0].State != "succeeded" {
		t.Errorf("the dead letter: %+v", letters)
	}
	if o := g.answer(signedHello(t, g.public, "not the secret of it", `{}`)); o.Status != http.StatusUnauthorized {
		t.Errorf("a wrong secret: %+v", o)
	}
}

// signedHello is the request that README.md makes with curl and openssl.
func signedHello(t *testing.T, public, secret, body string) *http.Request {
	t.Helper()
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", now, body)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, public+"/webhooks/hello", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Timestamp", now)
	r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return r
}
