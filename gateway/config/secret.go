package config

import (
	"fmt"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/decode"
)

const redacted = "[redacted]"

// Secret is text that no printing, logging or marshalling shows.
type Secret struct {
	text    string
	origin  decode.Origin
	dropped bool // empty from a ${env:NAME:-} default: as if not written
}

// Receive sets the secret to a text from the file.
func (s *Secret) Receive(t decode.Text) {
	*s = Secret{text: t.Value, origin: t.Origin, dropped: t.Defaulted && t.Value == ""}
}

// Reveal hands out a copy of the secret itself.
func (s Secret) Reveal() []byte { return []byte(s.text) }

// Known tells whether the secret's value is there; it is not where a reference
// was let through unresolved.
func (s Secret) Known() bool { return s.origin != decode.Unknown }

// String returns [redacted].
func (s Secret) String() string { return redacted }

// GoString returns [redacted].
func (s Secret) GoString() string { return redacted }

// Format prints [redacted] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns [redacted]; JSON and loggers use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML returns [redacted].
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }

// minSecret is the shortest secret that is worth an HMAC, in bytes.
const minSecret = 16

// weakness says why a secret must not be used; empty when it may.
func (s Secret) weakness() string {
	switch {
	case s.origin == decode.Unknown:
		return ""
	case s.text == "":
		return "is empty"
	case looksLikePlaceholder(s.text):
		return "is a placeholder"
	case len(s.text) < minSecret:
		return fmt.Sprintf("has %d bytes: at least %d are needed", len(s.text), minSecret)
	case strings.ContainsFunc(s.text, isControl):
		return "contains a control character"
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// looksLikePlaceholder recognises what people leave in examples.
func looksLikePlaceholder(text string) bool {
	plain := strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(text))
	for _, word := range []string{
		"changeme", "changethis", "replaceme", "replacethis", "placeholder", "insertsecret",
		"yoursecret", "yourwebhooksecret", "mysecret", "supersecret", "webhooksecret", "todo",
	} {
		if strings.HasPrefix(plain, word) && len(plain) < len(word)+12 {
			return true
		}
	}
	return strings.Trim(plain, "x") == "" || strings.Trim(plain, "*") == ""
}
