package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// dial makes a connection that is not there yet. gRPC makes it when it is
// needed, and anew when it breaks.
func dial(c *config, base string) (*grpc.ClientConn, error) {
	security, err := transport(c, base)
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		// Without a sign of life a follower would wait on a dead connection.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 15 * time.Second}),
	}
	if c.APIKey != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{c.APIKey, c.Namespace}))
	}
	conn, err := grpc.NewClient(c.Address, options...)
	return conn, problem(err, "address")
}

// transport is TLS when `tls:` is there, or an API key to keep secret.
func transport(c *config, base string) (credentials.TransportCredentials, error) {
	if c.TLS == nil && c.APIKey == "" {
		return insecure.NewCredentials(), nil
	}
	own := tlsConfig{}
	if c.TLS != nil {
		own = *c.TLS
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: own.ServerName}
	var problems []error
	if own.CA != "" {
		pool, err := authorities(under(base, own.CA))
		problems = append(problems, problem(err, "tls", "ca"))
		out.RootCAs = pool
	}
	switch {
	case own.Cert != "" && own.Key != "":
		load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(under(base, own.Cert), under(base, own.Key))
			return &pair, reason(err)
		}
		_, err := load(nil)
		problems = append(problems, problem(err, "tls", "cert"))
		out.GetClientCertificate = load // anew for each connection: certificates are renewed
	case own.Cert != "":
		problems = append(problems, problem(errors.New("needs a key"), "tls", "cert"))
	case own.Key != "":
		problems = append(problems, problem(errors.New("needs a cert"), "tls", "key"))
	}
	return credentials.NewTLS(out), errors.Join(problems...)
}

// authorities are those of the file alone: a Temporal of one's own has its own.
func authorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, reason(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}

// reason is an error without the path, which the reader has in front of him.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func under(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

// bearer shows an API key, as Temporal Cloud wants it, over TLS only.
type bearer struct {
	key       secret
	namespace string
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b.key), "temporal-namespace": b.namespace}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

// connect takes the connection and logs how it fares, for as long as the
// engine lives.
func (e *engine) connect(c *config, conn *grpc.ClientConn) {
	e.address, e.namespace = c.Address, c.Namespace
	e.temporal = workflowservice.NewWorkflowServiceClient(conn)
	conn.Connect()
	go e.watch(conn)
}

// watch logs when Temporal is reached and when it is not.
func (e *engine) watch(conn *grpc.ClientConn) {
	log := sdk.Logger().With("address", e.address, "namespace", e.namespace)
	told := connectivity.Idle
	for state := conn.GetState(); ; state = conn.GetState() {
		switch {
		case state == told:
		case state == connectivity.Ready:
			told = state
			if err := e.greet(); err != nil {
				log.Warn("temporal is there, but does not serve the namespace", "error", err.Error())
			} else {
				log.Info("temporal is there")
			}
		case state == connectivity.TransientFailure:
			told = state
			log.Warn("temporal cannot be reached")
		}
		if !conn.WaitForStateChange(context.Background(), state) {
			return
		}
	}
}

// greet is whether the namespace is there and open to us.
func (e *engine) greet() error {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	_, err := e.temporal.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: e.namespace})
	return said(err)
}
