package verify

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// codec is one spelling of bytes as text: base64 of some kind, or hex when that
// is nil.
type codec struct{ base64 *base64.Encoding }

func codecOf(name string) (codec, bool) {
	switch name {
	case "hex":
		return codec{}, true
	case "base64":
		return codec{base64.StdEncoding.Strict()}, true
	case "base64url":
		return codec{base64.RawURLEncoding.Strict()}, true
	}
	return codec{}, false
}

// maxEncoded is the length of the longest signature: sha512 in hex.
const maxEncoded = 2 * maxDigest

// decode fills dst from text of exactly the length that dst takes.
func (c codec) decode(dst []byte, text string) bool {
	var src [maxEncoded]byte
	if c.base64 != nil {
		return c.decodeBase64(dst, text)
	}
	if len(text) != hex.EncodedLen(len(dst)) {
		return false
	}
	n, err := hex.Decode(dst, src[:copy(src[:], text)])
	return err == nil && n == len(dst)
}

func (c codec) decodeBase64(dst []byte, text string) bool {
	var src, out [maxEncoded]byte
	if c.base64.EncodedLen(1) != 4 {
		text = strings.TrimRight(text, "=")
	}
	// The decoder skips line ends, but what is exactly long enough with them
	// decodes to too little, so that a signature has one spelling.
	if len(text) != c.base64.EncodedLen(len(dst)) {
		return false
	}
	n, err := c.base64.Decode(out[:], src[:copy(src[:], text)])
	copy(dst, out[:n])
	return err == nil && n == len(dst)
}

func (c codec) encode(sum []byte) string {
	if c.base64 == nil {
		return hex.EncodeToString(sum)
	}
	return c.base64.EncodeToString(sum)
}

// Limits of what a header may hold.
const (
	maxID       = 256
	maxSeconds  = 12
	maxMillis   = 15
	maxTimeText = 40
)

// parseTime reads a time as it is signed: digits without sign, space or
// leading zero, so that one moment has one spelling.
func parseTime(text, unit string) (time.Time, bool) {
	switch unit {
	case "s":
		n, ok := digits(text, maxSeconds)
		return time.Unix(n, 0), ok
	case "ms":
		n, ok := digits(text, maxMillis)
		return time.UnixMilli(n), ok
	}
	if len(text) > maxTimeText {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}

func digits(text string, most int) (int64, bool) {
	if len(text) == 0 || len(text) > most || len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

func formatTime(at time.Time, unit string) string {
	switch unit {
	case "s":
		return strconv.FormatInt(at.Unix(), 10)
	case "ms":
		return strconv.FormatInt(at.UnixMilli(), 10)
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// within compares in whole milliseconds: a difference of two far-off times as
// a Duration would saturate.
func within(at, now time.Time, tolerance time.Duration) bool {
	skew := now.UnixMilli() - at.UnixMilli()
	return skew <= tolerance.Milliseconds() && -skew <= tolerance.Milliseconds()
}

// cleanID bounds an id that is signed to letters, digits, _ and -: with more,
// "{id}.{timestamp}" could be read in two ways.
func cleanID(id string) bool {
	if len(id) > maxID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
