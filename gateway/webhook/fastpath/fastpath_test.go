package fastpath

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// house is a server with a fast path on a listener, and how many connections
// came to its net/http.
type house struct {
	*Server
	http   *http.Server
	log    bytes.Buffer
	handed atomic.Int32
	served chan error
}

func open(t *testing.T, l net.Listener, h http.HandlerFunc) *house {
	t.Helper()
	o := &house{served: make(chan error, 1)}
	o.http = &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 60 * time.Second,
		ErrorLog: log.New(&o.log, "", 0),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				o.handed.Add(1)
			}
		},
	}
	o.Server = New(o.http)
	go func() { o.served <- o.Serve(l) }()
	return o
}

// close ends what a test has opened.
func (o *house) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := o.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-o.served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// caller is a sender.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, l net.Listener) *caller {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &caller{c, bufio.NewReader(c)}
}

func (c *caller) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// hear returns an answer: its status, whether it is the last, its body.
func (c *caller) hear(t *testing.T) string {
	t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	return fmt.Sprint(r.StatusCode, " ", r.Close, " ", string(body), err)
}

// ended waits for the end of the connection.
func (c *caller) ended(t *testing.T) {
	t.Helper()
	if left, err := io.ReadAll(c.in); len(left) > 0 || err != nil {
		t.Errorf("%q %v", left, err)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = w.Write(body)
}

// What most senders say does not come to net/http; what is said at some places
// of what is spoken does.
func TestPlain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100<<10)
	for _, tt := range []struct {
		name, text string
		plain      bool
	}{
		{"a webhook", request("/webhooks/github", "User-Agent: GitHub-Hookshot/044aadd\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\nAccept: */*\r\n", "{}"), true},
		{"with a query", request("/webhooks/a?token=abc", "", "{}"), true},
		{"kept alive", request("/webhooks/a", "Connection: keep-alive\r\n", "{}"), true},
		{"large", request("/webhooks/a", "", long), true},
		{"without a body", request("/webhooks/a", "", ""), true},
		{"the last", request("/webhooks/a", "Connection: close\r\n", "{}"), false},
		{"a header twice", request("/webhooks/a", "X-A: 1\r\nX-A: 2\r\n", "{}"), false},
		{"an escape", request("/webhooks/%61", "", "{}"), false},
		{"in chunks", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false},
		{"a question", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"old", "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", false},
		{"a large head", request("/a", "X-A: "+strings.Repeat("x", maxHead)+"\r\n", "{}"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			o := open(t, l, echo)
			defer o.close(t)
			c := dial(t, l)
			plain := request("/a", "", "plain")
			c.say(t, plain)
			first := c.hear(t)
			c.say(t, tt.text)
			if got := c.hear(t); first != "200 false plain<nil>" || !strings.HasPrefix(got, "200") {
				t.Errorf("%.100s, %.100s", first, got)
			}
			if plain := o.handed.Load() == 0; plain != tt.plain {
				t.Errorf("plain: %v", plain)
			}
		})
	}
}

// pipes is a listener of connections in memory, which know of time.
type pipes struct {
	*single
}

func (p pipes) dial() *caller {
	near, far := net.Pipe()
	p.conn <- far
	return &caller{near, bufio.NewReader(near)}
}

// Nobody is waited for for ever, nor much longer than net/http waits.
func TestPatience(t *testing.T) {
	whole := request("/a", "", "{}")
	for _, tt := range []struct {
		name, first, text string
		patience          time.Duration
	}{
		{"says nothing", "", "", 5 * time.Second},
		{"says too little", "", whole[:20], 5 * time.Second},
		{"says too little, late", "wait", whole[:20], time.Second},
		{"says too little of a body", "", whole[:len(whole)-1], 15 * time.Second},
		{"says nothing more", whole, "", 60 * time.Second},
		{"says too little later", whole, whole[:20], 5 * time.Second},
		{"says too little of a later body", whole, whole[:len(whole)-1], 15 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := pipes{accepting()}
				o := open(t, l, echo)
				c := l.dial()
				switch tt.first {
				case "":
				case "wait":
					time.Sleep(4 * time.Second)
				default:
					for range 3 { // at different times of one deadline
						time.Sleep(700 * time.Millisecond)
						c.say(t, tt.first)
						c.hear(t)
					}
				}
				c.say(t, tt.text)
				began := time.Now()
				_, _ = io.ReadAll(c.in)
				if took := time.Since(began); took < tt.patience-time.Second || took > tt.patience+slack {
					t.Errorf("after %v", took)
				}
				o.close(t)
			})
		})
	}
}

