package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"time"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/config"
)

// listeners are the TLS settings of a snapshot; nil: plain HTTP.
type listeners struct{ public, admin *tls.Config }

func public(s *snapshot) *tls.Config { return s.tls.public }
func admin(s *snapshot) *tls.Config  { return s.tls.admin }

// secured is a listener that speaks TLS when the configuration says so. Every
// connection is made with the settings in force at that moment; those that
// exist go on as they began.
func (g *Gateway) secured(l net.Listener, of func(*snapshot) *tls.Config) net.Listener {
	if of(g.current.Load()) == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12,
		// A session that is resumed would be one that nobody is asked for a
		// certificate in.
		SessionTicketsDisabled: true,
		GetConfigForClient:     func(*tls.ClientHelloInfo) (*tls.Config, error) { return of(g.current.Load()), nil },
	})
}

func (b *builder) compileTLS() {
	server := b.doc.Config.Server
	b.snap.tls = listeners{public: b.listener("server.tls", server.TLS), admin: b.listener("server.admin_tls", server.AdminTLS)}
}

// listener makes the settings of one listener. HTTP/1.1 is all that is spoken:
// HTTP/2 multiplies what one connection can demand.
func (b *builder) listener(path string, t *config.TLS) *tls.Config {
	if t == nil {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true}
	files := t.PEM()
	if cert, key := files.Cert.Reveal(), files.Key.Reveal(); len(cert) > 0 && len(key) > 0 {
		pair, err := tls.X509KeyPair(cert, key)
		switch {
		case err == nil:
			c.Certificates = []tls.Certificate{pair}
			b.expiry(path+".cert", pair.Leaf)
		case !isCertificate(cert):
			b.report(path+".cert", errors.New("holds no certificate in PEM form"))
		default: // the error itself could quote the file
			b.report(path+".key", errors.New("holds no private key in PEM form that belongs to the certificate"))
		}
	}
	if t.ClientCA != "" {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if ca := files.ClientCA.Reveal(); len(ca) > 0 && !c.ClientCAs.AppendCertsFromPEM(ca) {
			b.report(path+".client_ca", errors.New("holds no certificate in PEM form"))
		}
	}
	return c
}

// compileTokens says who may call the admin listener.
func (b *builder) compileTokens() {
	tokens := b.doc.Config.Server.Tokens
	for _, name := range sortedKeys(tokens) {
		role, _ := access.ParseRole(tokens[name].Role) // checked when it was read
		b.snap.tokens = append(b.snap.tokens, access.Token{Name: name, Role: role, Digest: tokens[name].Token.Sum()})
	}
}

func isCertificate(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return false
	}
	_, err := x509.ParseCertificate(block.Bytes)
	return err == nil
}

// expiry warns of a certificate that nobody accepts any more.
func (b *builder) expiry(path string, leaf *x509.Certificate) {
	if time.Now().Before(leaf.NotAfter) {
		return
	}
	p := b.doc.Problem(path, "the certificate expired at "+leaf.NotAfter.UTC().Format(time.RFC3339), "")
	p.Severity = config.Warning
	b.problems = append(b.problems, p)
}
