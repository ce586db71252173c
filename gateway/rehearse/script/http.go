package script

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Recorded is a request as it was received.
type Recorded struct {
	Method, Host string
	// Target is the path with the query.
	Target string
	Header http.Header
	Body   []byte
}

// ParseRequest reads a request as it is on the wire, or as people write it down:
// lines may end without a carriage return, the protocol may be left out, and so
// may Content-Length. The body is all that follows the empty line, byte by byte;
// only a line end that Content-Length does not count is not of it.
func ParseRequest(text []byte) (*Recorded, error) {
	head, body := cut(text)
	head = bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n"))
	first, rest, _ := strings.Cut(string(head), "\n")
	if words := strings.Fields(first); len(words) == 2 {
		first += " HTTP/1.1"
	}
	wire := strings.ReplaceAll(first+"\n"+strings.TrimRight(rest, "\n")+"\n\n", "\n", "\r\n")
	if strings.TrimSpace(rest) == "" {
		wire = first + "\r\n\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		return nil, errors.New("not a request: it begins with a line like POST /webhooks/github HTTP/1.1, then headers, an empty line and the body")
	}
	if body, err = bodyOf(r.Header.Get("Content-Length"), body); err != nil {
		return nil, err
	}
	r.Header.Del("Content-Length")
	return &Recorded{Method: r.Method, Host: r.Host, Target: r.URL.RequestURI(), Header: r.Header, Body: body}, nil
}

// cut splits at the first empty line.
func cut(text []byte) (head, body []byte) {
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if head, body, ok := bytes.Cut(text, []byte(end)); ok && !bytes.Contains(head, []byte("\n\n")) {
			return head, body
		}
	}
	return text, nil
}

func bodyOf(length string, body []byte) ([]byte, error) {
	if length == "" {
		return body, nil
	}
	n, err := strconv.Atoi(length)
	switch {
	case err != nil || n < 0:
		return nil, fmt.Errorf("Content-Length %q is not a number", length)
	case n <= len(body) && strings.Trim(string(body[n:]), "\r\n") == "":
		return body[:n], nil
	}
	return nil, fmt.Errorf("Content-Length is %d, and the body has %d bytes", n, len(body))
}
