package main

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// hide takes the credentials of a request out of what is said about it: a
// service that repeats what it was sent must not put them into the store.
type hide struct{ replacer *strings.Replacer }

// newHide knows secrets by their place: those to sign with, the values of
// headers, parameters and fields whose names say so, and what in a URL looks
// random.
func newHide(c requestConfig) hide {
	var found []string
	for _, s := range c.Secrets {
		found = append(found, string(s), strings.TrimPrefix(string(s), secretPrefix))
	}
	for name, value := range c.Headers {
		if namesCredential(name) {
			found = append(found, literals(string(value))...)
		}
	}
	found = append(append(found, inURL(string(c.URL))...), inTree(c.body(), false)...)
	var spelled []string
	for _, s := range found {
		if len(s) >= minHidden {
			spelled = append(spelled, spellings(s)...)
		}
	}
	slices.SortFunc(spelled, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range spelled {
		pairs = append(pairs, s, redacted)
	}
	return hide{strings.NewReplacer(pairs...)}
}

// minHidden is the least length of what is hidden: a shorter one would be
// found everywhere.
const minHidden = 6

func (h hide) text(s string) string { return h.replacer.Replace(s) }

// in is a body without what is hidden. JSON is looked at as it is meant, since
// there are many ways to write a character; otherwise it stays as it came.
func (h hide) in(body []byte) []byte {
	var tree any
	if json.Valid(body) && decode(body, &tree) == nil {
		if clean, changed := h.inValue(tree); changed {
			if b, err := encode(clean); err == nil {
				return b
			}
		}
	}
	return []byte(h.text(string(body)))
}

func (h hide) inValue(value any) (clean any, changed bool) {
	switch v := value.(type) {
	case string:
		text := h.text(v)
		return text, text != v
	case json.Number:
		text := h.text(v.String())
		return text, text != v.String()
	case []any:
		for i := range v {
			item, c := h.inValue(v[i])
			if c {
				v[i], changed = item, true
			}
		}
	case map[string]any:
		for key, item := range v {
			name := h.text(key)
			item, c := h.inValue(item)
			if c || name != key {
				delete(v, key)
				v[name], changed = item, true
			}
		}
	}
	return value, changed
}

// from is an error with the same words, but for what is hidden.
func (h hide) from(err error) error { return errors.New(h.text(err.Error())) }

// literals are the words of a template's constant parts; of "Bearer x" that
// is "Bearer" too, which is left out.
func literals(text string) (out []string) {
	t, err := parse(text)
	if err != nil {
		return []string{text}
	}
	for _, p := range t {
		words := strings.FieldsFunc(p.literal, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' })
		if len(words) > 1 {
			words = words[1:]
		}
		out = append(append(out, p.literal), words...)
	}
	return out
}

func namesCredential(name string) bool {
	name = strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	return slices.ContainsFunc([]string{
		"authorization", "token", "secret", "password", "passwd", "passphrase", "credential", "cookie", "session", "signature",
		"apikey", "accesskey", "authkey", "privatekey", "routingkey", "integrationkey",
	}, func(word string) bool { return strings.Contains(name, word) })
}

// inURL are the parameters that are credentials by name, and whatever looks
// random, as Slack's and Discord's URLs have it in their paths.
func inURL(text string) (out []string) {
	u, err := url.Parse(text)
	if err != nil {
		return []string{text}
	}
	for name, values := range u.Query() {
		for _, value := range values {
			if namesCredential(name) || looksRandom(value) {
				out = append(out, literals(value)...)
			}
		}
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if looksRandom(segment) {
			out = append(out, literals(segment)...)
		}
	}
	return out
}

// looksRandom is whether a text is long and has capitals or digits in it.
func looksRandom(s string) bool {
	return len(s) >= 16 && strings.ContainsFunc(s, func(r rune) bool { return unicode.IsDigit(r) || unicode.IsUpper(r) })
}

// inTree are the fields of a body that are credentials by name.
func inTree(value any, credential bool) (out []string) {
	switch v := value.(type) {
	case string:
		if credential {
			return literals(v)
		}
	case []any:
		for _, item := range v {
			out = append(out, inTree(item, credential)...)
		}
	case map[string]any:
		for key, item := range v {
			out = append(out, inTree(item, credential || namesCredential(key))...)
		}
	}
	return out
}

// spellings are the ways in which a text comes back.
func spellings(s string) []string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return []string{s}
	}
	return []string{s, strings.Trim(string(quoted), `"`), url.QueryEscape(s), url.PathEscape(s)}
}
