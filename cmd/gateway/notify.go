package main

import (
	"net"
	"strings"
)

// notify tells systemd what the gateway is doing (sd_notify(3)); without
// NOTIFY_SOCKET there is nobody to tell.
func (a *app) notify(state string) {
	path := a.getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if name, abstract := strings.CutPrefix(path, "@"); abstract {
		path = "\x00" + name
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		a.warn(err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		a.warn(err)
	}
}
