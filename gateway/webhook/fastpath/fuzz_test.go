package fastpath

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tape is a connection that says what was recorded, a part at each read, and
// then nothing more.
type tape struct {
	parts  chan []byte
	rest   []byte
	mu     sync.Mutex
	heard  bytes.Buffer
	once   sync.Once
	closed chan struct{}
}

func newTape(text []byte, size int) *tape {
	t := &tape{closed: make(chan struct{}), parts: make(chan []byte, len(text)+1)}
	for len(text) > 0 {
		n := min(size, len(text))
		t.parts <- text[:n]
		text = text[n:]
	}
	close(t.parts)
	return t
}

func (t *tape) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		t.rest = <-t.parts
	}
	if len(t.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard.Write(p)
}

func (t *tape) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

func (t *tape) LocalAddr() net.Addr              { return &net.TCPAddr{Port: 80} }
func (t *tape) RemoteAddr() net.Addr             { return &net.TCPAddr{Port: 4321} }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// single is a listener that accepts one connection after the other.
type single struct {
	conn   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func accepting(conns ...net.Conn) *single {
	l := &single{conn: make(chan net.Conn, max(1, len(conns))), closed: make(chan struct{})}
	for _, c := range conns {
		l.conn <- c
	}
	return l
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *single) Addr() net.Addr { return &net.TCPAddr{Port: 80} }

// tell answers with all that it has seen of a request.
func tell(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.Header().Set("Connection", "close")
		http.Error(w, "the body: "+err.Error(), http.StatusBadRequest)
		return
	}
	r.Header.Add("X-A", "added")
	text, _ := json.Marshal(map[string]any{
		"method": r.Method, "url": fmt.Sprintf("%#v", *r.URL), "proto": fmt.Sprint(r.Proto, r.ProtoMajor, r.ProtoMinor), "header": r.Header, "trailer": r.Trailer,
		"body": body, "length": r.ContentLength, "encoding": r.TransferEncoding, "host": r.Host, "remote": r.RemoteAddr, "target": r.RequestURI, "close": r.Close,
	})
	w.Header()["X-Seen"] = []string{"a\nb", "c"}
	switch {
	case strings.HasSuffix(r.URL.Path, "204"):
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "typed"):
		w.Header().Set("Content-Type", "application/json")
	case strings.HasSuffix(r.URL.Path, "close"):
		w.Header().Set("Connection", "close")
	case strings.HasSuffix(r.URL.Path, "none"):
		return
	}
	_, _ = w.Write(text)
}

// heard is what a server answers to a tape.
func heard(t *testing.T, text []byte, size int, serve func(*http.Server, net.Listener) error) string {
	var heard []byte
	synctest.Test(t, func(t *testing.T) {
		c := newTape(text, size)
		s := &http.Server{Handler: http.HandlerFunc(tell), MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0)}
		l := accepting(c)
		done := make(chan error)
		go func() { done <- serve(s, l) }()
		<-c.closed
		synctest.Wait()
		_ = s.Close()
		_ = l.Close()
		<-done
		heard = c.heard.Bytes()
	})
	return readable(heard)
}

// readable is what there is in answers, without their date and the way in which
// they say how long they are: net/http cuts large ones into chunks.
func readable(text []byte) string {
	var out strings.Builder
	in := bufio.NewReader(bytes.NewReader(text))
	for {
		if _, err := in.Peek(1); err != nil {
			return out.String()
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			left, _ := io.ReadAll(in)
			fmt.Fprintf(&out, "no answer: %v, then %q\n", err, left)
			return out.String()
		}
		body, err := io.ReadAll(r.Body)
		delete(r.Header, "Date")
		if r.StatusCode != http.StatusNoContent {
			delete(r.Header, "Content-Length")
		}
		fmt.Fprintln(&out, r.Status, r.Header, r.Close, string(body), err)
	}
}

// request is a plain one.
func request(target, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: example.com\r\n%sContent-Length: %d\r\n\r\n%s", target, headers, len(body), body)
}

