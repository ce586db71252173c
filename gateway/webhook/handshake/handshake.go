// Package handshake answers what providers ask before they send events: is the
// endpoint there, does it want them, does its owner know the secret? A question
// and its answer are data, as signatures are in verify. The webhook stage asks
// here before it makes an event: what is answered here is never stored.
package handshake

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/verify"
)

// maxValue bounds in bytes what is said back to whoever asks.
const maxValue = 1024

// Errors of Answer. They are for the sender.
var (
	// ErrToken: the question does not carry the token that was agreed on.
	ErrToken = errors.New("handshake: token: missing or another one")
	// ErrValue: the value to be said back is no short, printable text.
	ErrValue = errors.New("handshake: the challenge is not a printable text of at most 1024 characters")
)

// Mistake is what is wrong with a Spec, and in which field of it, named as in the
// configuration.
type Mistake struct{ Field, Message string }

func (m *Mistake) Error() string { return "challenge: " + m.Field + ": " + m.Message }

// Spec is a question of a provider's, and its answer. Places in the request are
// query.<name>, headers.<name> and data.<path>, as in the match of a route.
type Spec struct {
	// Method of the request: GET, HEAD or POST.
	Method string
	// Match says what makes a request this question: each place holds one of
	// its values. Nil is a value too: nothing is there.
	Match map[string][]any
	// Value is the place of the text that the answer takes up; a request
	// without it is not this question. Empty: the answer takes up nothing.
	Value string
	// TokenAt is the place of a text that must be Token; empty: there is none.
	TokenAt string
	Token   []byte
	// Unsigned: this question comes without the signature that events have.
	Unsigned bool
	// Status of the answer, 200 when 0.
	Status int
	// Answer is sent as text when it is a string, else as JSON. In its strings
	// {challenge} stands for the value, {hmac_hex} and {hmac_base64} for its
	// HMAC-SHA256 under the webhook's secret.
	Answer any
}

// Set is what a webhook answers.
type Set struct {
	questions []question
	secrets   []verify.Secret
	// lends: it signs for whoever asks.
	lends bool
}

type question struct {
	Spec
	match  []condition
	value  place
	token  place
	digest [sha256.Size]byte
	signs  bool
}

type condition struct {
	at     place
	accept []any
}

// Compile checks questions and makes them ready; without any it is nil, which
// answers nothing. Secrets are those of the webhook.
func Compile(specs []Spec, secrets []verify.Secret) (*Set, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	s := &Set{}
	for _, spec := range specs {
		q, err := compile(spec)
		if err != nil {
			return nil, err
		}
		if q.signs {
			s.secrets = secrets
		}
		s.lends = s.lends || q.signs && q.Unsigned
		s.questions = append(s.questions, q)
	}
	if slices.ContainsFunc(s.questions, func(q question) bool { return q.signs }) && len(secrets) == 0 {
		return nil, &Mistake{"answer", "is signed, but the webhook has no secrets"}
	}
	return s, nil
}

func compile(spec Spec) (q question, err error) {
	q = question{Spec: spec, digest: sha256.Sum256(spec.Token), signs: signs(spec.Answer)}
	q.Token = nil
	if q.Status == 0 {
		q.Status = http.StatusOK
	}
	for at, accept := range spec.Match {
		p, err := parsePlace(at)
		if err != nil || p.root == "" {
			return q, &Mistake{"match." + at, placeWanted}
		}
		q.match = append(q.match, condition{p, accept})
	}
	if q.value, err = parsePlace(spec.Value); err != nil {
		return q, &Mistake{"value", placeWanted}
	}
	if q.token, err = parsePlace(spec.TokenAt); err != nil {
		return q, &Mistake{"token_at", placeWanted}
	}
	return q, spec.check()
}

