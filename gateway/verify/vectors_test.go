package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vector is a signature published by the provider, or made with another tool:
// testdata/vectors.json says which.
type vector struct {
	Name, Scheme, Origin string
	Secrets              []string
	URL, Body            string
	BodyFile             string `json:"body_file"`
	Headers              map[string]string
	At                   int64
	Secret               int // the index of the one that matches
}

func vectors(t testing.TB) []vector {
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if file := all[i].BodyFile; file != "" {
			if text, err = os.ReadFile("testdata/" + file); err != nil {
				t.Fatal(err)
			}
			all[i].Body = string(text)
		}
	}
	return all
}

func named(t testing.TB, name string) vector {
	for _, v := range vectors(t) {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no vector %s", name)
	return vector{}
}

// verifier skips the rules for secrets, which published vectors break.
func (v vector) verifier(t testing.TB) *Verifier {
	t.Helper()
	s := plainHex()
	if v.Scheme != "plain hex" {
		s = scheme(v.Scheme)
	}
	verifier, err := build(s, secrets(v.Secrets...))
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func (v vector) request() *Request {
	r := &Request{Method: http.MethodPost, URL: v.URL, Header: http.Header{}, Body: []byte(v.Body)}
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func (v vector) now() time.Time { return time.Unix(v.At, 0) }

// prover is the proof that the vector is of: the one that accepts it.
func (v vector) prover(t testing.TB) *prover {
	t.Helper()
	for _, p := range v.verifier(t).provers {
		if _, err := p.verify(v.request(), v.now()); err == nil {
			return p
		}
	}
	t.Fatalf("%s: no proof accepts it", v.Name)
	return nil
}

func TestVectors(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"plain hex": true}
	for _, v := range vectors(t) {
		seen[v.Scheme] = true
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			r, err := v.verifier(t).Verify(v.request(), v.now())
			if err != nil || r.Secret != v.Secret {
				t.Fatalf("got %+v, %v", r, err)
			}
		})
	}
	for _, name := range Presets() {
		if s := scheme(name); !s.None && s.Proofs[0].Method != Token && name != "hmac" && !seen[name] {
			t.Errorf("no vector for %s", name)
		}
	}
}

// Every bit that is flipped in the body, in a header or in the URL is refused.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	count := 0
	for _, v := range vectors(t) {
		verifier, p := v.verifier(t), v.prover(t)
		refused := func(r *Request, what string, changed []byte) {
			count++
			if _, err := verifier.Verify(r, v.now()); err == nil {
				t.Errorf("%s: %s changed to %q and accepted", v.Name, what, changed)
			}
		}
		fields, _ := sortedForm([]byte(v.Body))
		for i := range 8 * len(v.Body) {
			r := v.request()
			flip(r.Body, i)
			if form, _ := sortedForm(r.Body); p.overForm && bytes.Equal(form, fields) {
				continue // %2B and %2b: other bytes, the same fields, and these are signed
			}
			refused(r, "body", r.Body)
		}
		for name, value := range v.Headers {
			for i := range 8 * len(value) {
				changed := []byte(value)
				flip(changed, i)
				r := v.request()
				r.Header.Set(name, string(changed))
				if !v.spare(verifier, p, name, i/8) && !p.same(value, string(changed)) {
					refused(r, name, changed)
				}
			}
		}
		for i := range len(v.URL) {
			changed := []byte(v.URL)
			flip(changed, 8*i)
			r := v.request()
			r.URL = string(changed)
			// What stands in place of a port says nothing.
			if withoutPort(r.URL) != withoutPort(v.URL) {
				refused(r, "url", changed)
			}
		}
	}
	t.Logf("%d changes", count)
	if count < 20_000 {
		t.Errorf("only %d changes", count)
	}
}

func flip(text []byte, bit int) { text[bit/8] ^= 1 << (bit % 8) }

// same: hex digits in the other case are the same bytes.
func (p *prover) same(a, b string) bool {
	return p.codec.base64 == nil && strings.EqualFold(a, b) && strings.Count(a, p.Prefix) == strings.Count(b, p.Prefix)
}

