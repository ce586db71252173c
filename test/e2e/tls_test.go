package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// overTLS serves TLS on both listeners, and asks who calls the admin one.
const overTLS = `
version: 1
server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  tls: {cert: server.pem, key: server.key}
  admin_tls: {cert: server.pem, key: server.key, client_ca: callers.pem}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal}
webhooks:
  hook: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
routes:
  all: {events: ["github.*"], run: main/note}
`

// A new certificate is shown from one connection to the next; connections that
// exist go on, and a broken one changes nothing.
func TestCertificates(t *testing.T) {
	t.Parallel()
	s := newSite(t, overTLS)
	ours := newAuthority(t)
	first, second, caller := ours.issue(), ours.issue(), ours.issue()
	s.install(first)
	s.replace(s.path("callers.pem"), ours.pem(), 0o600)
	s.replace(s.path("caller.pem"), caller.cert, 0o600)
	s.replace(s.path("caller.key"), caller.key, 0o600)
	l := s.start()
	address := strings.TrimPrefix(l.public, "http://")
	expect := func(want pair) {
		t.Helper()
		until(t, 20*time.Second, "a connection is shown the certificate "+want.serial, func() bool { return shown(t, address, ours) == want.serial })
	}
	expect(first)
	load := startTLSLoad(t, address, ours)
	s.install(second)
	expect(second)
	refusedBefore := s.tlsStatus(t, l).Config.Refused
	s.replace(s.path("server.key"), first.key, 0o600) // the other one's
	until(t, 20*time.Second, "the wrong key is refused", func() bool { return s.tlsStatus(t, l).Config.Refused > refusedBefore })
	expect(second)
	s.replace(s.path("server.key"), second.key, 0o600)
	load.stop(t)

	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: ours.trusting().RootCAs, NextProtos: []string{"h2"}}); err == nil {
		t.Error("HTTP/2 was agreed on")
	}
	r := s.tlsStatus(t, l)
	if len(r.Listeners) != 2 || !r.Listeners[0].TLS || r.Listeners[0].ClientCertificates || !r.Listeners[1].ClientCertificates || r.Listeners[1].CertificateExpires.IsZero() {
		t.Errorf("listeners: %+v", r.Listeners)
	}
	others := newAuthority(t)
	s.adminAsks(t, l, ours, others)
	l.stop(t)
}

// adminAsks: nobody gets in without a certificate of those who sign callers,
// and who they are may change.
func (s *site) adminAsks(t *testing.T, l *life, ours, others *authority) {
	t.Helper()
	address := strings.TrimPrefix(l.admin, "http://")
	get := func(c *tls.Config) error {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
		r, err := client.Get("https://" + address + "/healthz")
		if err == nil {
			r.Body.Close()
		}
		return err
	}
	if err := get(ours.trusting(ours.issue())); err != nil {
		t.Error(err)
	}
	if get(ours.trusting()) == nil || get(ours.trusting(others.issue())) == nil {
		t.Error("the admin listener let somebody in without a certificate of ours")
	}
	s.replace(s.path("callers.pem"), others.pem(), 0o600)
	until(t, 20*time.Second, "callers of another authority get in, and no others", func() bool {
		return get(ours.trusting(others.issue())) == nil && get(ours.trusting(ours.issue())) != nil
	})
}

// install puts a certificate and its key in place, one after the other, as
// nobody can do otherwise.
func (s *site) install(p pair) {
	s.t.Helper()
	s.replace(s.path("server.pem"), p.cert, 0o600)
	s.replace(s.path("server.key"), p.key, 0o600)
}

// shown is the serial number that a new connection is shown.
func shown(t *testing.T, address string, ours *authority) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, ours.trusting())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// tlsStatus is the status as the command line gets it: it knows the gateway by
// the certificate in the configuration.
func (s *site) tlsStatus(t *testing.T, l *life) (r api.StatusReport) {
	t.Helper()
	// The file says port 0: the address is the running gateway's.
	cmd := exec.Command(built.gateway, "status", "-o", "json", "--admin", strings.Replace(l.admin, "http://", "https://", 1),
		"--tls-ca", s.path("callers.pem"), "--tls-cert", s.path("caller.pem"), "--tls-key", s.path("caller.key"))
	cmd.Env = append(os.Environ(), "GATEWAY_CONFIG="+s.config)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gateway status: %v\n%s", err, out)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// tlsLoad is a few senders with a connection each, which they keep.
type tlsLoad struct {
	cancel context.CancelFunc
	ended  sync.WaitGroup
	sent   atomic.Int64
	dials  atomic.Int64
	errs   chan error
}

const tlsSenders = 4

func startTLSLoad(t *testing.T, address string, ours *authority) *tlsLoad {
	ctx, cancel := context.WithCancel(context.Background())
	l := &tlsLoad{cancel: cancel, errs: make(chan error, tlsSenders)}
	for i := range tlsSenders {
		client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
			TLSClientConfig: ours.trusting(), MaxIdleConnsPerHost: 1,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				l.dials.Add(1)
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		}}
		l.ended.Go(func() {
			defer client.CloseIdleConnections()
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("tls-%d-%d", i, n)
				a, err := send(context.Background(), client, "https://"+address+"/webhooks/hook", id, fmt.Appendf(nil, `{"id":%q}`, id))
				if err != nil || a.Code != http.StatusAccepted {
					l.errs <- fmt.Errorf("%s: %d %w", id, a.Code, err)
					return
				}
				l.sent.Add(1)
			}
		})
	}
	t.Cleanup(func() { cancel(); l.ended.Wait() })
	until(t, 10*time.Second, "events are sent", func() bool { return l.sent.Load() > 10 })
	return l
}

func (l *tlsLoad) stop(t *testing.T) {
	t.Helper()
	l.cancel()
	l.ended.Wait()
	close(l.errs)
	for err := range l.errs {
		t.Error(err)
	}
	if n := l.dials.Load(); n != tlsSenders {
		t.Errorf("%d connections for %d senders: some were dropped", n, tlsSenders)
	}
	t.Logf("%d events over %d connections", l.sent.Load(), l.dials.Load())
}
