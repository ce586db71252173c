package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Redaction says what of an event is left out.
type Redaction struct {
	// Paths are left out with all below them: data.customer.name; * stands for
	// any one part.
	Paths []string
	// Off leaves nothing out but Paths.
	Off bool
}

// redactor replaces what must not be kept. The same text is always replaced by
// the same other, so that what was equal stays equal.
type redactor struct {
	Redaction
	paths  [][]string
	tokens *regexp.Regexp
	mail   *regexp.Regexp
	cards  *regexp.Regexp
	// given are the replacements so far, by what they replace.
	given  map[string]string
	counts map[string]int
	// places are where something was replaced.
	places []string
}

func newRedactor(r Redaction) *redactor {
	out := &redactor{
		Redaction: r,
		// Tokens of well-known issuers, JWTs, keys in PEM, and what follows the
		// name of a scheme of HTTP.
		tokens: regexp.MustCompile(`gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|[srp]k_(?:live|test)_\w{8,}|whsec_[\w+/=]{8,}|xox[a-z]-[\w-]{8,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|-----BEGIN [A-Z ]+-----[\s\S]*|(?i:\b(?:bearer|basic)\s+[\w.+/=~-]{8,})`),
		mail:   regexp.MustCompile(`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`),
		cards:  regexp.MustCompile(`\b\d(?:[ -]?\d){12,18}\b`),
		given:  map[string]string{}, counts: map[string]int{},
	}
	for _, p := range r.Paths {
		out.paths = append(out.paths, strings.Split(strings.TrimPrefix(p, "event."), "."))
	}
	return out
}

// value replaces in a value, as JSON decodes with numbers kept, at a path.
func (r *redactor) value(path []string, v any) any {
	if r.listed(path) || !r.Off && private(path) {
		return r.whole(path, v)
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) { // so that numbers are always the same
			out[key] = r.value(append(slices.Clip(path), key), v[key])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, below := range v {
			out[i] = r.value(append(slices.Clip(path), strconv.Itoa(i)), below)
		}
		return out
	case string:
		if r.Off {
			return v
		}
		return r.text(path, v)
	case json.Number:
		if !r.Off && r.isCard(v.String()) {
			return r.whole(path, v)
		}
	}
	return v
}

func (r *redactor) listed(path []string) bool {
	return slices.ContainsFunc(r.paths, func(p []string) bool {
		return len(p) == len(path) && fits(p, path)
	})
}

func fits(pattern, path []string) bool {
	for i := range pattern {
		if pattern[i] != "*" && pattern[i] != path[i] {
			return false
		}
	}
	return true
}

// private tells of a place by its name that a credential or something about a
// person is there.
func private(path []string) bool {
	if len(path) < 2 {
		return false // an attribute of the event
	}
	name := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(path[len(path)-1]))
	for _, word := range []string{
		"password", "passwd", "secret", "authorization", "apikey", "privatekey", "credential", "cookie", "accesskey",
		"email", "phone", "iban", "birthday", "birthdate", "dateofbirth", "socialsecurity", "cardnumber", "creditcard",
	} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "token") || slices.Contains([]string{"ssn", "cvc", "cvv", "pin", "iban", "street", "mobile"}, name)
}

// whole replaces all of a value by one of its kind.
func (r *redactor) whole(path []string, v any) any {
	switch v := v.(type) {
	case nil, bool:
		return v
	case string:
		if v == "" {
			return v
		}
		r.note(path)
		if r.mail.FindString(v) == v {
			return r.replacement("person", v, "@example.com")
		}
		return r.replacement("redacted", v, "")
	case json.Number:
		r.note(path)
		return json.Number("0")
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out[key] = r.whole(append(slices.Clip(path), key), v[key])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, below := range v {
			out[i] = r.whole(append(slices.Clip(path), strconv.Itoa(i)), below)
		}
		return out
	}
	return v
}

// text replaces parts of a text by what they look like.
func (r *redactor) text(path []string, text string) string {
	out := r.tokens.ReplaceAllStringFunc(text, func(s string) string { return r.replacement("redacted", s, "") })
	out = r.mail.ReplaceAllStringFunc(out, func(s string) string { return r.replacement("person", s, "@example.com") })
	out = r.cards.ReplaceAllStringFunc(out, func(s string) string {
		if !r.isCard(s) {
			return s
		}
		return r.replacement("redacted", s, "")
	})
	if out != text {
		r.note(path)
	}
	return out
}

func (r *redactor) note(path []string) { r.places = append(r.places, strings.Join(path, ".")) }

func (r *redactor) replacement(kind, text, suffix string) string {
	if r.given[text] == "" {
		r.counts[kind]++
		r.given[text] = fmt.Sprintf("%s-%d%s", kind, r.counts[kind], suffix)
	}
	return r.given[text]
}

// isCard tells by length, first digit and check digit.
func (r *redactor) isCard(text string) bool {
	digits := strings.NewReplacer(" ", "", "-", "").Replace(text)
	if len(digits) < 13 || len(digits) > 19 || !strings.Contains("3456", digits[:1]) {
		return false
	}
	sum := 0
	for i := range len(digits) {
		n := int(digits[len(digits)-1-i] - '0')
		if n < 0 || n > 9 {
			return false
		}
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
