package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// smuggled is a request whose end two readers may see in different places.
type smuggled struct{ name, text string }

// inner is what is hidden behind that end: no one may carry it out.
const inner = "POST /webhooks/trap HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\nsmuggled"

// smuggling is the corpus: headers about the length of a body that contradict
// each other, or that one reader understands and another does not.
func smuggling() []smuggled {
	chunked := "0\r\n\r\n" + inner
	hidden := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)
	length := func(of string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(of)) }
	outer := head("POST", "/webhooks/hook")
	list := []smuggled{
		{"length and chunks, length for all", outer + length(chunked) + "Transfer-Encoding: chunked\r\n\r\n" + chunked},
		{"chunks and length, length for all", outer + "Transfer-Encoding: chunked\r\n" + length(chunked) + "\r\n" + chunked},
		{"length for less than the chunks", outer + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden},
		{"chunks in HTTP/1.0", strings.Replace(outer, "1.1", "1.0", 1) + "Connection: keep-alive\r\n" + length(chunked) + "Transfer-Encoding: chunked\r\n\r\n" + chunked},
		{"chunks in HTTP/1.0, no length", strings.Replace(outer, "1.1", "1.0", 1) + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden},
		{"two lengths", outer + "Content-Length: 0\r\n" + length(inner) + "\r\n" + inner},
		{"two lengths in one", outer + fmt.Sprintf("Content-Length: 0, %d\r\n\r\n", len(inner)) + inner},
		{"a length behind a bare line feed", outer + "X: a\nContent-Length: 0\r\n" + length(inner) + "\r\n" + inner},
		{"a body for GET", head("GET", "/webhooks/hook") + length(inner) + "\r\n" + inner},
		{"a length that hops", outer + "Connection: Content-Length\r\n" + length(inner) + "\r\n" + inner},
		{"chunks in a trailer's length", outer + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n" + length(inner) + "\r\n" + inner},
		{"a chunk that ends early", outer + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n" + inner},
		{"an extension that hides a line", outer + "Transfer-Encoding: chunked\r\n\r\n2;a\nxx\r\n0\r\n\r\n" + inner},
		{"an expectation", outer + "Expect: 100-continue\r\n" + length(inner) + "\r\n" + inner},
		{"an upgrade", outer + "Connection: Upgrade\r\nUpgrade: websocket\r\n" + length(inner) + "\r\n" + inner},
	}
	for _, value := range []string{"+0", "-1", "0x0", "0 0", " 0\x0b", "18446744073709551616", "0,", "a", ""} {
		list = append(list, smuggled{fmt.Sprintf("length %q", value), outer + "Content-Length: " + value + "\r\n\r\n" + inner})
	}
	for _, line := range []string{
		"Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding : chunked", "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: chunked\x00", "Transfer-Encoding: \"chunked\"",
		"Transfer-Encoding:\r\n chunked", " Transfer-Encoding: chunked", "X: a\r\n Transfer-Encoding: chunked", "Transfer-Encoding: chun\tked",
		"transfer-encoding: ChUnKeD", "Transfer-Encoding: chunked;a=b", "Transfer_Encoding: chunked", "X: a\nTransfer-Encoding: chunked", "X: a\rTransfer-Encoding: chunked",
		"Content-Encoding: chunked",
	} {
		list = append(list, smuggled{fmt.Sprintf("%q", line), outer + length(chunked) + line + "\r\n\r\n" + chunked})
	}
	return list
}

// TestSmuggling: whatever a request says about its length, it is one request:
// one answer at most, after which nothing that stood behind it is carried out.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	s := newSite(t, underSiege)
	l := s.start()
	address := strings.TrimPrefix(l.public, "http://")
	for _, c := range smuggling() {
		codes := raw(func(int) string { return c.text })(address, 0)
		if len(codes) > 1 {
			t.Errorf("%s: answered %v", c.name, codes)
		}
		for _, w := range l.status(t).Webhooks {
			if w.Name == "trap" && w.Accepted+w.Duplicates > 0 {
				t.Fatalf("%s: a request was smuggled in", c.name)
			}
		}
	}
	l.stop(t)
}
