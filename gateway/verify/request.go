package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Request is what a proof may be about.
type Request struct {
	Method string
	// URL as the sender called it; it need only be there if the scheme UsesURL.
	URL    string
	Header http.Header
	Body   []byte
}

// content is what may be part of what is signed.
type content struct {
	body, form                 []byte
	id, timestamp, method, url string
}

// part is one stretch of what is signed, in one of two forms.
func (c *content) part(t *token) (raw []byte, text string) {
	switch t.kind {
	case theBody:
		return c.body, ""
	case theForm:
		return c.form, ""
	case theTime:
		return nil, c.timestamp
	case theID:
		return nil, c.id
	case theMethod:
		return nil, c.method
	case theURL:
		return nil, c.url
	}
	return t.literal, ""
}

// readForm finds out what stands for the body where {body} does not: its
// digest in the URL, or its fields. A body for which nothing stands is signed
// by nobody.
func (p *prover) readForm(c *content, r *Request) error {
	if p.Digest != "" {
		digest, err := queryValue(c.url, p.Digest)
		if err == nil {
			return checkDigest(digest, r.Body)
		}
		if !errors.Is(err, Missing) {
			return err
		}
	}
	if len(r.Body) == 0 {
		return nil
	}
	if !p.overForm || !isForm(r.Header) {
		return Missing
	}
	form, ok := sortedForm(r.Body)
	c.form = form
	if !ok {
		return Malformed
	}
	return nil
}

// queryValue is the value of a parameter that is in a URL once.
func queryValue(address, name string) (string, error) {
	_, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", Malformed
	}
	switch len(values[name]) {
	case 0:
		return "", Missing
	case 1:
		return values[name][0], nil
	}
	return "", Doubled
}

func checkDigest(digest string, body []byte) error {
	var want [sha256.Size]byte
	if !(codec{}).decode(want[:], digest) {
		return Malformed
	}
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
		return Mismatch
	}
	return nil
}

func isForm(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && media == "application/x-www-form-urlencoded"
}

// maxFields bounds a form: reading one comes before its signature is known.
const maxFields = 1000

// sortedForm is a form as it is signed: names and values without anything
// between them, in the order of the names, each value of a name once.
func sortedForm(body []byte) ([]byte, bool) {
	if bytes.Count(body, []byte("&")) >= maxFields {
		return nil, false
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []byte
	for _, name := range names {
		slices.Sort(values[name])
		for _, value := range slices.Compact(values[name]) {
			out = append(append(out, name...), value...)
		}
	}
	return out, true
}

// otherPort is the same URL with its scheme's port if it names none, and
// without one if it does: senders are not consistent about it.
func otherPort(address string) string {
	if without := withoutPort(address); without != address {
		return without
	}
	scheme, host, path := splitURL(address)
	port := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return scheme + "://" + host + port + path
}

func withoutPort(address string) string {
	scheme, host, path := splitURL(address)
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		return scheme + "://" + host[:colon] + path
	}
	return address
}

func splitURL(address string) (scheme, host, path string) {
	scheme, rest, _ := strings.Cut(address, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	return scheme, rest[:end], rest[end:]
}

// addDigest puts the digest of a body into a URL.
func addDigest(address, name string, body []byte) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	sum := sha256.Sum256(body)
	return address + separator + name + "=" + hex.EncodeToString(sum[:])
}
