package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// BoringSSL knows the curve, and the engine can verify what it is shown with
// nothing but the certificate itself.
func TestClientTLS(t *testing.T) {
	config, text, err := ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(text))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is %T, want one on P-256", cert.PublicKey)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	shown, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shown.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	other, _, err := ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	if other.Certificates[0].Leaf == config.Certificates[0].Leaf && string(other.Certificates[0].Certificate[0]) == string(shown.Raw) {
		t.Error("two processes get the same certificate")
	}
}
