// Package verify tells whether a request was signed by somebody who knows the
// webhook's secret, before anybody parses a byte of it. Webhook providers
// differ in spelling, not in kind: a Scheme is their difference as data, and
// one verifier serves all of them.
package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"net/textproto"
	"strings"
	"time"
)

// DefaultTolerance is how far a signed time may be from ours when the scheme
// does not say.
const DefaultTolerance = 5 * time.Minute

// Scheme is how a provider signs its requests with a shared secret.
type Scheme struct {
	// None accepts everything; nothing else is set then.
	None bool

	// Header carries the signature, or several.
	Header string
	// Separator stands between several items in Header; empty: there is one.
	Separator string
	// Prefix marks an item as a signature; items without it are ignored, so an
	// older or unknown version of a signature never counts.
	Prefix string
	// Hash of the HMAC: sha1, sha256 or sha512.
	Hash string
	// Encoding of a signature: hex, base64 or base64url.
	Encoding string
	// Signed is what is signed: text with {body}, and {timestamp} and {id} as
	// they were received.
	Signed string

	Timestamp Timestamp
	// ID is the header that names the delivery; it is signed when Signed says so.
	ID string
	// Type is the header that names the kind of event, TypePrefix what the
	// event's type begins with.
	Type, TypePrefix string

	// SecretPrefix is cut off a secret that has it; the rest is the key as
	// SecretEncoding spells it: raw (or empty), hex or base64. SecretMin is the
	// key's least length in bytes, 16 when it is 0.
	SecretPrefix, SecretEncoding string
	SecretMin                    int
}

// Timestamp is where the time of signing stands.
type Timestamp struct {
	// Header carries it alone; or Item is the prefix of the item of the
	// signature's header that carries it.
	Header, Item string
	// Unit: s, ms or rfc3339.
	Unit string
	// Tolerance in both directions; DefaultTolerance when it is 0.
	Tolerance time.Duration
}

func (t Timestamp) used() bool { return t.Header != "" || t.Item != "" }

// Preset is the scheme of a known name. Hmac is the open vocabulary: it is
// the usual defaults and a header still to be named.
func Preset(name string) (Scheme, bool) {
	switch name {
	case "none":
		return Scheme{None: true}, true
	case "hmac":
		return Scheme{Hash: "sha256", Encoding: "hex", Signed: "{body}"}, true
	case "github":
		return Scheme{
			Header: "X-Hub-Signature-256", Prefix: "sha256=", Hash: "sha256", Encoding: "hex", Signed: "{body}",
			ID: "X-GitHub-Delivery", Type: "X-GitHub-Event", TypePrefix: "github.",
		}, true
	}
	return Scheme{}, false
}

// SignsID tells whether the delivery's id is inside the signature; if not, a
// captured request can be sent again under another id.
func (s Scheme) SignsID() bool { return strings.Contains(s.Signed, "{id}") }

// newHash is the function that a scheme names, nil for an unknown name.
func newHash(name string) func() hash.Hash {
	switch name {
	case "sha1":
		return sha1.New
	case "sha256":
		return sha256.New
	case "sha512":
		return sha512.New
	}
	return nil
}

// token is one stretch of what is signed.
type token struct {
	kind    tokenKind
	literal []byte
}

type tokenKind uint8

const (
	literal tokenKind = iota
	theBody
	theTime
	theID
)

// tokens takes Signed apart.
func tokens(signed string) ([]token, error) {
	var out []token
	for signed != "" {
		begin := strings.IndexByte(signed, '{')
		if begin != 0 {
			if begin < 0 {
				begin = len(signed)
			}
			out = append(out, token{literal: []byte(signed[:begin])})
			signed = signed[begin:]
			continue
		}
		name, rest, closed := strings.Cut(signed[1:], "}")
		kind, known := map[string]tokenKind{"body": theBody, "timestamp": theTime, "id": theID}[name]
		if !closed || !known {
			return nil, fmt.Errorf("signed: %q: only {body}, {timestamp} and {id} stand in braces", signed)
		}
		out = append(out, token{kind: kind})
		signed = rest
	}
	return out, nil
}

// check finds what is missing or contradictory in a scheme.
func (s Scheme) check(parts []token) error {
	count := map[tokenKind]int{}
	for _, p := range parts {
		count[p.kind]++
	}
	_, encoded := codecOf(s.Encoding)
	switch {
	case s.Header == "":
		return fmt.Errorf("header: missing")
	case newHash(s.Hash) == nil:
		return fmt.Errorf("hash: %q is not sha1, sha256 or sha512", s.Hash)
	case !encoded:
		return fmt.Errorf("encoding: %q is not hex, base64 or base64url", s.Encoding)
	case count[theBody] != 1:
		return fmt.Errorf("signed: %q must hold {body} once", s.Signed)
	case s.SecretEncoding != "" && s.SecretEncoding != "raw" && s.SecretEncoding != "hex" && s.SecretEncoding != "base64":
		return fmt.Errorf("secret: encoding %q is not raw, hex or base64", s.SecretEncoding)
	case s.Timestamp.used() != (count[theTime] > 0):
		return fmt.Errorf("timestamp: must be named, and stand in signed as {timestamp}, or neither")
	case s.ID == "" && count[theID] > 0:
		return fmt.Errorf("signed: {id} without a header that carries it")
	case s.Timestamp.Header != "" && s.Timestamp.Item != "":
		return fmt.Errorf("timestamp: either a header or an item")
	case s.Timestamp.Item != "" && s.Separator == "":
		return fmt.Errorf("timestamp: an item needs a separator")
	case s.Timestamp.Tolerance < 0:
		return fmt.Errorf("timestamp: tolerance is negative")
	}
	return s.checkUnit()
}

func (s Scheme) checkUnit() error {
	switch s.Timestamp.Unit {
	case "s", "ms", "rfc3339":
		return nil
	case "":
		if !s.Timestamp.used() {
			return nil
		}
	}
	return fmt.Errorf("timestamp: unit %q is not s, ms or rfc3339", s.Timestamp.Unit)
}

// canonical spells header names as http.Header stores them.
func (s Scheme) canonical() Scheme {
	for _, name := range []*string{&s.Header, &s.Timestamp.Header, &s.ID, &s.Type} {
		*name = textproto.CanonicalMIMEHeaderKey(*name)
	}
	if s.Timestamp.Tolerance == 0 {
		s.Timestamp.Tolerance = DefaultTolerance
	}
	return s
}
