package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// certificate signs itself, for 127.0.0.1, and is written to a folder.
func certificate(t *testing.T, dir, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// Certificates are checked, private authorities are a file, and a service may
// ask for ours, which may change meanwhile.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	var shown []string
	service := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		shown = append(shown, r.TLS.PeerCertificates[0].Subject.CommonName)
		w.Header().Set("Connection", "close")
	})}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{certificate(t, dir, "server")}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"http/1.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = service.Serve(listener) }()
	t.Cleanup(func() { _ = service.Close() })
	certificate(t, dir, "client")
	configured := func(keys string) *engine {
		e := &engine{}
		config := `{"allow":["127.0.0.1"],` + keys + `"requests":{"it":{"url":"https://` + listener.Addr().String() + `/"}}}`
		if err := e.Configure(t.Context(), &sdk.Config{JSON: []byte(config), BaseDir: dir}); err != nil {
			t.Fatal(err)
		}
		return e
	}
	call := func(e *engine) error {
		_, err := e.Run(t.Context(), run(""))
		return err
	}
	const client = `"cert":"client.pem","key":"client.key",`
	if err := call(configured(client)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an authority that nobody knows: %v", err)
	}
	if err := call(configured(`"ca":"server.pem",`)); err == nil {
		t.Error("the service took a client without a certificate")
	}
	e := configured(`"ca":"server.pem",` + client)
	if err := call(e); err != nil {
		t.Error(err)
	}
	certificate(t, dir, "renewed")
	for _, file := range []string{".pem", ".key"} {
		if err := os.Rename(filepath.Join(dir, "renewed"+file), filepath.Join(dir, "client"+file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := call(e); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Join(shown, " ") != "client renewed" {
		t.Errorf("shown %q", shown)
	}
}
