package fastpath

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	method  = "POST "
	version = " HTTP/1.1"
)

// The bytes that may be in the parts of a plain request: those of which there is
// only one opinion.
var (
	inPath  = setOf("-._~/", alphanumeric)
	inQuery = setOf("", func(c byte) bool { return visible(c) && c != ' ' })
	inName  = setOf("-", alphanumeric)
	inHost  = setOf("-.:[]", alphanumeric)
	inValue = setOf("\t", visible)
)

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

func visible(c byte) bool { return ' ' <= c && c <= '~' }

// set is a set of bytes.
type set [256]bool

func setOf(others string, kind func(byte) bool) *set {
	var s set
	for c := range len(s) {
		s[c] = kind(byte(c)) || strings.IndexByte(others, byte(c)) >= 0
	}
	return &s
}

// all tells whether a text has nothing else.
func (s *set) all(text string) bool {
	for i := range len(text) {
		if !s[text[i]] {
			return false
		}
	}
	return true
}

// parse makes the request of its head, which it takes from the reader; false, and
// nothing is taken, when the request is not plain.
func (c *conn) parse(head []byte) bool {
	line, rest, _ := strings.Cut(string(head), "\r\n")
	target, ok := strings.CutPrefix(line, method)
	if !ok {
		return false
	}
	if target, ok = strings.CutSuffix(target, version); !ok {
		return false
	}
	path, query, queried := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") || !inPath.all(path) || !inQuery.all(query) || queried && query == "" {
		return false
	}
	host, length, ok := c.parseHeaders(rest)
	if !ok {
		return false
	}
	_, _ = c.in.Discard(len(head) + 2) // it is there
	c.url = url.URL{Path: path, RawQuery: query}
	c.body = body{c: c, left: length}
	c.request = http.Request{
		Method: http.MethodPost, URL: &c.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: c.header,
		Body: &c.body, ContentLength: length, Host: host, RemoteAddr: c.remote, RequestURI: target,
	}
	return true
}

// parseHeaders sets the header and returns what it does not have.
func (c *conn) parseHeaders(lines string) (host string, length int64, ok bool) {
	clear(c.header)
	c.values = c.values[:0]
	length = -1
	for lines != "" {
		var line string
		if line, lines, ok = strings.Cut(lines, "\r\n"); !ok {
			return "", 0, false
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || name == "" || !inName.all(name) || !inValue.all(value) {
			return "", 0, false
		}
		name = http.CanonicalHeaderKey(name)
		if _, twice := c.header[name]; twice {
			return "", 0, false
		}
		switch name {
		case "Host":
			if host != "" || value == "" || !inHost.all(value) {
				return "", 0, false
			}
			host = value
			continue // as net/http does
		case "Content-Length":
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				return "", 0, false
			}
			length = int64(n)
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return "", 0, false
			}
		case "Transfer-Encoding", "Expect", "Pragma":
			return "", 0, false
		}
		c.values = append(c.values, value)
		c.header[name] = c.values[len(c.values)-1 : len(c.values) : len(c.values)]
	}
	return host, length, host != "" && length >= 0
}