// spoken are what senders may say: requests of all kinds, one after the other.
func spoken() []string {
	plain := request("/hooks/a", "Content-Type: application/json\r\nX-Sign: abc\r\n", `{"a":1}`)
	return []string{
		plain,
		plain + plain + plain,
		plain + "\r\n" + plain + "\r\n\r\n" + plain,
		plain + "\r\n\r\n\r\n" + plain,
		plain + "\r\n",
		plain + "GET /hooks/a HTTP/1.1\r\nHost: a\r\n\r\n" + plain,
		request("/a?b=c", "", ""), request("/a?", "", ""), request("/a?b?c", "", ""), request("/a?b c", "", ""), request("/a?b=%2f#c;d\"<>{}", "", ""), request("/a%20b", "", ""), request("//a/b", "", ""), request("/", "", ""),
		request("*", "", ""), request("http://a/b", "", ""), request("/a#b", "", ""), request("/../a/./b", "", ""), request("a", "", ""), request("", "", ""), request("/a b", "", ""),
		request("/204", "", "x") + plain, request("/typed", "", "x") + plain, request("/close", "", "x") + plain, request("/none", "", "x") + plain,
		request("/a", "connection: Keep-Alive\r\n", "x") + plain, request("/a", "Connection: close\r\n", "x") + plain, request("/a", "Connection: upgrade\r\nUpgrade: h2c\r\n", "x"),
		request("/a", "content-type: a\r\nx-lower_case: b\r\nETag: c\r\nX--: d\r\n", "x"),
		request("/a", "X-A: 1\r\nx-a: 2\r\n", "x"), request("/a", "X-A: 1\r\nX-B: 2\r\n", "x"), request("/a", "Host: other\r\n", "x"), request("/a", "Content-Length: 1\r\n", "x"), request("/a", "Content-Length: 2\r\n", "xy"),
		request("/a", "X-A:  \t spaced \t \r\nX-Empty:\r\nX-Tab: a\tb\r\n", "x"), request("/a", "X-A: 1\r\n folded\r\n", "x"), request("/a", "X A: 1\r\n", "x"), request("/a", "X-A : 1\r\n", "x"),
		request("/a", ": 1\r\n", "x"), request("/a", "nothing\r\n", "x"), request("/a", "X-A: \x00\r\n", "x"), request("/a", "X-A: \xc3\xa4\r\n", "x"), request("/a", "X-A: \x7f\r\n", "x"), request("/a", "X-A: 1\rX-B: 2\r\n", "x"),
		request("/a", "Pragma: no-cache\r\n", "x"), request("/a", "Trailer: X-T\r\n", "x"), request("/a", "Expect: 100-continue\r\n", "x"), request("/a", "Expect: nothing\r\n", "x"),
		request("/a", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n") + plain,
		"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" + plain,
		"POST /a HTTP/1.1\r\nHost: a\r\n\r\n" + plain, "POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "POST /a HTTP/1.1\r\nHost:\r\nContent-Length: 1\r\n\r\nx",
		"POST /a HTTP/1.1\r\nHost: a b\r\nContent-Length: 1\r\n\r\nx", "POST /a HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 1\r\n\r\nx", "POST /a HTTP/1.1\r\nHost: a/b\r\nContent-Length: 1\r\n\r\nx",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 01\r\n\r\nx",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nx", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx",
		"POST /a HTTP/1.1\nHost: a\nContent-Length: 1\n\nx" + plain, "POST /a HTTP/1.1\r\nHost: a\nContent-Length: 1\r\n\r\nx" + plain, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\nx" + plain,
		"POST /a HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" + plain, "POST /a HTTP/1.2\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "POST /a\r\n\r\n", "post /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n" + plain, "", "\r\n\r\n", "POST", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Le", "\x16\x03\x01\x00\xa5\x01",
		request("/a", strings.Repeat("X-A: 1\r\n", 40), "x"), request("/a", "X-A: "+strings.Repeat("a", maxHead)+"\r\n", "x") + plain, request("/a", "X-A: "+strings.Repeat("a", 20<<10)+"\r\n", "x"),
		request("/a", "", strings.Repeat("x", 3*maxHead)) + plain,
	}
}

// FuzzSame: whatever a sender says, and however it comes in parts, net/http with
// the fast path before it answers as net/http alone.
func FuzzSame(f *testing.F) {
	for _, text := range spoken() {
		f.Add([]byte(text), 1<<20)
		f.Add([]byte(text), 7)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		size = max(size, 1)
		alone := heard(t, text, size, func(s *http.Server, l net.Listener) error { return s.Serve(l) })
		before := heard(t, text, size, func(s *http.Server, l net.Listener) error { return New(s).Serve(l) })
		if alone != before {
			t.Errorf("%q in parts of %d\nnet/http alone: %s\nwith the fast path: %s", text, size, alone, before)
		}
	})
}
