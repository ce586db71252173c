package value

import (
	"net"
	"net/netip"
	"strings"
)

// IsLoopback tells whether an address to listen at is on this machine alone.
func IsLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// IsURLPath tells whether a text is an absolute path of a URL without anything
// that could be read in two ways.
func IsURLPath(path string) bool {
	segments := strings.Split(path, "/")
	if len(segments) < 2 || segments[0] != "" {
		return false
	}
	for _, s := range segments[1:] {
		if s == "." || s == ".." || !consistsOf(s, "-._~") {
			return false
		}
	}
	return true
}

// IsHeader tells whether a text can be the name of a header.
func IsHeader(name string) bool { return consistsOf(name, "!#$%&'*+-.^_`|~") }

// consistsOf reports whether there is nothing in s but letters and digits of
// ASCII and the others given, and at least one of these.
func consistsOf(s, others string) bool {
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return s != "" && strings.Trim(s, alnum+others) == ""
}
