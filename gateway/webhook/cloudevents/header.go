package cloudevents

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// unescape reads the value of a header as section 3.1.3.2 of the HTTP binding
// wants it read: quotes first, which senders of old put around it, then one
// round of percent-decoding.
func unescape(v string) (string, error) {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		var ok bool
		if v, ok = unquote(v[1 : len(v)-1]); !ok {
			return "", errors.New("a quoted text does not end")
		}
	}
	v = percentDecoded(v)
	if !utf8.ValidString(v) {
		return "", errors.New("is not UTF-8")
	}
	return v, nil
}

// unquote takes the backslashes out of what stood between quotes.
func unquote(v string) (string, bool) {
	if !strings.ContainsAny(v, `\"`) {
		return v, true
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			return "", false
		case '\\':
			if i++; i == len(v) {
				return "", false
			}
		}
		b = append(b, v[i])
	}
	return string(b), true
}

// percentDecoded leaves a percent sign alone that begins nothing: senders that
// do not encode at all mean it.
func percentDecoded(v string) string {
	if !strings.Contains(v, "%") {
		return v
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) {
			high, ok1 := hexDigit(v[i+1])
			low, ok2 := hexDigit(v[i+2])
			if ok1 && ok2 {
				b = append(b, high<<4|low)
				i += 2
				continue
			}
		}
		b = append(b, v[i])
	}
	return string(b)
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
