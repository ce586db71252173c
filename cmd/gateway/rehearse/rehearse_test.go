package rehearse

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
)

// write makes a file, with the folder that it is in.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// many makes a configuration of n routes, all of which look at the same type,
// and a case for each: requests and events by turns.
func many(t testing.TB, dir string, n int) (config, folder string) {
	t.Helper()
	var out strings.Builder
	out.WriteString("version: 1\nengines: {exec: {plugin: ./exec}}\nwebhooks: {hub: {scheme: github, secrets: ['${env:HUB}']}}\nroutes:\n")
	for i := range n {
		fmt.Fprintf(&out, `  route-%[1]d:
    events: [github.push, 'source%[1]d.*']
    match: {data.repository.full_name: [acme/repo-%[1]d, acme/other-%[1]d], data.ref: refs/heads/main}
    when: event.data.commits.exists(c, c.modified.exists(f, f.startsWith("services/%[1]d/")))
    run: exec/deploy
    with: {repo: "${{ event.data.repository.full_name }}", title: "deploy ${{ event.data.after.substring(0, 7) }}"}
    key: event.data.repository.full_name
`, i)
	}
	config, folder = filepath.Join(dir, "gateway.yaml"), filepath.Join(dir, "tests")
	write(t, config, out.String())
	for first := 0; first < n; first += 100 {
		out.Reset()
		out.WriteString("env: {HUB: secret-of-decent-length-1}\ncases:\n")
		for i := first; i < min(first+100, n); i++ {
			data := fmt.Sprintf(`{ref: refs/heads/main, after: c0ffeec0ffee, repository: {full_name: acme/repo-%[1]d}, commits: [{modified: [services/%[1]d/main.go]}]}`, i)
			comes := "event: {type: github.push, data: " + data + "}"
			if i%2 == 0 {
				comes = "request: {webhook: hub, event: push, body: " + data + "}"
			}
			fmt.Fprintf(&out, "  case %[1]d:\n    %[2]s\n    expect:\n      routes: {route-%[1]d: {key: acme/repo-%[1]d, input: {repo: acme/repo-%[1]d, title: deploy c0ffeec}}}\n      not: {route-%[3]d: data.repository.full_name}\n",
				i, comes, (i+1)%n)
		}
		write(t, filepath.Join(folder, fmt.Sprintf("%04d.yaml", first)), out.String())
	}
	return config, folder
}

// TestMany: cases do not disturb one another, and the configuration is compiled
// once for all files that see the same environment.
func TestMany(t *testing.T) {
	t.Parallel()
	config, folder := many(t, t.TempDir(), 120)
	write(t, filepath.Join(folder, "other.yaml"), "env: {HUB: another-secret-of-length}\ncases:\n  one: {event: {type: x}, expect: {}}\n")
	p, err := play(context.Background(), config, folder, nil)
	if err != nil || !p.report.OK() || p.report.Passed != 121 || len(p.stages) != 2 {
		t.Fatalf("%v, %d passed on %d stages: %+v", err, p.report.Passed, len(p.stages), p.report.Problems)
	}
	if c := p.report.Coverage; c.Routes != 120 || c.Matched != 120 || c.Conditions != 360 || c.Decided != 120 {
		t.Errorf("%d of %d, %d of %d", c.Matched, c.Routes, c.Decided, c.Conditions)
	}
}

// BenchmarkThousand is a thousand cases against a thousand routes, from the
// files to the report: two seconds are what it may take.
func BenchmarkThousand(b *testing.B) {
	config, folder := many(b, b.TempDir(), 1000)
	for b.Loop() {
		p, err := play(context.Background(), config, folder, nil)
		if err != nil || p.report.Passed != 1000 {
			b.Fatal(err, p.report.Passed)
		}
	}
}

// paper is a screen that can be read while it is written.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (p *paper) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(text)
	select {
	case p.more <- struct{}{}:
	default:
	}
	return len(text), nil
}

// wait until a text is there; then all of it is gone.
func (p *paper) wait(t *testing.T, want string) {
	t.Helper()
	for end := time.After(30 * time.Second); ; {
		p.mu.Lock()
		if got := p.text.String(); strings.Contains(got, want) && strings.HasSuffix(got, "\n") {
			p.text.Reset()
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-end:
			t.Fatalf("no %q in %q", want, p.text.String())
		}
	}
}

// TestWatch: any file that matters makes the cases run again: the configuration,
// a case, what a case names, and one that is new.
func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	config := "version: 1\nengines: {e: {plugin: x}}\nroutes: {r: {events: [%s], run: e/w}}\n"
	write(t, at("gateway.yaml"), fmt.Sprintf(config, "a"))
	write(t, at("tests/one.yaml"), "cases: {one: {event: ev.json, expect: {routes: {r: }}}}\n")
	write(t, at("tests/ev.json"), `{"type":"a"}`)
	out := &paper{more: make(chan struct{}, 1)}
	d := &Desk{Screen: &screen.Screen{Out: out, Format: screen.Table, Now: time.Now}, Err: out, Config: func() string { return at("gateway.yaml") }}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.watch(ctx, testFlags{folder: at("tests")}, nil) }()

	out.wait(t, "1 case passed, 0 failed")
	write(t, at("gateway.yaml"), fmt.Sprintf(config, "b"))
	out.wait(t, `the type "a" is not "b"`)
	write(t, at("tests/ev.json"), `{"type":"b"}`)
	out.wait(t, "1 case passed, 0 failed")
	write(t, at("tests/two.yaml"), "cases: {two: {event: {type: x}, expect: {routes: {r: }}}}\n")
	out.wait(t, "1 case passed, 1 failed")
	write(t, at("gateway.yaml"), "version: 1\nnope: 1\n")
	out.wait(t, "unknown key")
	write(t, at("gateway.yaml"), fmt.Sprintf(config, "b, x"))
	out.wait(t, "2 cases passed, 0 failed")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