// Who does not read its answer is not waited for either.
func TestPatienceForReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{accepting()}
		o := open(t, l, echo)
		c := l.dial()
		began := time.Now()
		c.say(t, request("/a", "", "{}"))
		synctest.Wait()
		if err := o.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 20*time.Second || took > 20*time.Second+slack {
			t.Errorf("after %v", took)
		}
	})
}

// A shutdown closes what is idle, lets what is asked be answered, and waits for
// that, on either path.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"", "Connection: keep-alive\r\nX-A: 1\r\nX-A: 2\r\n"} {
		l := listen(t)
		asked, go_ := make(chan bool), make(chan bool)
		o := open(t, l, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				asked <- true
				<-go_
			}
			echo(w, r)
		})
		silent, quiet, slow := dial(t, l), dial(t, l), dial(t, l)
		for _, c := range []*caller{quiet, slow} {
			c.say(t, request("/a", way, "a"))
			c.hear(t)
		}
		slow.say(t, request("/slow", way, "b"))
		<-asked
		short, cancel := context.WithCancel(context.Background())
		cancel()
		if err := o.Shutdown(short); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		quiet.ended(t)
		if way == "" {
			silent.ended(t)
		}
		close(go_)
		if got := slow.hear(t); got != "200 true b<nil>" {
			t.Error(got)
		}
		slow.ended(t)
		o.close(t)
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Error("still there")
			_ = c.Close()
		}
	}
}

// passing is a failure that passes.
type passing struct{}

func (passing) Error() string   { return "too many open files" }
func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }

// failing fails before it accepts, and after that for good.
type failing struct {
	*single
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 1 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	select {
	case c := <-f.conn:
		return c, nil
	default:
		return nil, f.errs[0]
	}
}

// A listener that cannot accept now is asked again; one that has failed ends it.
func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		c := newTape([]byte(request("/a", "", "{}")), 1<<20)
		l := &failing{accepting(c), []error{passing{}, passing{}, broken}}
		o := open(t, l, echo)
		if err := <-o.served; !errors.Is(err, broken) {
			t.Error(err)
		}
		<-c.closed
		if got := c.heard.String(); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(o.log.String(), "too many open files") {
			t.Errorf("%q, log %q", got, o.log.String())
		}
	})
}

// A sender whose body nobody wants gets its answer all the same, and may go on
// when its body has come whole.
func TestUnread(t *testing.T) {
	t.Parallel()
	l := listen(t)
	o := open(t, l, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	defer o.close(t)
	small := dial(t, l)
	for range 3 {
		small.say(t, request("/a", "", "{}"))
		if got := small.hear(t); got != "429 false <nil>" {
			t.Fatal(got)
		}
	}
	large := dial(t, l)
	large.say(t, request("/a", "", strings.Repeat("x", 8<<20)))
	if got := large.hear(t); got != "429 true <nil>" {
		t.Error(got)
	}
	large.ended(t)
	if o.handed.Load() > 0 {
		t.Error("net/http was asked")
	}
}

// A handler that panics ends its connection, with a line in the log, and nothing
// else.
func TestPanic(t *testing.T) {
	t.Parallel()
	l := listen(t)
	o := open(t, l, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("a mistake")
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		echo(w, r)
	})
	for _, path := range []string{"/panic", "/abort"} {
		c := dial(t, l)
		c.say(t, request(path, "", ""))
		c.ended(t)
	}
	c := dial(t, l)
	c.say(t, request("/a", "", "on"))
	if got := c.hear(t); got != "200 false on<nil>" {
		t.Error(got)
	}
	o.close(t)
	if got := o.log.String(); strings.Count(got, "panic serving") != 1 || !strings.Contains(got, "a mistake") || !strings.Contains(got, "fastpath_test.go") {
		t.Error(got)
	}
}

// Connections of TLS are net/http's, which tells the handler about them.
func TestTLS(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	l := listen(t)
	o := open(t, tls.NewListener(l, certified.TLS), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) })
	defer o.close(t)
	client := certified.Client()
	defer client.CloseIdleConnections()
	r, err := client.Post("https://"+l.Addr().String()+"/a", "text/plain", strings.NewReader("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if body, err := io.ReadAll(r.Body); string(body) != "true" || err != nil || o.handed.Load() != 1 {
		t.Errorf("%q %v, %d handed", body, err, o.handed.Load())
	}
}

