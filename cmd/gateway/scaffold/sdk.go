package scaffold

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// FindSDK sets where a Go project takes the SDK from: a clone that is asked for;
// for a released gateway the release; else the clone around one of the places.
func (p *Project) FindSDK(version, asked string, places ...string) error {
	p.Version = "v0.0.0"
	if asked != "" {
		dir, err := filepath.Abs(asked)
		if err != nil {
			return err
		}
		if !isClone(dir) {
			return errors.New("--sdk " + asked + ": not a clone of the gateway: its go.mod is of another module, or missing")
		}
		p.SDK = dir
		return nil
	}
	if regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(version) {
		p.Version = version
		return nil
	}
	for _, place := range places {
		for dir := place; ; dir = filepath.Dir(dir) {
			if isClone(dir) {
				p.SDK = dir
				return nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return errors.New("this gateway (" + version + ") is no release, so its SDK can't be downloaded: say where its source is with --sdk PATH")
}

func isClone(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && strings.HasPrefix(string(text), "module github.com/event-gateway/gateway\n")
}
