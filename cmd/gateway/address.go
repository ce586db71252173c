package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/gateway/config"
)

const defaultAdmin = "127.0.0.1:9090"

func (a *app) client() (*remote.Client, error) {
	address, pinned, err := a.adminAddress()
	if err != nil {
		return nil, err
	}
	c, err := remote.New(address, a.trust(pinned))
	if err != nil {
		return nil, &failure{code: exitUsage, cause: err}
	}
	return c, nil
}

// adminAddress is what the flag says, the environment, the configuration, or
// the default; a configuration also says by which certificate to know it.
func (a *app) adminAddress() (string, *config.TLS, error) {
	if address := cmp.Or(a.admin, a.getenv("GATEWAY_ADMIN")); address != "" {
		return address, nil, nil
	}
	path, asked := a.configPath()
	if _, err := os.Stat(path); err != nil {
		if asked {
			return "", nil, fmt.Errorf("configuration %s: %w", path, err)
		}
		return defaultAdmin, nil, nil
	}
	// Whatever else is wrong with the file does not matter here.
	doc, _ := config.Load(path, config.Options{NoSecrets: true})
	s := doc.Config.Server
	if s.Admin == "" {
		return defaultAdmin, nil, nil
	}
	return origin(remote.Reachable(s.Admin), s.AdminTLS), s.AdminTLS, nil
}

// origin is a listener's address as a URL.
func origin(address string, t *config.TLS) string {
	if t != nil {
		return "https://" + address
	}
	return "http://" + address
}

// trust is what flags and environment say, and for a listener of the
// configuration its own certificate.
func (a *app) trust(t *config.TLS) remote.Trust {
	trust := remote.Trust{
		CA:    cmp.Or(a.trusted.CA, a.getenv("GATEWAY_TLS_CA")),
		Cert:  cmp.Or(a.trusted.Cert, a.getenv("GATEWAY_TLS_CERT")),
		Key:   cmp.Or(a.trusted.Key, a.getenv("GATEWAY_TLS_KEY")),
		Token: cmp.Or(a.trusted.Token, a.getenv("GATEWAY_TOKEN")),
	}
	if file := a.getenv("GATEWAY_TOKEN_FILE"); trust.Token == "" && file != "" {
		trust.Token = "@" + file
	}
	if t != nil {
		trust.Pinned = t.Cert
	}
	return trust
}