// Many at once, each of whom gets its own answers.
func TestMany(t *testing.T) {
	t.Parallel()
	l := listen(t)
	o := open(t, l, echo)
	var senders sync.WaitGroup
	for i := range 50 {
		senders.Go(func() {
			c := dial(t, l)
			for n := range 40 {
				body := strings.Repeat(fmt.Sprint(i, "-", n, ";"), 1+n*n)
				way := ""
				if i%5 == 0 && n == 20 {
					way = "X-A: 1\r\nX-A: 2\r\n"
				}
				if _, err := io.WriteString(c, request("/a", way, body)); err != nil {
					t.Error(err)
					return
				}
				r, err := http.ReadResponse(c.in, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := io.ReadAll(r.Body); string(got) != body || err != nil {
					t.Errorf("%.30q for %.30q: %v", got, body, err)
				}
			}
		})
	}
	senders.Wait()
	o.close(t)
	if got := o.handed.Load(); got != 10 {
		t.Errorf("%d handed", got)
	}
}

// An answer has one length, whatever its handler says, and the date of its second.
func TestAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{accepting()}
		o := open(t, l, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
		})
		c := l.dial()
		for range 3 {
			c.say(t, request("/a", "", ""))
			got := make([]byte, len("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: \r\nContent-Length: 2\r\n\r\n{}")+len(http.TimeFormat))
			if _, err := io.ReadFull(c.in, got); err != nil {
				t.Fatal(err)
			}
			want := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: " + time.Now().UTC().Format(http.TimeFormat) + "\r\nContent-Length: 2\r\n\r\n{}"
			if string(got) != want {
				t.Errorf("%q", got)
			}
			time.Sleep(1300 * time.Millisecond)
		}
		o.close(t)
	})
}

// What net/http gets has no deadline of ours.
func TestHandedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{accepting()}
		o := open(t, l, echo)
		o.http.ReadHeaderTimeout, o.http.ReadTimeout = 0, 0
		c := l.dial()
		c.say(t, request("/a", "", "a"))
		c.hear(t)
		text := request("/a", "X-A: "+strings.Repeat("x", maxHead)+"\r\n", "late")
		c.say(t, text[:maxHead])
		time.Sleep(2 * time.Minute)
		c.say(t, text[maxHead:])
		if got := c.hear(t); got != "200 false late<nil>" {
			t.Error(got)
		}
		o.close(t)
	})
}

// A connection does not keep room for the largest answer that it ever gave.
func TestAnswerGivesRoomBack(t *testing.T) {
	a := answer{header: http.Header{}}
	for _, size := range []int{10, 10 * maxKept, 10} {
		a.begin()
		if kept := cap(a.body) + a.out.Cap(); kept > 2*maxKept {
			t.Errorf("%d bytes", kept)
		}
		_, _ = a.Write(make([]byte, size))
		if text, more := a.finish(true); !more || !bytes.HasSuffix(text, make([]byte, size)) {
			t.Errorf("%d bytes", size)
		}
	}
}

// loop says the same again and again, and does not listen.
type loop struct {
	tape
	text []byte
	at   int
	left int
}

func (l *loop) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.text[l.at:])
	if l.at += n; l.at == len(l.text) {
		l.at = 0
		l.left--
	}
	return n, nil
}

func (l *loop) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkRequest is what a request costs without the network.
func BenchmarkRequest(b *testing.B) {
	text := request("/webhooks/github", "User-Agent: GitHub-Hookshot/044aadd\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: 72d3162e\r\n"+
		"X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\nAccept: */*\r\n", strings.Repeat("x", 1024))
	for name, serve := range map[string]func(*http.Server, net.Listener) error{
		"net-http": (*http.Server).Serve,
		"fastpath": func(s *http.Server, l net.Listener) error { return New(s).Serve(l) },
	} {
		b.Run(name, func(b *testing.B) {
			c := &loop{tape: *newTape(nil, 1), text: []byte(text), left: b.N}
			buffer := make([]byte, 2048)
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadFull(r.Body, buffer[:r.ContentLength])
				w.WriteHeader(http.StatusAccepted)
			})}
			b.ReportAllocs()
			l := accepting(c)
			go func() { _ = serve(s, l) }()
			<-c.closed
			_ = l.Close()
		})
	}
}
