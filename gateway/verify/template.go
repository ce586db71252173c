package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
)

// token is one stretch of what is signed.
type token struct {
	kind    tokenKind
	literal []byte
}

type tokenKind uint8

const (
	literal tokenKind = iota
	theBody
	theForm
	theTime
	theID
	theMethod
	theURL
)

// placeholders are the names that stand in braces.
func placeholders() map[string]tokenKind {
	return map[string]tokenKind{
		"body": theBody, "form": theForm, "timestamp": theTime, "id": theID, "method": theMethod, "url": theURL,
	}
}

func usesURL(signed string) bool { return strings.Contains(signed, "{url}") }

// tokens takes Signed apart.
func tokens(signed string) ([]token, error) {
	var out []token
	known := placeholders()
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
		kind, ok := known[name]
		if !closed || !ok {
			return nil, fmt.Errorf("signed: %q: only {body}, {form}, {timestamp}, {id}, {method} and {url} stand in braces", signed)
		}
		out = append(out, token{kind: kind})
		signed = rest
	}
	return out, nil
}

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

// check finds what is missing or contradictory in a proof.
func (p *Proof) check(parts []token) error {
	if p.Header == "" {
		return fmt.Errorf("header: missing")
	}
	if p.Method == Token {
		return nil
	}
	_, encoded := codecOf(p.Encoding)
	switch {
	case p.Method == HMAC && newHash(p.Hash) == nil:
		return fmt.Errorf("hash: %q is not sha1, sha256 or sha512", p.Hash)
	case !encoded:
		return fmt.Errorf("encoding: %q is not hex, base64 or base64url", p.Encoding)
	case p.Secret.Encoding != "" && p.Secret.Encoding != "raw" && p.Secret.Encoding != "hex" && p.Secret.Encoding != "base64":
		return fmt.Errorf("secret: encoding %q is not raw, hex or base64", p.Secret.Encoding)
	}
	count := map[tokenKind]int{}
	for _, t := range parts {
		count[t.kind]++
	}
	if err := p.checkSigned(count); err != nil {
		return err
	}
	return p.Timestamp.check(p.Separator, count[theTime] > 0)
}

// checkSigned wants the body to be signed once, in one of the ways there are.
func (p *Proof) checkSigned(count map[tokenKind]int) error {
	switch {
	case p.Digest != "" && count[theURL] == 0:
		return fmt.Errorf("digest: the URL that holds it must be signed: add {url} to signed")
	case p.Digest != "" && count[theBody] > 0, p.Digest == "" && count[theBody]+count[theForm] != 1, count[theForm] > 1:
		return fmt.Errorf("signed: %q must hold {body} or {form} once", p.Signed)
	case p.ID == "" && count[theID] > 0:
		return fmt.Errorf("signed: {id} without a header that carries it")
	case p.ID != "" && count[theID] == 0:
		return fmt.Errorf("id: is not part of what is signed: add {id} to signed")
	}
	return nil
}

// check: a time outside the body is worth what signs it; one inside is signed
// with it.
func (t Timestamp) check(separator string, signed bool) error {
	places := 0
	for _, place := range []string{t.Header, t.Item, t.Body} {
		if place != "" {
			places++
		}
	}
	switch {
	case places > 1:
		return fmt.Errorf("timestamp: stands in a header, an item of one, or the body: choose one")
	case signed != (t.Header != "" || t.Item != ""):
		return fmt.Errorf("timestamp: must be named, and stand in signed as {timestamp}, or neither")
	case t.Item != "" && separator == "":
		return fmt.Errorf("timestamp: an item needs a separator")
	case t.Tolerance < 0:
		return fmt.Errorf("timestamp: tolerance is negative")
	}
	switch t.Unit {
	case "s", "ms", "rfc3339":
		return nil
	case "":
		if !t.used() {
			return nil
		}
	}
	return fmt.Errorf("timestamp: unit %q is not s, ms or rfc3339", t.Unit)
}
