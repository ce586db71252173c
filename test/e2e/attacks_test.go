package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// attack is one way to be hostile.
type attack struct {
	name          string
	times, atOnce int
	// allowed are the answers that may come; none at all may always be.
	allowed []int
	// run makes one attempt and returns the statuses that came back.
	run func(address string, i int) []int
}

// patience is longer than the gateway takes to lose its own.
const patience = 40 * time.Second

func attacks() []attack {
	return []attack{
		{"slow headers", 1000, 1000, []int{408, 400}, slowHeaders},
		{"slow bodies", 1000, 1000, []int{400, 408}, slowBodies},
		{"headers without end", 300, 40, []int{431}, raw(func(int) string {
			return head("POST", "/webhooks/hook") + "X-Long: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"
		})},
		{"10,000 headers", 300, 40, []int{431}, raw(func(int) string {
			return head("POST", "/webhooks/hook") + strings.Repeat("X-Many: a\r\n", 10_000) + "\r\n"
		})},
		{"bodies over the limit", 200, 40, []int{413}, raw(tooLarge)},
		{"chunked over the limit", 200, 40, []int{413}, raw(tooLargeChunked)},
		{"gzip bombs", 200, 40, []int{415}, raw(gzipBomb())},
		{"deep JSON, signed", 100, 4, []int{400}, raw(deepJSON)},
		{"deep JSON, unsigned", 300, 8, []int{401}, raw(func(int) string { return postOf("/webhooks/hook", strings.Repeat("[", 100_000)) })},
		{"wrong signatures", 1000, 8, []int{401}, raw(wrongSignature)},
		{"HTTP/2", 300, 8, []int{400, 404, 405, 505}, raw(http2)},
		{"noise", 500, 8, []int{400, 431, 501, 505}, raw(noise)},
		{"addresses", 300, 8, []int{400, 404, 405, 414, 431}, raw(addresses)},
		{"connections dropped", 1000, 8, nil, dropped},
		{"chunks", 20 * len(badChunks()), 8, []int{400, 401, 413, 501}, raw(func(i int) string { return badChunks()[i%len(badChunks())] })},
		{"smuggling", 10 * len(smuggling()), 8, []int{400, 401, 405, 411, 415, 431, 501, 505}, raw(func(i int) string { return smuggling()[i%len(smuggling())].text })},
	}
}

func head(method, path string) string { return method + " " + path + " HTTP/1.1\r\nHost: gateway\r\n" }

func postOf(path, body string) string {
	return head("POST", path) + fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// raw is an attack that is one text. It reads all answers, until the gateway
// ends the connection or has said nothing for a moment.
func raw(text func(i int) string) func(string, int) []int {
	return func(address string, i int) []int {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return []int{0}
		}
		defer conn.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(patience))
		go func() {
			_, _ = io.WriteString(conn, text(i)) // it may end before all is said
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		return answers(conn)
	}
}

// answers reads statuses until the connection ends.
func answers(conn net.Conn) (codes []int) {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return codes
		}
		if resp.StatusCode != http.StatusContinue {
			codes = append(codes, resp.StatusCode)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// slowly sends a beginning at once and the rest byte by byte.
func slowly(address, begin, rest string) []int {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return []int{0}
	}
	defer conn.Close()
	ended := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		_, err := io.WriteString(conn, begin)
		for i := 0; i < len(rest) && err == nil; i++ {
			select {
			case <-time.After(500 * time.Millisecond):
				_, err = io.WriteString(conn, rest[i:i+1])
			case <-ended:
				return
			}
		}
	})
	codes := answers(conn)
	close(ended)
	group.Wait()
	return codes
}

func slowHeaders(address string, _ int) []int {
	return slowly(address, head("POST", "/webhooks/hook"), strings.Repeat("X-A: b\r\n", 100))
}

func slowBodies(address string, _ int) []int {
	return slowly(address, head("POST", "/webhooks/hook")+"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{", strings.Repeat(" ", 100))
}

func tooLarge(i int) string {
	if i%2 == 0 { // announced
		return head("POST", "/webhooks/small") + "Content-Length: 655360\r\n\r\n" + strings.Repeat("a", 655360)
	}
	return head("POST", "/webhooks/hook") + "Content-Length: 99999999999\r\n\r\n" + strings.Repeat("a", 1<<20)
}

func tooLargeChunked(int) string {
	return head("POST", "/webhooks/small") + "Transfer-Encoding: chunked\r\n\r\n" +
		strings.Repeat("1000\r\n"+strings.Repeat("a", 4096)+"\r\n", 160) + "0\r\n\r\n"
}

// gzipBomb is a megabyte that would be a gigabyte.
func gzipBomb() func(int) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	zeros := make([]byte, 1<<20)
	for range 240 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	bomb := b.String()
	return func(int) string {
		return head("POST", "/webhooks/hook") + fmt.Sprintf("Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb), bomb)
	}
}

