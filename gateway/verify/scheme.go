// Package verify tells whether a request was signed by somebody who knows the
// webhook's secret, before anybody parses a byte of it. Webhook providers
// differ in spelling, not in kind: a Scheme is their difference as data, and
// one verifier serves all of them.
package verify

import (
	"net/textproto"
	"slices"
	"time"
)

// DefaultTolerance is how far a signed time may be from ours when the scheme
// does not say.
const DefaultTolerance = 5 * time.Minute

// Scheme is how the requests of one provider prove where they are from, and
// what they call themselves.
type Scheme struct {
	// None accepts everything; nothing else is set then.
	None bool
	// Proofs are the ways in which a request may prove itself, any of which is
	// enough. A webhook takes those for which it has a secret.
	Proofs []Proof
	Names
}

// Method is what kind of proof a signature is.
type Method uint8

// The methods.
const (
	// HMAC: a keyed hash with a shared secret.
	HMAC Method = iota
	// Ed25519: a signature by a private key; the secret here is the public key.
	Ed25519
	// Token: the secret itself is sent.
	Token
)

// Proof is one way of showing that one knows a secret. It is comparable.
type Proof struct {
	Method Method
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
	// Signed is what is signed: text with {body}, or {form} for the body's
	// fields, sorted; {timestamp} and {id} as they were received; {method} and
	// {url} as the sender saw them.
	Signed string
	// Digest is the query parameter of the signed URL that holds the SHA-256 of
	// the body in hex, and stands for the body where it is there.
	Digest string

	Timestamp Timestamp
	// ID is the header with the {id} that is signed.
	ID string

	Secret SecretForm
}

// Timestamp is where the time of signing stands: at one place, or nowhere.
type Timestamp struct {
	// Header carries it alone.
	Header string
	// Item is the prefix of the item that carries it in the signature's header.
	Item string
	// Body is the path of a field of the body, which is JSON: a.b.c.
	Body string
	// Unit: s, ms or rfc3339.
	Unit string
	// Tolerance in both directions; DefaultTolerance when it is 0.
	Tolerance time.Duration
}

// SecretForm is how a secret is written.
type SecretForm struct {
	// Prefix is cut off a secret that has it. Where a scheme has several proofs
	// it also tells which of them the secret is for.
	Prefix string
	// Private is the prefix of the private key for which the secret is public.
	Private string
	// Encoding of the rest: raw (or empty), hex or base64.
	Encoding string
	// Min is the least length of the key in bytes; 16 when it is 0.
	Min int
}

// Names say what a verified request calls itself.
type Names struct {
	// Types are tried in turn for the event's type.
	Types []Kind
	// Dots are characters that become dots in a type.
	Dots string
	// ID is where the delivery's id stands, unless a proof signs one.
	ID []Place
	// Keep are further headers that are worth keeping with the event.
	Keep []string
}

// Kind is a type of events: the values of From, all of which must be there,
// joined by dots.
type Kind struct {
	// Prefix of the type; empty: the webhook's name and a dot.
	Prefix string
	From   []Place
}

// Place is where a value stands in a request: a header, or the path of a field
// of the decoded body.
type Place struct{ Header, Body string }

func (t Timestamp) used() bool { return t.Header != "" || t.Item != "" || t.Body != "" }

// UsesURL tells whether the URL is part of what is signed.
func (s *Scheme) UsesURL() bool {
	return slices.ContainsFunc(s.Proofs, func(p Proof) bool { return p.Digest != "" || usesURL(p.Signed) })
}

// Headers lists the headers that tell something about the event, never a proof.
func (s *Scheme) Headers() []string {
	var out []string
	for _, kind := range s.Types {
		for _, place := range kind.From {
			out = append(out, place.Header)
		}
	}
	for _, place := range s.ID {
		out = append(out, place.Header)
	}
	for i := range s.Proofs {
		out = append(out, s.Proofs[i].ID)
	}
	out = append(out, s.Keep...)
	return slices.DeleteFunc(out, func(name string) bool { return name == "" })
}

// canonical spells header names as http.Header stores them.
func (p Proof) canonical() Proof {
	for _, name := range []*string{&p.Header, &p.Timestamp.Header, &p.ID} {
		*name = textproto.CanonicalMIMEHeaderKey(*name)
	}
	if p.Timestamp.Tolerance == 0 {
		p.Timestamp.Tolerance = DefaultTolerance
	}
	return p
}

func (n Names) canonical() Names {
	places := func(from []Place) []Place {
		from = slices.Clone(from)
		for i := range from {
			from[i].Header = textproto.CanonicalMIMEHeaderKey(from[i].Header)
		}
		return from
	}
	n.Types = slices.Clone(n.Types)
	for i := range n.Types {
		n.Types[i].From = places(n.Types[i].From)
	}
	n.ID = places(n.ID)
	return n
}