// check finds what is missing or contradictory.
func (s *Spec) check() error {
	switch {
	case s.Method != http.MethodGet && s.Method != http.MethodHead && s.Method != http.MethodPost:
		return &Mistake{"method", "is not GET, HEAD or POST"}
	case s.Method == http.MethodPost && len(s.Match) == 0 && s.Value == "":
		return &Mistake{"match", "is missing: nothing tells the question from an event"}
	case s.Value == "" && takesUp(s.Answer):
		return &Mistake{"answer", "takes up a challenge, but value does not say where that is"}
	case s.Status != 0 && (s.Status < 200 || s.Status > 299):
		return &Mistake{"status", "want a status from 200 to 299"}
	case s.TokenAt == "" && len(s.Token) > 0:
		return &Mistake{"token", "is asked for nowhere: token_at would say where"}
	case s.TokenAt != "" && len(s.Token) == 0:
		return &Mistake{"token", "is missing: the question carries one, and it must be compared"}
	}
	return nil
}

// Question is a request that may be one.
type Question struct {
	Request *http.Request
	Body    []byte
	// Verified: its signature was checked. Secret is the index of the one that
	// matched, -1 where there is none.
	Verified bool
	Secret   int
	Now      time.Time

	body *event.Event
}

// Reply is the answer to a question.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}

// Takes tells whether there are questions of a method that are signed, or that
// are not.
func (s *Set) Takes(method string, signed bool) bool {
	return s != nil && slices.ContainsFunc(s.questions, func(q question) bool { return q.Method == method && q.Unsigned != signed })
}

// Answer gives the reply, nil when the request is not a question, or not one
// that may be answered before its signature is checked.
func (s *Set) Answer(q *Question) (*Reply, error) {
	if s == nil {
		return nil, nil
	}
	for i := range s.questions {
		if known := &s.questions[i]; known.Unsigned != q.Verified && known.asked(q) {
			return s.reply(known, q)
		}
	}
	return nil, nil
}

func (known *question) asked(q *Question) bool {
	if known.Method != q.Request.Method {
		return false
	}
	for _, c := range known.match {
		if !slices.Contains(c.accept, scalar(c.at.in(q))) {
			return false
		}
	}
	return known.Value == "" || known.value.in(q) != nil
}

// scalar keeps lists and objects out of comparisons; they equal nothing.
func scalar(v any) any {
	switch v.(type) {
	case string, json.Number, bool, nil:
		return v
	}
	return struct{}{}
}

func (s *Set) reply(known *question, q *Question) (*Reply, error) {
	if known.TokenAt != "" {
		token, _ := known.token.in(q).(string)
		if sum := sha256.Sum256([]byte(token)); subtle.ConstantTimeCompare(sum[:], known.digest[:]) == 0 {
			return nil, ErrToken
		}
	}
	value := ""
	if known.Value != "" {
		text, ok := printable(known.value.in(q))
		if !ok || known.signs && known.Unsigned && !tokenLike(text) {
			return nil, ErrValue
		}
		value = text
	}
	f := filler{value: value}
	if known.signs {
		f.sum = sign(s.secret(q), value)
	}
	return f.reply(known.Status, known.Answer)
}

// secret is the one that verified the question, else the first that is valid.
func (s *Set) secret(q *Question) []byte {
	if q.Verified && q.Secret >= 0 {
		return s.secrets[q.Secret].Value
	}
	for _, secret := range s.secrets {
		if secret.Until.IsZero() || q.Now.Before(secret.Until) {
			return secret.Value
		}
	}
	return s.secrets[len(s.secrets)-1].Value
}

// printable is a value as text, if it is short and of printable ASCII.
func printable(v any) (string, bool) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	default:
		return "", false
	}
	outside := func(r rune) bool { return r < ' ' || r > '~' }
	return text, text != "" && len(text) <= maxValue && !strings.ContainsFunc(text, outside)
}

// maxToken bounds what is signed for whoever asks.
const maxToken = 256

// tokenLike tells texts that are nothing but letters, digits and what base64
// adds to them. Whatever is part of one is tokenLike as well.
func tokenLike(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+/"
	return len(text) <= maxToken && strings.Trim(strings.TrimRight(text, "="), letters) == ""
}

// Forgeable tells whether a signature of this body may have been had for the
// asking: some providers ask for a value to be signed and do not sign the
// question. What could be such a value is no event then.
func (s *Set) Forgeable(body []byte) bool {
	return s != nil && s.lends && len(body) <= maxToken && tokenLike(string(body))
}
