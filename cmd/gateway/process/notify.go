package process

import (
	"net"
	"strings"
)

// Notify tells systemd what the gateway is doing (sd_notify(3)), at the socket
// that NOTIFY_SOCKET names; without one there is nobody to tell.
func Notify(path, state string) error {
	if path == "" {
		return nil
	}
	if name, abstract := strings.CutPrefix(path, "@"); abstract {
		path = "\x00" + name
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
