package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport makes connections that the guard has seen, and keeps them for
// later requests. There is no proxy: it would dial where the guard can't look.
// A RoundTripper, unlike an http.Client, follows no redirect.
func newTransport(d dial, c *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext: d, TLSClientConfig: c, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    32,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // what is bounded must not grow when unpacked
	}
}

// newTLS trusts the system's authorities and those of `ca`, and shows the
// certificate of `cert` and `key` to servers that ask for one.
func newTLS(c *config, base string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	var problems []error
	if c.CA != "" {
		pool, err := authorities(under(base, c.CA))
		problems = append(problems, problem(err, "ca"))
		out.RootCAs = pool
	}
	switch {
	case c.Cert != "" && c.Key != "":
		load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(under(base, c.Cert), under(base, c.Key))
			return &pair, reason(err)
		}
		_, err := load(nil)
		problems = append(problems, problem(err, "cert"))
		out.GetClientCertificate = load // anew for each connection: certificates are renewed
	case c.Cert != "":
		problems = append(problems, problem(errors.New("needs a key"), "cert"))
	case c.Key != "":
		problems = append(problems, problem(errors.New("needs a cert"), "key"))
	}
	return out, errors.Join(problems...)
}

func authorities(path string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, reason(err)
	}
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