// deepJSON comes from somebody who knows the secret.
func deepJSON(i int) string {
	body := strings.Repeat(`{"a":`, 100_000) + fmt.Sprint(i) + strings.Repeat("}", 100_000)
	return head("POST", "/webhooks/hook") + fmt.Sprintf("Content-Type: application/json\r\nX-GitHub-Event: push\r\nX-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n%s",
		sign([]byte(body)), len(body), body)
}

func wrongSignature(i int) string {
	body := fmt.Sprintf(`{"n":%d}`, i)
	signature := []string{
		"", "sha256=", "sha256=" + strings.Repeat("0", 64), "sha1=" + strings.Repeat("0", 40), strings.Repeat("sha256=", 1000),
		sign([]byte(body + " ")), strings.ToUpper(sign([]byte(body)))[:70], "\x80\xff",
	}[i%8]
	return head("POST", "/webhooks/hook") + fmt.Sprintf("Connection: close\r\nX-GitHub-Event: push\r\nX-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n%s", signature, len(body), body)
}

// http2 begins to speak HTTP/2 and opens streams without end, or asks to.
func http2(i int) string {
	if i%3 == 0 {
		return head("GET", "/webhooks/hook") + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
	}
	var b strings.Builder
	b.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00") // the preface and empty settings
	for stream := uint32(1); stream < 20_000; stream += 2 {
		id := []byte{byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}
		b.WriteString("\x00\x00\x03\x01\x05" + string(id) + "\x82\x84\x86")     // HEADERS
		b.WriteString("\x00\x00\x04\x03\x00" + string(id) + "\x00\x00\x00\x08") // RST_STREAM
	}
	return b.String()
}

// noise is what is not HTTP at all.
func noise(i int) string {
	random := make([]byte, 4096)
	_, _ = rand.Read(random)
	return []string{
		string(random), "\r\n\r\n\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(random[:512]), // TLS
		"GET\r\n\r\n", "POST /webhooks/hook\r\n\r\n", "POST /webhooks/hook HTTP/1.1\r\n\r\n", "POST /webhooks/hook HTTP/9.9\r\nHost: a\r\n\r\n",
		head("POST", "/webhooks/hook") + "Host: another\r\n\r\n", head("POST", "/webhooks/hook") + "Bad Header: a\r\n\r\n",
		head("POST", "/webhooks/hook") + "X: a\x00b\r\n\r\n", strings.Repeat("A", 1<<20), head("POST", "/webhooks/hook") + "X\r\n\r\n",
	}[i%12]
}

func addresses(i int) string {
	paths := []string{
		"/", "/webhooks/", "/webhooks/none", "/webhooks/../webhooks/hook", "/webhooks//hook", "/webhooks%2fhook", "/webhooks/%68ook", "/webhooks/hook/",
		"/webhooks/hook%00", "/webhooks/hook;a=b", "/" + strings.Repeat("a", 8000), "/" + strings.Repeat("a", 1<<20), "/webhooks/hook/tests", "http://other/nothing", "*", "/\x7f", "/%zz",
	}
	method := []string{"GET", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "LONG" + strings.Repeat("G", 1000)}[i%8]
	return head(method, paths[i%len(paths)]) + "Connection: close\r\nContent-Length: 0\r\n\r\n"
}

// dropped leaves in the middle of what it says.
func dropped(address string, i int) []int {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return []int{0}
	}
	text := postOf("/webhooks/hook", strings.Repeat("a", 10_000))
	_, _ = io.WriteString(conn, text[:(i*97)%len(text)])
	_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an end
	_ = conn.Close()
	return nil
}

// badChunks are bodies whose chunks are not what they should be.
func badChunks() (all []string) {
	for _, body := range []string{
		"", "\r\n", "zz\r\n", "-1\r\n{}\r\n0\r\n\r\n", "0x2\r\n{}\r\n0\r\n\r\n", "+2\r\n{}\r\n0\r\n\r\n", "2 \r\n{}\r\n0\r\n\r\n", " 2\r\n{}\r\n0\r\n\r\n",
		"FFFFFFFFFFFFFFFFF\r\n{}", "FFFFFFFFFFFFFFFF\r\n{}", "7FFFFFFFFFFFFFFF\r\n{}", "2\n{}\n0\n\n", "2\r{}\r0\r\r", "2\r\n{}0\r\n\r\n", "3\r\n{}\r\n0\r\n\r\n", "1\r\n{}\r\n0\r\n\r\n",
		"2;" + strings.Repeat("e", 100_000) + "\r\n{}\r\n0\r\n\r\n", strings.Repeat("0", 100_000) + "2\r\n{}\r\n0\r\n\r\n",
		strings.Repeat("1;"+strings.Repeat("e", 4000)+"\r\n \r\n", 200) + "0\r\n\r\n", // mostly extensions
		"2\r\n{}\r\n0\r\n" + strings.Repeat("T: a\r\n", 100_000) + "\r\n", "2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n", "2\x00\r\n{}\r\n0\r\n\r\n",
	} {
		all = append(all, head("POST", "/webhooks/hook")+"Transfer-Encoding: chunked\r\n\r\n"+body)
	}
	return all
}
