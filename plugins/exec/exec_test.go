//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// TestMain lets the test binary be its own reaper.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == reapArg {
		reap(os.Stdin)
		return
	}
	os.Exit(m.Run())
}

// configured is an engine with a folder of scripts: name to text.
func configured(t *testing.T, config string, scripts map[string]string) (*engine, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		script(t, filepath.Join(dir, "workflows", name), "#!/bin/sh\n"+text)
	}
	e := newEngine()
	return e, e.Configure(t.Context(), &sdk.Config{JSON: []byte(config), BaseDir: dir})
}

// run runs one script.
func run(t *testing.T, ctx context.Context, text string) (string, error) {
	t.Helper()
	e, err := configured(t, `{"dir":"workflows"}`, map[string]string{"it.sh": text})
	if err != nil {
		t.Fatal(err)
	}
	result, err := e.Run(ctx, request("it"))
	out, jsonErr := json.Marshal(result.Output)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return string(out), err
}

func request(workflow string) *sdk.Request {
	return &sdk.Request{
		Key: "k1", Workflow: workflow, Attempt: 2, Input: json.RawMessage(`{"n":1}`),
		Event: sdk.Event{
			ID: "e1", Type: "github.push", Source: "/webhooks/github",
			Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Body: []byte(`{"ref":"main"}`),
		},
	}
}

