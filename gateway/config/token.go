package config

import (
	"crypto/sha256"
	"fmt"

	"github.com/event-gateway/gateway/gateway/config/value"
)

// Token lets whoever holds it call the admin listener.
type Token struct {
	Role  string `yaml:"role" required:"true" enum:"read,send,operate" aka:"scope,permission"` // what its holder may do
	Token Hashed `yaml:"token" required:"true" aka:"secret,value"`                             // at least 16 bytes, no two the same
}

// tokens checks who may call the admin listener.
func (c *checker) tokens(tokens map[string]Token) {
	taken := map[[sha256.Size]byte]string{}
	for _, name := range ordered(c, "server.tokens", tokens) {
		t, path := tokens[name].Token, "server.tokens."+name+".token"
		if !c.doc.file.Has(path) || c.reported(path) {
			continue
		}
		other, again := taken[t.Sum()]
		switch {
		case t.Weakness() != "":
			c.report(path, "the token "+t.Weakness(), "")
		case again && t.Known():
			c.report(path, fmt.Sprintf("is the token of %q as well: nobody could tell them apart", other), "")
		case t.Literal():
			c.warn(path, "the token is in the file itself", "write ${env:NAME} or ${file:path}")
		}
		taken[t.Sum()] = name
	}
}

// admin checks that nobody comes in from elsewhere unasked.
func (c *checker) admin(s *Server) {
	const path = "server.admin"
	if !c.address(path, s.Admin) || value.IsLoopback(s.Admin) {
		return
	}
	switch {
	case c.doc.file.Has("server.admin_tls.client_ca"):
	case len(c.doc.file.Keys("server.tokens")) == 0:
		c.report(path, "must be a loopback address: who calls from elsewhere is not asked for anything", "write 127.0.0.1:9090, or ask for server.tokens or for certificates with admin_tls.client_ca")
	case s.AdminTLS == nil && !c.doc.file.Has("server.admin_tls"):
		c.warn(path, "tokens cross the network in the clear", "add admin_tls, or let TLS end in front of the gateway on this machine")
	}
}
