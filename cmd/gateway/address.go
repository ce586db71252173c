package main

import (
	"fmt"
	"os"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/gateway/config"
)

const defaultAdmin = "127.0.0.1:9090"

func (a *app) client() (*remote.Client, error) {
	address, err := a.adminAddress()
	if err != nil {
		return nil, err
	}
	c, err := remote.New(address)
	if err != nil {
		return nil, &failure{code: exitUsage, cause: err}
	}
	return c, nil
}

// adminAddress is what the flag says, the environment, the configuration, or
// the default.
func (a *app) adminAddress() (string, error) {
	if a.admin != "" {
		return a.admin, nil
	}
	if address := a.getenv("GATEWAY_ADMIN"); address != "" {
		return address, nil
	}
	path, asked := a.configPath()
	if _, err := os.Stat(path); err != nil {
		if asked {
			return "", fmt.Errorf("configuration %s: %w", path, err)
		}
		return defaultAdmin, nil
	}
	// Whatever else is wrong with the file does not matter here.
	doc, _ := config.Load(path, config.Options{NoSecrets: true})
	if doc.Config.Server.Admin == "" {
		return defaultAdmin, nil
	}
	return doc.Config.Server.Admin, nil
}
