package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// ClientCertEnv hands the gateway's certificate to an engine: it serves with
// TLS, asks for this certificate and no other, and puts its own into the
// handshake.
const ClientCertEnv = "PLUGIN_CLIENT_CERT"

// ClientTLS makes the gateway's side of mutual TLS for one engine process:
// what go-plugin is to dial with, and what ClientCertEnv is to be.
//
// It is go-plugin's AutoMTLS but for the key, which is on P-256 instead of
// P-521: gRPC for Python, Ruby, PHP and C++ brings BoringSSL along, which
// refuses a handshake that is signed with P-521.
func ClientTLS() (config *tls.Config, pemCert string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:      pkix.Name{CommonName: "localhost", Organization: []string{"event gateway"}},
		DNSNames:     []string{"localhost"},
		SerialNumber: serial,
		NotBefore:    now.Add(-5 * time.Minute),
		NotAfter:     now.AddDate(30, 0, 0), // as long as any process lives
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, "", err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12,
		ServerName:   "localhost",
	}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
