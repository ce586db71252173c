package verify

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"strings"
	"sync"
	"time"
)

// key is a secret ready for use, its value no longer in sight: an HMAC that is
// reset keeps its key's state, so pooling them halves the hashing of a small
// body; of a token there is only the hash.
type key struct {
	index  int
	until  time.Time
	macs   *sync.Pool
	public ed25519.PublicKey
	token  [sha256.Size]byte
}

func (k *key) activeAt(now time.Time) bool { return k.until.IsZero() || now.Before(k.until) }

// size is the length of a signature in bytes.
func (p *Proof) size() int {
	switch p.Method {
	case HMAC:
		return newHash(p.Hash)().Size()
	case Ed25519:
		return ed25519.SignatureSize
	}
	return 0
}

// addKey makes a secret ready.
func (p *prover) addKey(index int, secret Secret) error {
	value, err := p.Secret.key(secret.Value)
	if err != nil {
		return err
	}
	k := key{index: index, until: secret.Until}
	switch p.Method {
	case HMAC:
		k.macs = macPool(newHash(p.Hash), value)
	case Ed25519:
		if k.public, err = publicKey(value); err != nil {
			return err
		}
	case Token:
		k.token = sha256.Sum256(value)
	}
	p.keys = append(p.keys, k)
	return nil
}

func macPool(h func() hash.Hash, value []byte) *sync.Pool {
	return &sync.Pool{New: func() any { return &state{mac: hmac.New(h, value)} }}
}

// state is what one computation needs and the next can use again.
type state struct {
	mac     hash.Hash
	scratch []byte
	sum     [maxDigest]byte
}

// match is the index of the first active secret that made one of the
// signatures, or -1. Every secret is tried against every signature: how long
// it takes tells nothing about which one matched.
func (p *prover) match(s *signatures, c *content, now time.Time) int {
	found := -1
	for i := range p.keys {
		k := &p.keys[i]
		if k.activeAt(now) && p.made(k, s, c) && found < 0 {
			found = k.index
		}
	}
	return found
}

// made tells whether a key made one of the signatures.
func (p *prover) made(k *key, s *signatures, c *content) bool {
	if p.Method == Ed25519 {
		return p.signed(k, s, c)
	}
	st, _ := k.macs.Get().(*state)
	equal := p.equal(st, s, c)
	if p.overURL {
		other := *c
		other.url = otherPort(c.url)
		equal |= p.equal(st, s, &other)
	}
	k.macs.Put(st)
	return equal == 1
}

func (p *prover) equal(st *state, s *signatures, c *content) int {
	sum, equal := p.sum(st, c), 0
	for i := range s.count {
		equal |= subtle.ConstantTimeCompare(sum, s.sums[i][:p.size])
	}
	return equal
}

// signed: what is compared with a public key is no secret.
func (p *prover) signed(k *key, s *signatures, c *content) bool {
	message := p.message(c)
	for i := range s.count {
		if ed25519.Verify(k.public, message, s.sums[i][:p.size]) {
			return true
		}
	}
	return false
}

// sum computes the HMAC of what the scheme signs.
func (p *prover) sum(st *state, c *content) []byte {
	st.mac.Reset()
	for i := range p.tokens {
		raw, text := c.part(&p.tokens[i])
		if raw == nil {
			st.scratch = append(st.scratch[:0], text...)
			raw = st.scratch
		}
		st.mac.Write(raw)
	}
	return st.mac.Sum(st.sum[:0])
}

// message is what the scheme signs, in one piece.
func (p *prover) message(c *content) []byte {
	var m []byte
	for i := range p.tokens {
		raw, text := c.part(&p.tokens[i])
		m = append(append(m, raw...), text...)
	}
	return m
}

// compare looks for the secret that was sent. Hashes are compared, so that the
// time it takes tells nothing about a secret's length either.
func (p *prover) compare(offered string, now time.Time) (Result, error) {
	// The name of an authentication scheme is written in either case.
	if len(offered) < len(p.Prefix) || !strings.EqualFold(offered[:len(p.Prefix)], p.Prefix) {
		return Result{}, Malformed
	}
	token := sha256.Sum256([]byte(offered[len(p.Prefix):]))
	found := -1
	for i := range p.keys {
		k := &p.keys[i]
		if subtle.ConstantTimeCompare(token[:], k.token[:]) == 1 && k.activeAt(now) && found < 0 {
			found = k.index
		}
	}
	if found < 0 {
		return Result{}, Mismatch
	}
	return Result{Secret: found}, nil
}
