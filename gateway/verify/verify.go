package verify

import (
	"crypto/hmac"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxSignatures bounds how many signatures one request may offer.
const maxSignatures = 10

// maxDigest is the size of the longest hash, sha512.
const maxDigest = 64

// Reason is why a request is refused. It is for metrics and the status: what
// the sender is told must not depend on it, or it becomes an oracle.
type Reason uint8

// The reasons.
const (
	// Missing: a header that the scheme needs is not there.
	Missing Reason = iota + 1
	// Doubled: a header that must be there once is there more than once, so
	// that two readers could disagree about what was signed.
	Doubled
	// Malformed: a header is not what the scheme says.
	Malformed
	// Mismatch: no active secret made any of the signatures.
	Mismatch
	// Stale: rightly signed, too long ago or too far ahead.
	Stale
)

// Reasons are all reasons, for counters.
func Reasons() []Reason { return []Reason{Missing, Doubled, Malformed, Mismatch, Stale} }

func (r Reason) String() string {
	return [...]string{"", "missing", "doubled", "malformed", "mismatch", "stale"}[r]
}

func (r Reason) Error() string { return "signature: " + r.String() }

// Result is what a verified request says about itself.
type Result struct {
	// ID of the delivery; empty when the scheme has none or it was not sent.
	ID string
	// Timestamp as it was received and signed; empty when the scheme has none.
	Timestamp string
	// SignedAt is Timestamp read.
	SignedAt time.Time
	// Secret is the index of the secret that matched; -1 for the scheme none.
	Secret int
}

// Verifier checks requests of one webhook. It is safe for concurrent use.
type Verifier struct {
	scheme Scheme
	tokens []token
	size   int
	codec  codec
	keys   []key
}

// key is a secret ready for use, its value no longer in sight. An HMAC that is reset keeps its key's state,
// so pooling them halves the hashing of a small body.
type key struct {
	until time.Time
	macs  *sync.Pool
}

// New makes a verifier. It refuses a scheme that does not hang together and
// secrets that are missing, short or placeholders: a webhook that anybody can
// sign must not load.
func New(s Scheme, secrets []Secret) (*Verifier, error) {
	if err := s.checkSecrets(secrets); err != nil {
		return nil, err
	}
	return build(s, secrets)
}

func build(s Scheme, secrets []Secret) (*Verifier, error) {
	if s.None {
		if len(secrets) > 0 {
			return nil, fmt.Errorf("secrets: the scheme none has no use for them")
		}
		return &Verifier{scheme: s.canonical()}, nil
	}
	parts, err := tokens(s.Signed)
	if err != nil {
		return nil, err
	}
	if err := s.check(parts); err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("secrets: at least one is needed")
	}
	v := &Verifier{scheme: s.canonical(), tokens: parts, size: newHash(s.Hash)().Size()}
	v.codec, _ = codecOf(s.Encoding)
	for i, secret := range secrets {
		value, err := s.key(secret.Value)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		v.keys = append(v.keys, key{until: secret.Until, macs: macPool(newHash(s.Hash), value)})
	}
	return v, nil
}

func (k *key) activeAt(now time.Time) bool { return k.until.IsZero() || now.Before(k.until) }

func macPool(h func() hash.Hash, value []byte) *sync.Pool {
	return &sync.Pool{New: func() any { return &state{mac: hmac.New(h, value)} }}
}

// state is what one computation needs and the next can use again.
type state struct {
	mac     hash.Hash
	scratch []byte
	sum     [maxDigest]byte
}

// Scheme is the scheme, its header names in canonical form.
func (v *Verifier) Scheme() Scheme { return v.scheme }

// Verify checks a request at a moment. The error is always a Reason.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) (Result, error) {
	if v.scheme.None {
		return Result{Secret: -1}, nil
	}
	offered, err := single(h, v.scheme.Header)
	if err != nil {
		return Result{}, err
	}
	r, err := v.read(h, offered)
	if err != nil {
		return Result{}, err
	}
	var s signatures
	if err := v.collect(&s, offered); err != nil {
		return Result{}, err
	}
	if r.Secret = v.match(&s, &r, body, now); r.Secret < 0 {
		return Result{}, Mismatch
	}
	if v.scheme.Timestamp.used() && !within(r.SignedAt, now, v.scheme.Timestamp.Tolerance) {
		return Result{}, Stale
	}
	return r, nil
}

