package link

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of Run, Answer, Get and Check. None of them uses up an attempt.
var (
	// ErrDown: the engine has no process just now; wait for Ready.
	ErrDown = errors.New("the engine is down")
	// ErrBusy: too many calls wait to be sent.
	ErrBusy = errors.New("the engine does not keep up: too many calls wait to be sent")
	// ErrInFlight: a call with the same key has not ended.
	ErrInFlight = errors.New("a call with this key is in flight")
)

// TooLargeError says that a call can never be sent: trying again can't help.
type TooLargeError struct {
	Size, Max int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the message to the engine is too large: %d bytes, at most %d (server.max_body)", e.Size, e.Max)
}

// Problem is a mistake in what the user wrote, found by the engine.
type Problem struct {
	// Path leads to the value, as keys and indexes; empty is the whole.
	Path    []string
	Message string
}

// ConfigError says what an engine does not like about its `config:`.
type ConfigError struct {
	Engine   string
	Problems []Problem
}

func (e *ConfigError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "engine %s: config", e.Engine)
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		} else {
			b.WriteString(": ")
		}
		if len(p.Path) > 0 {
			b.WriteString(strings.Join(p.Path, ".") + ": ")
		}
		b.WriteString(p.Message)
	}
	return b.String()
}
