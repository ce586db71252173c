package config

import (
	"bytes"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/files"
)

// TLS is how a listener proves who it is, and whether it asks who calls. The
// paths are those of PEM files, which have been read and are watched.
type TLS struct {
	Cert     string `yaml:"cert" required:"true" aka:"certificate,cert_file,crt"`                // the certificate, with the chain up to, not including, the root: PEM file
	Key      string `yaml:"key" required:"true" aka:"private_key,key_file"`                      // its key: PEM file
	ClientCA string `yaml:"client_ca" aka:"ca,client_ca_file,client_cas" else:"nobody is asked"` // only callers with a certificate of this authority are let in: PEM file

	pem PEM
}

// PEM is what the files of a TLS hold; nothing for those that are not there.
type PEM struct{ Cert, Key, ClientCA Secret }

// PEM is what the files hold.
func (t *TLS) PEM() PEM { return t.pem }

// tls reads the files that a listener needs.
func (c *checker) tls(path string, t *TLS) {
	if t == nil {
		return
	}
	for _, f := range []struct {
		key  string
		name *string
		into *Secret
	}{{".cert", &t.Cert, &t.pem.Cert}, {".key", &t.Key, &t.pem.Key}, {".client_ca", &t.ClientCA, &t.pem.ClientCA}} {
		if !c.doc.file.Has(path + f.key) {
			continue
		}
		if *f.name == "" {
			c.report(path+f.key, "is empty", "")
			continue
		}
		written := c.quote(path+f.key, *f.name)
		*f.name = c.absolute(*f.name)
		text, err := c.files.Read(*f.name)
		if err != nil && !c.opts.NoSecrets {
			c.report(path+f.key, "file "+written+": "+files.Reason(err), "")
		}
		if err == nil && len(bytes.TrimSpace(text)) == 0 {
			c.report(path+f.key, "file "+written+": is empty", "")
		}
		f.into.Receive(decode.Text{Value: string(text), Origin: decode.Reference})
	}
}
