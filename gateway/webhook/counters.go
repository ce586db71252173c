package webhook

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook/gate"
)

// Registry keeps what webhooks count, by their declared names, over reloads.
// Names come from the configuration, never from requests, so it is bounded.
type Registry struct {
	mu      sync.Mutex
	seed    maphash.Seed
	byName  map[string]*counters
	secrets map[secretKey]*moment
	limiter *gate.Limiter
}

// secretKey tells secrets of a webhook apart without keeping them: an index
// would mean another secret after a rotation.
type secretKey struct {
	webhook string
	secret  uint64
}

// maxSecrets bounds how many secrets are remembered, over all rotations.
const maxSecrets = 10_000

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	return &Registry{seed: maphash.MakeSeed(), byName: map[string]*counters{}, secrets: map[secretKey]*moment{}, limiter: gate.NewLimiter()}
}

func (r *Registry) of(name string, secrets []verify.Secret) (*counters, []*moment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.byName[name]
	if c == nil {
		c = &counters{}
		r.byName[name] = c
	}
	if len(r.secrets) >= maxSecrets {
		// Once in so many rotations it is forgotten when each matched last.
		clear(r.secrets)
	}
	matched := make([]*moment, len(secrets))
	for i, s := range secrets {
		key := secretKey{name, maphash.Bytes(r.seed, s.Value)}
		if r.secrets[key] == nil {
			r.secrets[key] = &moment{}
		}
		matched[i] = r.secrets[key]
	}
	return c, matched
}

// moment is a time that is written often and read seldom.
type moment struct{ nanos atomic.Int64 }

func (m *moment) set(t time.Time) { m.nanos.Store(t.UnixNano()) }

func (m *moment) get() time.Time {
	if n := m.nanos.Load(); n != 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

// counters of one webhook.
type counters struct {
	schema, marked                 atomic.Uint64
	handshakes, origin             atomic.Uint64
	accepted, duplicates, conflict atomic.Uint64
	address, unsupported, tooLarge atomic.Uint64
	invalid, refused, failed, rate atomic.Uint64
	unverified                     [int(verify.Stale) + 1]atomic.Uint64
	last                           moment
	// skew is what our clock had on the sender's at the last request that was
	// rightly signed with a time, stale or not.
	skew  atomic.Int64
	timed atomic.Bool // there was one
	// left is what is left of the rate of all senders together.
	left gate.Bucket
}

func (c *counters) accept(duplicate bool) {
	if duplicate {
		c.duplicates.Add(1)
	} else {
		c.accepted.Add(1)
	}
}

// matched remembers which secret verified a request.
func (c *counters) matched(secrets []*moment, secret int, now time.Time) {
	c.last.set(now)
	if secret >= 0 {
		secrets[secret].set(now)
	}
}

func (c *counters) signedAt(at, now time.Time) {
	if at.IsZero() {
		return
	}
	c.skew.Store(int64(now.Sub(at)))
	c.timed.Store(true)
}

// Status is what a webhook has counted since the gateway started.
type Status struct {
	Name, Path, Scheme string
	// Insecure: the scheme is none, anybody may send.
	Insecure             bool
	Accepted, Duplicates uint64
	// Handshakes are questions of providers that were answered.
	Handshakes uint64
	// Marked are events that the schema has something against.
	Marked uint64
	// Rejected counts by reason: unauthorized_missing (and _doubled,
	// _malformed, _mismatch, _stale, _address, _origin), conflict, invalid, schema, too_large,
	// unsupported, rate, refused (sent away with a 503), failed.
	Rejected map[string]uint64
	// Last is when a request was verified. Secrets tells for each secret when it
	// last matched, LastSecret the index of the latest one, -1 when none did.
	Last       time.Time
	LastSecret int
	// Skew is how far the time of the last signed request was behind ours, if
	// one was Timed.
	Skew    time.Duration
	Timed   bool
	Secrets []time.Time
}

// Status of all webhooks in the table, by name.
func (t *Table) Status() []Status {
	all := make([]Status, 0, len(t.byPath))
	for _, w := range t.byPath {
		all = append(all, w.status())
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// StatusAt is that of the webhook that listens at a path.
func (t *Table) StatusAt(path string) (Status, bool) {
	w, _ := t.find(path)
	if w == nil {
		return Status{}, false
	}
	return w.status(), true
}

func (w *Webhook) status() Status {
	c := w.counters
	s := Status{
		Name: w.spec.Name, Path: w.spec.Path, Scheme: w.spec.SchemeName, Insecure: w.spec.Scheme.None,
		Accepted: c.accepted.Load(), Duplicates: c.duplicates.Load(), Handshakes: c.handshakes.Load(), Marked: c.marked.Load(), Rejected: map[string]uint64{},
		Last: c.last.get(), LastSecret: -1, Skew: time.Duration(c.skew.Load()), Timed: c.timed.Load(),
	}
	for reason, n := range map[string]*atomic.Uint64{
		"conflict": &c.conflict, "invalid": &c.invalid, "schema": &c.schema, "too_large": &c.tooLarge, "unsupported": &c.unsupported,
		"refused": &c.refused, "failed": &c.failed, "rate": &c.rate, "unauthorized_address": &c.address, "unauthorized_origin": &c.origin,
	} {
		s.reject(reason, n)
	}
	for _, reason := range verify.Reasons() {
		s.reject("unauthorized_"+reason.String(), &c.unverified[reason])
	}
	var latest int64
	for i, m := range w.secrets {
		s.Secrets = append(s.Secrets, m.get())
		if at := m.nanos.Load(); at > latest {
			s.LastSecret, latest = i, at
		}
	}
	return s
}

func (s *Status) reject(reason string, n *atomic.Uint64) {
	if n := n.Load(); n > 0 {
		s.Rejected[reason] = n
	}
}
