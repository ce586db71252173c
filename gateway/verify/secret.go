package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
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

// uses tells whether a secret is for the proof at i: the one whose prefix it
// has, the longest if there are several, and the first of the scheme's if
// there is none.
func (s *Scheme) uses(i int, secret []byte) bool {
	chosen, longest := s.Proofs[0].Secret.Prefix, -1
	for j := range s.Proofs {
		prefix := s.Proofs[j].Secret.Prefix
		if len(prefix) > longest && bytes.HasPrefix(secret, []byte(prefix)) {
			chosen, longest = prefix, len(prefix)
		}
	}
	return s.Proofs[i].Secret.Prefix == chosen
}

// key makes the key out of a secret, the way the scheme writes secrets.
func (f SecretForm) key(value []byte) ([]byte, error) {
	value = bytes.TrimPrefix(value, []byte(f.Prefix))
	var err error
	switch f.Encoding {
	case "base64":
		value, err = base64.StdEncoding.DecodeString(string(value))
	case "hex":
		value, err = hex.DecodeString(string(value))
	}
	if err != nil {
		// The decoder's own error quotes what it read.
		return nil, fmt.Errorf("is not %s", f.Encoding)
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("is empty")
	}
	return value, nil
}

// checkKey applies what New demands of every secret before it is used.
func (p *Proof) checkKey(secret Secret) error {
	key, err := p.Secret.key(secret.Value)
	if err != nil {
		return err
	}
	if err := secret.check(); err != nil {
		return err
	}
	if p.Method == Ed25519 {
		return nil // has the length of a public key, or build refuses it
	}
	if least := max(minSecret, p.Secret.Min); len(key) < least {
		return fmt.Errorf("is shorter than %d bytes", least)
	}
	return nil
}

// checkSecrets applies checkKey to every secret, as the proofs that it is for
// write it.
func (s *Scheme) checkSecrets(secrets []Secret) error {
	for i, secret := range secrets {
		if s.private(secret.Value) {
			return fmt.Errorf("secret %d: is a private key: the sender has that, a receiver the public one", i+1)
		}
		for j := range s.Proofs {
			if !s.uses(j, secret.Value) {
				continue
			}
			if err := s.Proofs[j].checkKey(secret); err != nil {
				return fmt.Errorf("secret %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// private tells whether a secret is written as a private key.
func (s *Scheme) private(secret []byte) bool {
	return slices.ContainsFunc(s.Proofs, func(p Proof) bool { return p.Secret.isPrivate(secret) })
}

func (f SecretForm) isPrivate(secret []byte) bool {
	return f.Private != "" && bytes.HasPrefix(secret, []byte(f.Private))
}

// publicKey is the key of a secret that is one.
func publicKey(key []byte) (ed25519.PublicKey, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("is not a public key of %d bytes", ed25519.PublicKeySize)
	}
	return key, nil
}