func TestOutput(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"nothing", "", `{"stdout":""}`},
		{"object", `echo ' {"a": [1, 2]} '`, `{"a":[1,2]}`},
		{"array", `echo '[1]'`, `{"stdout":"[1]\n"}`},
		{"text", `echo hello`, `{"stdout":"hello\n"}`},
		{"torn object", `echo '{"a":'`, `{"stdout":"{\"a\":\n"}`},
		{"object that is no text", `printf '{"a":"\377"}'`, "{\"a\":\"\uFFFD\"}"},
		{"bytes", `printf '\377'`, `{"stdout":"\ufffd"}`},
		{"two objects", `echo '{} {}'`, `{"stdout":"{} {}\n"}`},
		{"stdin", `cat`, `{"key":"k1","workflow":"it","attempt":2,"event":{"id":"e1","source":"/webhooks/github","type":"github.push","time":"2026-01-02T03:04:05Z","data":{"ref":"main"}},"input":{"n":1}}`},
		{"variables", `echo $GATEWAY_KEY $GATEWAY_ATTEMPT $GATEWAY_EVENT_ID $GATEWAY_EVENT_TYPE $GATEWAY_EVENT_SOURCE $GATEWAY_EVENT_TIME`,
			`{"stdout":"k1 2 e1 github.push /webhooks/github 2026-01-02T03:04:05Z\n"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := run(t, t.Context(), tt.script); err != nil || got != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestLongText(t *testing.T) {
	got, err := run(t, t.Context(), `head -c 3000000 /dev/zero | tr '\0' x`)
	if want := len(`{"stdout":""}`) + maxText; err != nil || len(got) != want {
		t.Errorf("%d bytes, %v; want %d", len(got), err, want)
	}
}

// permanent is whether the SDK marked the error itself.
func permanent(err error) bool {
	return reflect.TypeOf(err) == reflect.TypeOf(sdk.Permanent(errors.New("")))
}

func TestExits(t *testing.T) {
	tests := []struct {
		name, script, want string
		permanent          bool
	}{
		{"one", "echo why >&2; exit 1", "exit status 1: why", false},
		{"usage", "exit 64", "exit status 64", true},
		{"data", "exit 65", "exit status 65", true},
		{"temporary", "exit 75", "exit status 75", false},
		{"config", "echo a >&2; echo b >&2; exit 78", "exit status 78: b", true},
		{"signal", "kill -9 $$", "signal: killed", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := run(t, t.Context(), tt.script)
			if err == nil || err.Error() != tt.want || permanent(err) != tt.permanent {
				t.Errorf("got %v, permanent %t", err, permanent(err))
			}
		})
	}
}

// The whole group ends, politely where it lets us.
func TestCancelKillsTheGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		defer cancel(errors.New("enough"))
		for n := 0; n < 2; {
			b, _ := os.ReadFile(pids)
			n = strings.Count(string(b), "\n")
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := run(t, ctx, `sleep 300 & echo $! >>`+pids+`; echo $$ >>`+pids+`; trap 'echo term >>`+pids+`; exit 65' TERM; wait`)
	if err == nil || err.Error() != "enough" || permanent(err) {
		t.Errorf("got %v", err)
	}
	b, _ := os.ReadFile(pids)
	if !strings.Contains(string(b), "term") {
		t.Error("the program was not asked first")
	}
	for _, line := range strings.Fields(string(b))[:2] {
		pid, _ := strconv.Atoi(line)
		waitGone(t, pid)
	}
}

// waitGone waits for init to have taken a killed orphan away.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if syscall.Kill(pid, 0) != nil || err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

func TestTimeout(t *testing.T) {
	e, err := configured(t, `{"commands":{"slow":{"command":["sleep","300"],"timeout":"50ms"}}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = e.Run(t.Context(), request("slow")); err == nil || err.Error() != "timed out after 50ms" || permanent(err) {
		t.Errorf("got %v", err)
	}
}

// A program that does not hear is made to end, with what it started.
func TestTimeoutOfTheDeaf(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	text := `trap '' TERM; sleep 300 & echo $! >>` + pids + `; echo $$ >>` + pids + `; wait; sleep 300`
	e, err := configured(t, `{"commands":{"deaf":{"command":["sh","-c",`+strconv.Quote(text)+`],"timeout":"500ms"}}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err = e.Run(t.Context(), request("deaf")); err == nil || err.Error() != "timed out after 500ms" || permanent(err) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took < killGrace || took > killGrace+10*time.Second {
		t.Errorf("it took %s", took)
	}
	b, _ := os.ReadFile(pids)
	if len(strings.Fields(string(b))) != 2 {
		t.Fatalf("started %q", b)
	}
	for _, line := range strings.Fields(string(b)) {
		pid, _ := strconv.Atoi(line)
		waitGone(t, pid)
	}
}

// What a program leaves behind must not keep its run from ending, whether it
// is in the group or has left it.
func TestGrandchildHoldsOutput(t *testing.T) {
	for name, text := range map[string]string{
		"in the group":  `sleep 300 & echo done`,
		"in a new one":  `setsid sleep 6 & echo done`,
		"deaf to input": `exec <&-; echo done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			got, err := run(t, t.Context(), text)
			if err != nil || got != `{"stdout":"done\n"}` {
				t.Errorf("got %s, %v", got, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestNothingIsLeftInTheGroup(t *testing.T) {
	got, err := run(t, t.Context(), `sleep 300 & echo "{\"pid\": $!}"`)
	var out struct{ Pid int }
	if err != nil || json.Unmarshal([]byte(got), &out) != nil || out.Pid < 2 {
		t.Fatalf("got %s, %v", got, err)
	}
	waitGone(t, out.Pid)
}

func TestLargeInputThatNobodyReads(t *testing.T) {
	e, err := configured(t, `{"dir":"workflows"}`, map[string]string{"it": "exit 0"})
	if err != nil {
		t.Fatal(err)
	}
	r := request("it")
	r.Event.Body = []byte(`"` + strings.Repeat("x", 4<<20) + `"`)
	if _, err := e.Run(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestEnvironment(t *testing.T) {
	for key, value := range map[string]string{
		"PLUGIN_CLIENT_CERT": "x", "GATEWAY_KEY": "forged", "EVENT_GATEWAY_ENGINE": "x", "OWN": "engine", "SHARED": "engine",
	} {
		t.Setenv(key, value)
	}
	r := request("c")
	r.Event.ID = "a\x00b"
	env := map[string]string{}
	for _, v := range (command{env: map[string]string{"SHARED": "command"}}).environ(r) {
		key, value, _ := strings.Cut(v, "=")
		env[key] = value
	}
	for key, want := range map[string]string{
		"PLUGIN_CLIENT_CERT": "", "EVENT_GATEWAY_ENGINE": "", "GATEWAY_KEY": "k1",
		"OWN": "engine", "SHARED": "command", "GATEWAY_EVENT_ID": "ab",
	} {
		if env[key] != want {
			t.Errorf("%s is %q, want %q", key, env[key], want)
		}
	}
	if env["PATH"] == "" {
		t.Error("no PATH")
	}
}

func TestConfigure(t *testing.T) {
	tests := []struct {
		name, config string
		scripts      []string
		want         string
	}{
		{"nothing", `null`, nil, "dir or commands is needed: there is nothing to run"},
		{"no folder", `{"dir":"nowhere"}`, nil, `no such file or directory`},
		{"typo", `{"dri":"x"}`, nil, `dri: unknown key (did you mean "dir"?)`},
		{"ambiguous", `{"dir":"workflows"}`, []string{"deploy.sh", "deploy.py"}, `dir: workflow "deploy" is ambiguous`},
		{"ambiguous with a command", `{"dir":"workflows","commands":{"deploy":{"command":["true"]}}}`, []string{"deploy.sh"}, `workflow "deploy" is ambiguous: `},
		{"no program", `{"commands":{"a":{"command":["./none"]}}}`, nil, `commands.a.command: "./none": no such file or directory`},
		{"not in PATH", `{"commands":{"a":{"command":["no-such-program"]}}}`, nil, `commands.a.command: "no-such-program": executable file not found`},
		{"no command", `{"commands":{"a":{}}}`, nil, "commands.a.command: needs at least the program"},
		{"timeout", `{"commands":{"a":{"command":["true"],"timeout":"soon"}}}`, nil, "commands.a.timeout: \"soon\" is not a length of time"},
		{"env", `{"commands":{"a":{"command":["true"],"env":{"GATEWAY_KEY":"x"}}}}`, nil, `commands.a.env: "GATEWAY_KEY" is set by the gateway`},
		{"NUL in env", `{"commands":{"a":{"command":["true"],"env":{"A":"x\u0000y"}}}}`, nil, `commands.a.env: "A" holds a NUL`},
		{"NUL in command", `{"commands":{"a":{"command":["true","x\u0000y"]}}}`, nil, `commands.a.command: holds a NUL`},
		{"work dir", `{"commands":{"a":{"command":["true"],"dir":"nowhere"}}}`, nil, "commands.a.dir: "},
		{"all at once", `{"commands":{"a":{},"b":{}}}`, nil, "commands.b.command: needs"},
		{"good", `{"dir":"workflows","commands":{"a":{"command":["./workflows/x.sh","y"],"timeout":"1m"}}}`, []string{"x.sh"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			scripts := map[string]string{}
			for _, s := range tt.scripts {
				scripts[s] = ""
			}
			_, err := configured(t, tt.config, scripts)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	e, err := configured(t, `{"dir":"workflows"}`, map[string]string{"a.sh": "", ".hidden.sh": "", "plain.sh": ""})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(e.dir, "plain.sh"), 0o644); err != nil {
		t.Fatal(err)
	}
	script(t, filepath.Join(e.dir, "sub", "b.sh"), "")
	names := func() string {
		d, err := e.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, w := range d.Workflows {
			out = append(out, w.Name)
		}
		return strings.Join(out, " ")
	}
	if got := names(); got != "a" {
		t.Errorf("workflows %q", got)
	}
	script(t, filepath.Join(e.dir, "new.py"), "#!/bin/sh\n")
	if got := names(); got != "a new" {
		t.Errorf("workflows %q after one was added", got)
	}
	for _, name := range []string{"../workflows/a", "sub/b", "a.sh", "", ".", "..", "/bin/true", ".hidden"} {
		if _, err := e.find(name); err == nil {
			t.Errorf("%q was found", name)
		}
	}
	err = e.Check(t.Context(), sdk.Route{Workflow: "plain"})
	if err == nil || err.Error() != `unknown workflow "plain": plain.sh is not executable` {
		t.Errorf("got %v", err)
	}
}

// A reaper that somebody killed is replaced, with all that it had to watch.
func TestReaperIsReplaced(t *testing.T) {
	r := &reaper{live: map[int]bool{}}
	gone := func() int { // a group that is not there any more
		p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		return p.Pid
	}
	if err := r.add(gone()); err != nil {
		t.Fatal(err)
	}
	first := r.tell
	if err := r.tell.Close(); err != nil { // as good as dead
		t.Fatal(err)
	}
	if err := r.add(gone()); err != nil {
		t.Fatal(err)
	}
	if r.tell == first || len(r.live) != 2 {
		t.Errorf("not replaced: %v", r.live)
	}
	if err := r.tell.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte(`{"a":1}`), 3)
	f.Add([]byte("{\xff"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		h := &head{limit: 64}
		l := &lines{log: slog.New(slog.DiscardHandler)}
		cut = max(0, min(cut, len(b)))
		for _, part := range [][]byte{b[:cut], b[cut:]} {
			_, _ = h.Write(part)
			_, _ = l.Write(part)
		}
		if _, err := json.Marshal(h.output()); err != nil {
			t.Error(err)
		}
		l.flush()
		if h.kept.Len() > 64 || len(l.last) > maxLine {
			t.Error("kept too much")
		}
	})
}
