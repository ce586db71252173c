package config

import "github.com/event-gateway/gateway/gateway/config/document"

// Pin returns the text of a configuration with the checksum of one engine's
// program set; all else, comments too, stays as it is. The error says what a
// person has to do.
func Pin(file string, text []byte, engine, sum string) ([]byte, error) {
	return document.Set(file, text, "engines."+engine, "sha256", "plugin", sum)
}
