package value

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/decode"
)

const redacted = "[redacted]"

// Secret is text that no printing, logging or marshalling shows.
type Secret struct {
	// text is behind a pointer, because fmt prints what a struct holds without
	// asking it when the struct is itself behind one and the verb is wrong.
	text    *string
	origin  decode.Origin
	dropped bool
}

// Receive sets the secret to a text from the file.
func (s *Secret) Receive(t decode.Text) {
	*s = Secret{text: &t.Value, origin: t.Origin, dropped: t.Defaulted && t.Value == ""}
}

// Reveal hands out a copy of the secret itself.
func (s Secret) Reveal() []byte { return []byte(s.reveal()) }

func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

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

// Literal tells whether the secret stands in the file itself.
func (s Secret) Literal() bool { return s.origin == decode.Literal }

// Elsewhere is where the secret had better be, if it stands in the file itself.
func (s Secret) Elsewhere() string {
	if !s.Literal() {
		return ""
	}
	return "write ${env:NAME} or ${file:path}"
}

// Public tells of the secrets of a signature scheme those that are none, but a
// key that anybody may see.
func (s Secret) Public(scheme string) bool {
	return scheme == "discord" || scheme == "standard-webhooks" && strings.HasPrefix(s.reveal(), "whpk_")
}

// Dropped tells whether it is empty from a ${env:NAME:-} default: as if it were
// not written.
func (s Secret) Dropped() bool { return s.dropped }

// Weakness says why a secret must not be used; empty when it may.
func (s Secret) Weakness() string {
	if !s.Known() {
		return ""
	}
	return weakness(s.reveal())
}

// Hashed is a secret that is only ever compared: of its text no more is kept
// than a SHA-256.
type Hashed struct {
	sum    [sha256.Size]byte
	weak   string
	origin decode.Origin
}

// Receive digests a text from the file.
func (h *Hashed) Receive(t decode.Text) {
	var s Secret
	s.Receive(t)
	*h = Hashed{sum: sha256.Sum256([]byte(t.Value)), weak: s.Weakness(), origin: t.Origin}
}

// Sum is the digest of the text.
func (h Hashed) Sum() [sha256.Size]byte { return h.sum }

// Format prints [redacted] for every verb: a digest could be compared with.
func (h Hashed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns [redacted]; JSON and loggers use it.
func (h Hashed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Known tells whether the text is there.
func (h Hashed) Known() bool { return h.origin != decode.Unknown }

// Literal tells whether the text stands in the file itself.
func (h Hashed) Literal() bool { return h.origin == decode.Literal }

// Weakness says why the text must not be used; empty when it may.
func (h Hashed) Weakness() string { return h.weak }

// minSecret is the shortest secret that is worth an HMAC, in bytes.
const minSecret = 16

// weakness says why a text must not be used as a secret; empty when it may.
func weakness(text string) string {
	switch {
	case text == "":
		return "is empty"
	case looksLikePlaceholder(text):
		return "is a placeholder"
	case len(text) < minSecret:
		return fmt.Sprintf("has %d bytes: at least %d are needed", len(text), minSecret)
	case strings.ContainsFunc(text, isControl):
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
