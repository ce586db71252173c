package verify

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Sign completes a request as a sender under this scheme would send it. The
// proof is the first that the secret is for; of a public key that is the
// private one. The id is used where the scheme has one in a header. Where the
// scheme wants the time in the body, or the body's digest in the URL, these
// are changed too.
func Sign(s Scheme, secret []byte, r *Request, now time.Time, id string) error {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for _, place := range s.ID {
		if place.Header != "" && id != "" {
			r.Header.Set(place.Header, id)
			break
		}
	}
	if s.None {
		return nil
	}
	for i := range s.Proofs {
		if s.usesPrivate(i, secret) {
			return s.Proofs[i].sign(secret, r, now, id)
		}
	}
	return fmt.Errorf("scheme: has no proof")
}

// Public tells whether a secret is a public key, with which nobody can sign.
func (s *Scheme) Public(secret []byte) bool {
	for i := range s.Proofs {
		if s.Proofs[i].Method == Ed25519 && s.uses(i, secret) {
			return true
		}
	}
	return false
}

// usesPrivate tells whether a secret that signs is for the proof at i.
func (s *Scheme) usesPrivate(i int, secret []byte) bool {
	if s.private(secret) {
		return s.Proofs[i].Secret.isPrivate(secret)
	}
	return s.uses(i, secret)
}

func (p *Proof) sign(secret []byte, r *Request, now time.Time, id string) error {
	signer, err := p.compile()
	if err != nil {
		return err
	}
	if p.Method == Token {
		r.Header.Set(p.Header, p.Prefix+string(secret))
		return nil
	}
	c := content{id: id, method: r.Method}
	c.timestamp = formatTime(now, p.Timestamp.Unit)
	if err := signer.prepare(&c, r); err != nil {
		return err
	}
	sum, err := signer.proof(&c, secret)
	if err != nil {
		return err
	}
	signature := p.Prefix + signer.codec.encode(sum)
	switch {
	case p.Timestamp.Item != "":
		signature = p.Timestamp.Item + c.timestamp + p.Separator + signature
	case p.Timestamp.Header != "":
		r.Header.Set(p.Timestamp.Header, c.timestamp)
	}
	if p.ID != "" {
		r.Header.Set(p.ID, id)
	}
	r.Header.Set(p.Header, signature)
	return nil
}

// prepare makes the request what can be signed, and takes from it what is.
func (p *prover) prepare(c *content, r *Request) error {
	if path := p.Timestamp.Body; path != "" {
		value := c.timestamp
		if p.Timestamp.Unit == "rfc3339" {
			value = strconv.Quote(value)
		}
		body, ok := setField(r.Body, path, value)
		if !ok {
			return fmt.Errorf("body: must be a JSON object, for its time in %q", path)
		}
		r.Body = body
	}
	if p.Digest != "" && len(r.Body) > 0 && !isForm(r.Header) {
		r.URL = addDigest(r.URL, p.Digest, r.Body)
	}
	c.body, c.url = r.Body, r.URL
	if p.overBody {
		return nil
	}
	if err := p.readForm(c, r); err != nil {
		return fmt.Errorf("body: not a form")
	}
	return nil
}

// proof makes the signature itself.
func (p *prover) proof(c *content, secret []byte) ([]byte, error) {
	if p.Method == Ed25519 {
		private, err := p.Secret.private(secret)
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		return ed25519.Sign(private, p.message(c)), nil
	}
	if err := p.addKey(0, Secret{Value: secret}); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	st, _ := p.keys[0].macs.Get().(*state)
	return p.sum(st, c), nil
}

// private reads a private key: its seed, or seed and public key.
func (f SecretForm) private(value []byte) (ed25519.PrivateKey, error) {
	form := SecretForm{Prefix: f.Private, Encoding: f.Encoding}
	key, err := form.key(value)
	if err != nil {
		return nil, err
	}
	switch len(key) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(key), nil
	case ed25519.PrivateKeySize:
		return ed25519.NewKeyFromSeed(key[:ed25519.SeedSize]), nil
	}
	return nil, fmt.Errorf("is not a private key of %d bytes", ed25519.SeedSize)
}