// spare tells whether the byte belongs to an item of the signature's header
// that the request does without, or to a header that is no part of the proof.
func (v vector) spare(verifier *Verifier, p *prover, name string, i int) bool {
	r, value := v.request(), v.Headers[name]
	switch {
	case name == "Content-Type":
		return true
	case name != p.Header || p.Separator == "":
		return false
	}
	items := strings.Split(value, p.Separator)
	at := strings.Count(value[:i], p.Separator)
	r.Header.Set(name, strings.Join(append(items[:at:at], items[at+1:]...), p.Separator))
	_, err := verifier.Verify(r, v.now())
	return err == nil
}

// mutation is what is done to every vector.
type mutation struct {
	name   string
	change func(v *vector, p *prover, r *Request) bool // false: does not apply
	later  time.Duration
	accept bool
}

// onSignature changes the signature in its header; what comes before it and
// after it stays.
func onSignature(change func(text string) string) func(*vector, *prover, *Request) bool {
	return func(v *vector, p *prover, r *Request) bool {
		value := r.Header.Get(p.Header)
		for _, item := range items(value, p.Separator) {
			if text, ok := strings.CutPrefix(item, p.Prefix); ok {
				value = strings.ReplaceAll(value, item, p.Prefix+change(text))
			}
		}
		r.Header.Set(p.Header, value)
		return true
	}
}

func items(value, separator string) []string {
	if separator == "" {
		return []string{value}
	}
	return strings.Split(value, separator)
}

// onHeader changes one header of those that make up the proof.
func onHeader(which func(p *prover) string, change func(h http.Header, name string)) func(*vector, *prover, *Request) bool {
	return func(_ *vector, p *prover, r *Request) bool {
		name := which(p)
		if name != "" {
			change(r.Header, name)
		}
		return name != ""
	}
}

func signature(p *prover) string { return p.Header }
func timeHeader(p *prover) string {
	return p.Timestamp.Header
}
func idHeader(p *prover) string { return p.ID }

func double(h http.Header, name string) { h.Add(name, h.Get(name)) }
func remove(h http.Header, name string) { h.Del(name) }
func empty(h http.Header, name string)  { h.Set(name, "") }

// onTime writes another time, wherever the scheme has it.
func onTime(text string) func(*vector, *prover, *Request) bool {
	return func(v *vector, p *prover, r *Request) bool {
		switch {
		case p.Timestamp.Header != "":
			r.Header.Set(p.Timestamp.Header, text)
		case p.Timestamp.Item != "":
			value := r.Header.Get(p.Header)
			was, _ := p.item(value, p.Timestamp.Item)
			r.Header.Set(p.Header, strings.Replace(value, was, text, 1))
		case p.Timestamp.Body != "":
			body, ok := setField(r.Body, p.Timestamp.Body, strconv.Quote(text))
			if r.Body = body; !ok {
				return false
			}
		default:
			return false
		}
		return true
	}
}

func onBody(change func(body []byte) []byte) func(*vector, *prover, *Request) bool {
	return func(_ *vector, _ *prover, r *Request) bool {
		before := r.Body
		r.Body = change(before)
		return !bytes.Equal(before, r.Body)
	}
}

func timed(_ *vector, p *prover, _ *Request) bool { return p.Timestamp.used() }

