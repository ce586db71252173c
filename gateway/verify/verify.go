package verify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

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
	// ID of the delivery that is signed; empty when the scheme signs none.
	ID string
	// Timestamp as it was received and signed; empty when the scheme has none
	// outside the body.
	Timestamp string
	// SignedAt is when it was signed, if the scheme says.
	SignedAt time.Time
	// URL that was signed, without a port; empty when the scheme signs none.
	URL string
	// Form is what was signed of the body when only its fields are, sorted: the
	// same fields can be spelled in many ways.
	Form []byte
	// Secret is the index of the secret that matched; -1 for the scheme none.
	Secret int
}

// Verifier checks requests of one webhook. It is safe for concurrent use.
type Verifier struct {
	scheme  Scheme
	provers []*prover
}

// prover is a proof that there are secrets for.
type prover struct {
	Proof
	tokens []token
	// What is among the tokens.
	overBody, overForm, overURL bool

	size  int
	codec codec
	keys  []key
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
	v := &Verifier{scheme: s}
	v.scheme.Names = s.Names.canonical()
	switch {
	case s.None && len(secrets) > 0:
		return nil, fmt.Errorf("secrets: the scheme none has no use for them")
	case s.None:
		return v, nil
	case len(s.Proofs) == 0:
		return nil, fmt.Errorf("scheme: has no proof")
	case len(secrets) == 0:
		return nil, fmt.Errorf("secrets: at least one is needed")
	}
	for i := range s.Proofs {
		p, err := s.Proofs[i].compile()
		if err != nil {
			return nil, err
		}
		for j, secret := range secrets {
			if !s.uses(i, secret.Value) {
				continue
			}
			if err := p.addKey(j, secret); err != nil {
				return nil, fmt.Errorf("secret %d: %w", j+1, err)
			}
		}
		if len(p.keys) > 0 {
			v.provers = append(v.provers, p)
		}
	}
	return v, nil
}

func (p Proof) compile() (*prover, error) {
	parts, err := tokens(p.Signed)
	if err != nil {
		return nil, err
	}
	if err := p.check(parts); err != nil {
		return nil, err
	}
	out := &prover{Proof: p.canonical(), tokens: parts, size: p.size()}
	out.codec, _ = codecOf(p.Encoding)
	for i := range parts {
		out.overBody = out.overBody || parts[i].kind == theBody
		out.overForm = out.overForm || parts[i].kind == theForm
		out.overURL = out.overURL || parts[i].kind == theURL
	}
	return out, nil
}

// Scheme is the scheme, its header names in canonical form.
func (v *Verifier) Scheme() *Scheme { return &v.scheme }

// Verify checks a request at a moment. The error is always a Reason; of a stale
// request there is SignedAt and no more.
func (v *Verifier) Verify(r *Request, now time.Time) (Result, error) {
	if v.scheme.None {
		return Result{Secret: -1}, nil
	}
	refused, last := Missing, Result{}
	for _, p := range v.provers {
		result, err := p.verify(r, now)
		if err == nil {
			return result, nil
		}
		// What was tried tells more than what was not.
		if reason := Missing; refused == Missing && errors.As(err, &reason) {
			refused, last = reason, result
		}
	}
	return last, refused
}

func (p *prover) verify(r *Request, now time.Time) (Result, error) {
	offered, err := single(r.Header, p.Header)
	if err != nil {
		return Result{}, err
	}
	if p.Method == Token {
		return p.compare(offered, now)
	}
	c := content{body: r.Body, method: r.Method, url: r.URL}
	result, err := p.read(&c, r, offered)
	if err != nil {
		return Result{}, err
	}
	var s signatures
	if err := p.collect(&s, offered); err != nil {
		return Result{}, err
	}
	if result.Secret = p.match(&s, &c, now); result.Secret < 0 {
		return Result{}, Mismatch
	}
	if p.Timestamp.Body != "" {
		if result.SignedAt, err = p.timeInBody(r.Body); err != nil {
			return Result{}, err
		}
	}
	if p.Timestamp.used() && !within(result.SignedAt, now, p.Timestamp.Tolerance) {
		return Result{SignedAt: result.SignedAt}, Stale
	}
	return result, nil
}

// read takes what is signed from the request.
func (p *prover) read(c *content, r *Request, offered string) (Result, error) {
	var result Result
	var err error
	if p.ID != "" {
		if c.id, err = single(r.Header, p.ID); err != nil {
			return result, err
		}
		if !cleanID(c.id) {
			return result, Malformed
		}
	}
	if !p.overBody {
		if err := p.readForm(c, r); err != nil {
			return result, err
		}
		result.Form = c.form
	}
	if result.ID = c.id; p.overURL {
		result.URL = withoutPort(c.url)
	}
	if p.Timestamp.Item != "" {
		c.timestamp, err = p.item(offered, p.Timestamp.Item)
	} else if p.Timestamp.Header != "" {
		c.timestamp, err = single(r.Header, p.Timestamp.Header)
	}
	if err != nil || c.timestamp == "" {
		return result, err
	}
	at, ok := parseTime(c.timestamp, p.Timestamp.Unit)
	if !ok {
		return result, Malformed
	}
	result.Timestamp, result.SignedAt = c.timestamp, at
	return result, nil
}

// item finds the only item with a prefix in the signature's header.
func (p *prover) item(offered, prefix string) (string, error) {
	found, count := "", 0
	for part := range strings.SplitSeq(offered, p.Separator) {
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

// maxSignatures bounds how many signatures one request may offer.
const maxSignatures = 10

// maxDigest is the size of the longest signature: sha512, and ed25519.
const maxDigest = 64

// signatures are the decoded signatures that a request offers.
type signatures struct {
	sums    [maxSignatures][maxDigest]byte
	offered int // with those that cannot be decoded
	count   int
}

// collect decodes every item that claims to be a signature of this scheme.
func (p *prover) collect(s *signatures, offered string) error {
	if p.Separator == "" {
		return p.add(s, offered)
	}
	for part := range strings.SplitSeq(offered, p.Separator) {
		if err := p.add(s, strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	return nil
}

func (p *prover) add(s *signatures, item string) error {
	text, ok := strings.CutPrefix(item, p.Prefix)
	if !ok {
		return nil
	}
	if s.offered++; s.offered > maxSignatures {
		return Malformed
	}
	if p.codec.decode(s.sums[s.count][:p.size], text) {
		s.count++
	}
	return nil
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
