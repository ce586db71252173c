package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// minSecret is the least length of a secret in bytes: 128 bits.
const minSecret = 16

// Secret is one key that requests may be signed with. It never prints.
type Secret struct {
	Value []byte
	// Until ends its use; zero: never. It serves rotation.
	Until time.Time
}

func (Secret) String() string { return "[redacted]" }

// GoString keeps %#v from printing the value.
func (Secret) GoString() string { return "[redacted]" }

// MarshalText keeps encoders from writing the value.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// check refuses secrets that anybody could guess. It never quotes one.
func (s Secret) check() error {
	if placeholder(s.Value) {
		return fmt.Errorf("is a placeholder, not a secret")
	}
	if bytes.ContainsFunc(s.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("holds a control character, perhaps a line end")
	}
	return nil
}

// placeholder knows what examples and templates put where a secret should be.
func placeholder(value []byte) bool {
	text := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(string(value)))
	for _, word := range []string{"changeme", "replaceme", "placeholder", "yoursecret", "yourwebhooksecret", "insertsecret"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return len(value) > 0 && bytes.Count(value, value[:1]) == len(value)
}

// key makes the HMAC key out of a secret, the way the scheme writes secrets.
func (s Scheme) key(value []byte) ([]byte, error) {
	value = bytes.TrimPrefix(value, []byte(s.SecretPrefix))
	var err error
	switch s.SecretEncoding {
	case "base64":
		value, err = base64.StdEncoding.DecodeString(string(value))
	case "hex":
		value, err = hex.DecodeString(string(value))
	}
	if err != nil {
		// The decoder's own error quotes what it read.
		return nil, fmt.Errorf("is not %s", s.SecretEncoding)
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("is empty")
	}
	return value, nil
}

// checkSecrets applies what New demands of every secret before it is used.
func (s Scheme) checkSecrets(secrets []Secret) error {
	least := max(minSecret, s.SecretMin)
	for i, secret := range secrets {
		key, err := s.key(secret.Value)
		if err == nil {
			err = secret.check()
		}
		if err == nil && len(key) < least {
			err = fmt.Errorf("is shorter than %d bytes", least)
		}
		if err != nil {
			return fmt.Errorf("secret %d: %w", i+1, err)
		}
	}
	return nil
}