func mutations() []mutation {
	list := []mutation{
		{name: "signature: none", change: onHeader(signature, remove)},
		{name: "signature: empty", change: onHeader(signature, empty)},
		{name: "signature: twice", change: onHeader(signature, double)},
		{name: "signature: another provider's name", change: onHeader(signature, func(h http.Header, name string) {
			h.Set("X-Other-Signature", h.Get(name))
			h.Del(name)
		})},
		{name: "signature: truncated by one character", change: onSignature(func(s string) string { return strings.TrimRight(s, "=")[:len(strings.TrimRight(s, "="))-1] })},
		{name: "signature: half of it", change: onSignature(func(s string) string { return s[:len(s)/2] })},
		{name: "signature: only the prefix", change: onSignature(func(string) string { return "" })},
		{name: "signature: more after it", change: onSignature(func(s string) string { return s + "00" })},
		{name: "signature: zeros", change: onSignature(func(s string) string { return strings.Repeat("0", len(s)) })},
		{name: "signature: upper case", accept: true, change: func(v *vector, p *prover, r *Request) bool {
			return p.codec.base64 == nil && onSignature(strings.ToUpper)(v, p, r)
		}},
		{name: "signature: space within", change: onSignature(func(s string) string { return s[:4] + " " + s[5:] })},
		{name: "signature: space after the only one", change: func(v *vector, p *prover, r *Request) bool {
			return p.Separator == "" && onSignature(func(s string) string { return s + " " })(v, p, r)
		}},
		{name: "signature: space after a list", accept: true, change: func(_ *vector, p *prover, r *Request) bool {
			r.Header.Set(p.Header, r.Header.Get(p.Header)+" ")
			return p.Separator != ""
		}},
		{name: "signature: without its prefix", change: func(_ *vector, p *prover, r *Request) bool {
			r.Header.Set(p.Header, strings.ReplaceAll(r.Header.Get(p.Header), p.Prefix, ""))
			return p.Prefix != ""
		}},
		{name: "signature: ten thousand", change: func(_ *vector, p *prover, r *Request) bool {
			value := r.Header.Get(p.Header)
			r.Header.Set(p.Header, value+strings.Repeat(p.Separator+p.Prefix+strings.Repeat("0", 64), 10_000))
			return p.Separator != ""
		}},
		{name: "signature: ten thousand of another version", accept: true, change: func(_ *vector, p *prover, r *Request) bool {
			value := r.Header.Get(p.Header)
			r.Header.Set(p.Header, value+strings.Repeat(p.Separator+"v9="+strings.Repeat("0", 64), 10_000))
			return p.Separator != ""
		}},
		{name: "time: none", change: onHeader(timeHeader, remove)},
		{name: "time: twice", change: onHeader(timeHeader, double)},
		{name: "time: on the edge, late", change: timed, later: DefaultTolerance, accept: true},
		{name: "time: on the edge, early", change: timed, later: -DefaultTolerance, accept: true},
		{name: "time: a second beyond, late", change: timed, later: DefaultTolerance + time.Second},
		{name: "time: a second beyond, early", change: timed, later: -DefaultTolerance - time.Second},
		{name: "id: none", change: onHeader(idHeader, remove)},
		{name: "id: twice", change: onHeader(idHeader, double)},
		{name: "id: another", change: onHeader(idHeader, func(h http.Header, name string) { h.Set(name, "msg_other") })},
		{name: "id: with a dot", change: onHeader(idHeader, func(h http.Header, name string) { h.Set(name, h.Get(name)+".1") })},
		{name: "id: too long", change: onHeader(idHeader, func(h http.Header, name string) { h.Set(name, strings.Repeat("a", 257)) })},
		{name: "body: empty", change: onBody(func([]byte) []byte { return nil })},
		{name: "body: byte order mark", change: onBody(func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) })},
		{name: "body: line end added", change: onBody(func(b []byte) []byte { return append(b[:len(b):len(b)], "\r\n"...) })},
		{name: "body: other line ends", change: onBody(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) })},
		{name: "body: invalid UTF-8", change: onBody(func(b []byte) []byte { return append(b[:len(b):len(b)], 0xff) })},
		{name: "body: zero byte", change: onBody(func(b []byte) []byte { return append(b[:len(b):len(b)], 0) })},
	}
	for _, text := range []string{"-1", "+5", "1e9", "0x60000000", "12345678901234567890", "01614265330", " 1614265330", "1614265330.0", "", "now"} {
		list = append(list, mutation{name: "time: " + strconv.Quote(text), change: onTime(text)})
	}
	return list
}

// TestMutations does to every vector what attackers, proxies and other people's
// libraries do to requests.
func TestMutations(t *testing.T) {
	t.Parallel()
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			applied := 0
			for _, v := range vectors(t) {
				r, p := v.request(), v.prover(t)
				if !m.change(&v, p, r) {
					continue
				}
				applied++
				later := m.later
				if p.Timestamp.Tolerance != DefaultTolerance {
					later = time.Duration(float64(later) * p.Timestamp.Tolerance.Seconds() / DefaultTolerance.Seconds())
				}
				_, err := v.verifier(t).Verify(r, v.now().Add(later))
				if (err == nil) != m.accept {
					t.Errorf("%s: %v", v.Name, err)
				}
				var reason Reason
				if err != nil && !errors.As(err, &reason) {
					t.Errorf("%s: not a reason: %v", v.Name, err)
				}
			}
			if applied == 0 {
				t.Error("applies to no vector")
			}
		})
	}
}
