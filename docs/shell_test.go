//go:build unix

package docs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = 2 * time.Minute
	// mark is the line that ends what a command prints.
	mark = "---- that was it: "
	// What the pages call the two addresses of the gateway.
	defaultListen, defaultAdmin = "127.0.0.1:8080", "127.0.0.1:9090"
)

// claimed are the ports that a page of this run has been given.
var claimed sync.Map

// shell is what a reader types in: one that goes on from command to command, in
// a folder of its own.
type shell struct {
	t             *testing.T
	programs      string // the folder of bin
	root, dir     string // a folder that stands for the clone, and where the page's files are in it
	listen, admin string
	in            io.Writer
	lines         chan string
	ids           map[string]string // those that the page shows → those of this run
	seen          []string          // ids that were printed
}

// open starts a shell in a copy of a folder.
func open(t *testing.T, programs, folder string) *shell {
	t.Helper()
	root := t.TempDir()
	s := &shell{t: t, programs: programs, root: root, dir: filepath.Join(root, "docs", folder), lines: make(chan string, 1000), ids: map[string]string{}}
	s.listen, s.admin = ports(t)
	s.copy(folder)
	for name, to := range map[string]string{
		"bin": filepath.Join(programs, "bin"), "plugins": source(t, "plugins"), "go.mod": source(t, "go.mod"), "go.sum": source(t, "go.sum"),
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.move()
	cmd := exec.Command("sh")
	cmd.Dir = s.dir
	cmd.Env = []string{
		"PATH=" + filepath.Join(root, "bin") + ":" + os.Getenv("PATH"), "HOME=" + root, "NO_COLOR=1", "TZ=UTC",
		"GOCACHE=" + goEnv(t, "GOCACHE"), "GOMODCACHE=" + goEnv(t, "GOMODCACHE"),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.in = in
	go s.read(out)
	t.Cleanup(func() { s.close(cmd) })
	fmt.Fprintln(in, "exec 2>&1")
	return s
}

// copy takes what git would, and so nothing of what trying a page leaves.
func (s *shell) copy(folder string) {
	s.t.Helper()
	for _, file := range listed(s.t, folder) {
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			s.t.Fatal(err)
		}
		to := filepath.Join(s.root, "docs", file)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(to, text, info.Mode()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// read hands over what is printed.
func (s *shell) read(out io.Reader) {
	defer close(s.lines)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.lines <- lines.Text()
	}
}

// close ends the shell and all that it started.
func (s *shell) close(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	hurry := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer hurry.Stop()
	for range s.lines { // until nobody holds the output any more
	}
	_ = cmd.Wait()
	if log, err := os.ReadFile(filepath.Join(s.dir, "run.log")); err == nil && s.t.Failed() {
		s.t.Logf("the gateway's log:\n%s", log)
	}
}

// move lets the configurations of the folder listen at the ports of this run.
func (s *shell) move() {
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		now := s.here(string(text))
		if filepath.Ext(path) == ".yaml" && strings.HasPrefix(now, "version: 1\n") && !strings.Contains(now, "\nserver:") {
			now += "\nserver: {listen: " + s.listen + ", admin: " + s.admin + "}\n"
		}
		return os.WriteFile(path, []byte(now), info.Mode())
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// here is a text with the addresses of this run in place of those of the page;
// there is the way back.
func (s *shell) here(text string) string {
	return strings.NewReplacer(defaultListen, s.listen, defaultAdmin, s.admin).Replace(text)
}

func (s *shell) there(text string) string {
	return strings.NewReplacer(s.listen, defaultListen, s.admin, defaultAdmin, s.dir, "/srv/gateway", s.root, "/opt/gateway", s.programs, "/opt/gateway").Replace(text)
}

// typeAll types one command after the other and compares what they print with
// what the page says. It returns the page with what they printed in it.
func (s *shell) typeAll(page, text string, typed []command) string {
	from := 0
	for _, c := range typed {
		if *update {
			s.adopt(c.text)
		}
		printed, ok := s.try(c)
		was := s.source(c) + c.prints
		at := strings.Index(text[from:], was)
		if at < 0 {
			s.t.Fatalf("%s: %q is not found again", page, was)
		}
		now := was
		if !ok && *update {
			now = s.source(c) + s.shownAs(printed)
		} else if !ok {
			s.t.Fatalf("%s: $ %sthe page says\n%s\nit printed\n%s", page, c.text, c.prints, printed)
		}
		text = text[:from+at] + now + text[from+at+len(was):]
		from += at + len(now)
		s.seen = append(s.seen, anID.FindAllString(printed, -1)...)
	}
	if *update {
		text = s.shownAs(text)
	}
	return text
}

var anID = regexp.MustCompile(forms["id"])

// adopt lets an id that a command is given, and that nothing has printed yet,
// stand for the one that came last: so that a page can be begun with any.
func (s *shell) adopt(command string) {
	for _, id := range anID.FindAllString(command, -1) {
		if _, known := s.ids[id]; known {
			continue
		}
		for _, real := range s.seen {
			if len(real) == len(id) {
				s.ids[id] = real
			}
		}
	}
}

// source is a command as it stands in the page.
func (*shell) source(c command) string {
	lines := strings.SplitAfter(strings.TrimSuffix(c.text, "\n"), "\n")
	return "$ " + strings.Join(lines, "> ") + "\n"
}

// try types a command until it prints what it should: again and again when it
// only looks, since what happens takes its time.
func (s *shell) try(c command) (printed string, ok bool) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	give := time.Now().Add(patience)
	if *update {
		give = time.Now().Add(3 * time.Second)
	}
	for {
		printed, code := s.typeOne(c.text)
		if code == c.code && s.fits(c.prints, printed) {
			return printed, true
		}
		if !looks(c.text) || time.Now().After(give) {
			if code != c.code {
				s.t.Errorf("$ %sexit code %d, not %d", c.text, code, c.code)
			}
			return printed, false
		}
		<-again.C
	}
}

var (
	looking = regexp.MustCompile(`^(gateway (-\S+ )*(status|events|deliveries|runs|schedules|engines|config|explain)\b|cat |tail |grep |sort |for name in |curl -sS? http\S+( \| grep .*)?$)`)
	acting  = regexp.MustCompile(`^gateway (-\S+ )*\w+ (retry|discard|answer|cancel|pause|resume|trigger|backfill|new|lock|check)\b`)
)

// looks: the command changes nothing.
func looks(command string) bool {
	command = strings.TrimSuffix(command, "\n")
	return looking.MatchString(command) && !acting.MatchString(command) && !strings.Contains(command, ">")
}

var runs = regexp.MustCompile(`(?m)^(.*\bgateway run\b.*?) *&( *#.*)?$`)

// typeOne types a command and returns what it prints and its exit code. A
// gateway that is started writes its log into a file, and is waited for.
func (s *shell) typeOne(text string) (printed string, code int) {
	s.t.Helper()
	for shown, real := range s.ids {
		text = strings.ReplaceAll(text, shown, real)
	}
	starts := runs.MatchString(text)
	if starts {
		text = runs.ReplaceAllString(text, "$1 --log-format json 2>>run.log &")
	}
	fmt.Fprintf(s.in, "%s\nprintf '\\n%s%%d\\n' $?\n", s.here(text), mark)
	var all strings.Builder
	for ended := time.After(patience); ; {
		select {
		case line, open := <-s.lines:
			if n, err := fmt.Sscanf(line, mark+"%d", &code); n == 1 && err == nil {
				if starts {
					s.ready()
				}
				return tidy(s.there(all.String())), code
			}
			if !open {
				s.t.Fatalf("$ %sthe shell ended after\n%s", text, all.String())
			}
			all.WriteString(line + "\n")
		case <-ended:
			s.t.Fatalf("$ %sdoes not end; so far\n%s", text, all.String())
		}
	}
}

// ready waits for the gateway that was just started.
func (s *shell) ready() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/healthz", http.NoBody)
		if err != nil {
			s.t.Fatal(err)
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
			return // also with a 400: it speaks TLS
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			s.t.Fatal("the gateway does not start")
		}
	}
}

var ends = regexp.MustCompile(`(?m)[ \t]+$`)

// tidy is a text without spaces at the ends of lines and empty lines at its own.
func tidy(text string) string {
	if text = strings.Trim(ends.ReplaceAllString(text, ""), "\n"); text == "" {
		return ""
	}
	return text + "\n"
}

// source is a file of the clone.
func source(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