// read takes id and time from the headers.
func (v *Verifier) read(h http.Header, offered string) (Result, error) {
	var r Result
	var err error
	if v.scheme.ID != "" {
		if r.ID, err = v.id(h); err != nil {
			return r, err
		}
	}
	if !v.scheme.Timestamp.used() {
		return r, nil
	}
	if v.scheme.Timestamp.Item != "" {
		r.Timestamp, err = v.item(offered, v.scheme.Timestamp.Item)
	} else {
		r.Timestamp, err = single(h, v.scheme.Timestamp.Header)
	}
	if err != nil {
		return r, err
	}
	at, ok := parseTime(r.Timestamp, v.scheme.Timestamp.Unit)
	if !ok {
		return r, Malformed
	}
	r.SignedAt = at
	return r, nil
}

// id reads the delivery's id. One that is not signed may be absent.
func (v *Verifier) id(h http.Header) (string, error) {
	id, err := single(h, v.scheme.ID)
	if errors.Is(err, Missing) && !v.scheme.SignsID() {
		return "", nil
	}
	if err == nil && !cleanID(id, v.scheme.SignsID()) {
		return "", Malformed
	}
	return id, err
}

// item finds the only item with a prefix in the signature's header.
func (v *Verifier) item(offered, prefix string) (string, error) {
	found, count := "", 0
	for part := range strings.SplitSeq(offered, v.scheme.Separator) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(part), prefix); ok {
			found, count = value, count+1
		}
	}
	switch count {
	case 0:
		return "", Missing
	case 1:
		return found, nil
	}
	return "", Malformed
}

// signatures are the decoded signatures that a request offers.
type signatures struct {
	sums  [maxSignatures][maxDigest]byte
	count int
}

// collect decodes every item that claims to be a signature of this scheme.
func (v *Verifier) collect(s *signatures, offered string) error {
	if v.scheme.Separator == "" {
		return v.add(s, offered)
	}
	for part := range strings.SplitSeq(offered, v.scheme.Separator) {
		if err := v.add(s, strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	return nil
}

func (v *Verifier) add(s *signatures, item string) error {
	text, ok := strings.CutPrefix(item, v.scheme.Prefix)
	if !ok {
		return nil
	}
	if s.count == maxSignatures {
		return Malformed
	}
	if v.codec.decode(s.sums[s.count][:v.size], text) {
		s.count++
	}
	return nil
}

// match is the index of the first active secret that made one of the
// signatures, or -1. Every secret is tried against every signature: how long
// it takes tells nothing about which one matched.
func (v *Verifier) match(s *signatures, r *Result, body []byte, now time.Time) int {
	found := -1
	for i := range v.keys {
		k := &v.keys[i]
		if !k.activeAt(now) {
			continue
		}
		st, _ := k.macs.Get().(*state)
		sum := v.sign(st, r, body)
		equal := 0
		for j := range s.count {
			equal |= subtle.ConstantTimeCompare(sum, s.sums[j][:v.size])
		}
		k.macs.Put(st)
		if equal == 1 && found < 0 {
			found = i
		}
	}
	return found
}

// sign computes the HMAC of what the scheme signs.
func (v *Verifier) sign(st *state, r *Result, body []byte) []byte {
	st.mac.Reset()
	for i := range v.tokens {
		switch t := &v.tokens[i]; t.kind {
		case literal:
			st.mac.Write(t.literal)
		case theBody:
			st.mac.Write(body)
		case theTime:
			st.write(r.Timestamp)
		case theID:
			st.write(r.ID)
		}
	}
	return st.mac.Sum(st.sum[:0])
}

func (st *state) write(s string) {
	st.scratch = append(st.scratch[:0], s...)
	st.mac.Write(st.scratch)
}

// single is the value of a header that must be there exactly once.
func single(h http.Header, name string) (string, error) {
	switch values := h[name]; len(values) {
	case 0:
		return "", Missing
	case 1:
		if values[0] == "" {
			return "", Missing
		}
		return values[0], nil
	}
	return "", Doubled
}
