package remote

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Trust says whom a client believes over TLS, and as whom it calls. All are
// paths of PEM files, and may be empty.
type Trust struct {
	// CA holds those who sign the gateway's certificate; else it is the system's.
	CA string
	// Pinned is the gateway's certificate itself, as its configuration names it:
	// whoever reads that file needs nobody to vouch for it. CA goes before it.
	Pinned string
	// Cert and Key are shown to a gateway that asks.
	Cert, Key string
	// Token is shown to the admin address; @file names the file that holds it.
	Token string
}

// token is the token itself.
func (t Trust) token() (string, error) {
	file, named := strings.CutPrefix(t.Token, "@")
	if !named {
		return t.Token, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// HTTP is a client that trusts so. It uses no proxy: the addresses are those of
// a gateway, often on this machine.
func (t Trust) HTTP() (*http.Client, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	switch {
	case t.CA != "":
		err = t.authority(c)
	case t.Pinned != "":
		err = t.pin(c)
	}
	if err == nil && t.Cert+t.Key != "" {
		c.Certificates = make([]tls.Certificate, 1)
		c.Certificates[0], err = tls.LoadX509KeyPair(t.Cert, t.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ResponseHeaderTimeout: reloadTime}}, nil
}

func (t Trust) authority(c *tls.Config) error {
	text, err := os.ReadFile(t.CA)
	if err != nil {
		return err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s holds no certificate in PEM form", t.CA)
	}
	return nil
}

// pin believes one certificate, whatever name it was called by.
func (t Trust) pin(c *tls.Config) error {
	text, err := os.ReadFile(t.Pinned)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no certificate in PEM form", t.Pinned)
	}
	c.InsecureSkipVerify = true // the next lines demand more than a check of names would
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if !bytes.Equal(s.PeerCertificates[0].Raw, block.Bytes) {
			return errors.New("the certificate is not the one in the configuration")
		}
		return nil
	}
	return nil
}
