package webhook

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"github.com/event-gateway/gateway/gateway/webhook/fastpath"
)

// DefaultConnections is how many senders may be connected at once.
const DefaultConnections = 4096

// NewServer makes the public HTTP server around a handler, with every limit
// that net/http leaves open. It speaks HTTP/1.1 only: senders of webhooks need
// no more, and HTTP/2 multiplies what one connection can demand.
func NewServer(h http.Handler, log *zap.Logger) (*fastpath.Server, error) {
	errors, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		return nil, fmt.Errorf("public server: log: %w", err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return fastpath.New(&http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          errors,
		// OPTIONS * would be answered 200 without asking the handler.
		DisableGeneralOptionsHandler: true,
	}), nil
}

// Limit caps the connections of a listener; DefaultConnections when n is 0.
func Limit(l net.Listener, n int) net.Listener {
	if n == 0 {
		n = DefaultConnections
	}
	return netutil.LimitListener(l, n)
}
