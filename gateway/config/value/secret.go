package value

import (
	"fmt"
	"strings"
)

// minSecret is the shortest secret that is worth an HMAC, in bytes.
const minSecret = 16

// Weakness says why a text must not be used as a secret; empty when it may.
func Weakness(text string) string {
	switch {
	case text == "":
		return "is empty"
	case looksLikePlaceholder(text):
		return "is a placeholder"
	case len(text) < minSecret:
		return fmt.Sprintf("has %d bytes: at least %d are needed", len(text), minSecret)
	case strings.ContainsFunc(text, isControl):
		return "contains a control character"
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// looksLikePlaceholder recognises what people leave in examples.
func looksLikePlaceholder(text string) bool {
	plain := strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(text))
	for _, word := range []string{
		"changeme", "changethis", "replaceme", "replacethis", "placeholder", "insertsecret",
		"yoursecret", "yourwebhooksecret", "mysecret", "supersecret", "webhooksecret", "todo",
	} {
		if strings.HasPrefix(plain, word) && len(plain) < len(word)+12 {
			return true
		}
	}
	return strings.Trim(plain, "x") == "" || strings.Trim(plain, "*") == ""
}
