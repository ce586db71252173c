package expr

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

var errTooLarge = fmt.Errorf("result larger than %d bytes", maxOutput)

// encoder writes JSON and stops at maxOutput: a small expression can name a
// large value many times over. Keys are sorted, so equal input gives equal
// bytes; numbers that came in are written as they came.
type encoder struct {
	buf []byte
}

func (e *encoder) room(n int) error {
	if len(e.buf)+n > maxOutput {
		return errTooLarge
	}
	return nil
}

func (e *encoder) raw(s string) error {
	if err := e.room(len(s)); err != nil {
		return err
	}
	e.buf = append(e.buf, s...)
	return nil
}

func (e *encoder) quoted(s string) error {
	if err := e.room(len(s) + 2); err != nil {
		return err
	}
	e.buf = append(e.buf, '"')
	e.buf = appendEscaped(e.buf, s)
	e.buf = append(e.buf, '"')
	return nil
}

// value writes the result of an expression.
func (e *encoder) value(v ref.Val) error {
	switch v := v.(type) {
	case types.Null:
		return e.raw("null")
	case types.String:
		return e.quoted(string(v))
	case types.Bool, types.Int, types.Uint:
		text, err := textOf(v)
		return errors.Join(err, e.raw(text))
	case types.Double:
		return e.double(float64(v))
	case types.Bytes:
		return e.quoted(base64.StdEncoding.EncodeToString(v))
	case types.Timestamp:
		return e.quoted(v.Time.UTC().Format(time.RFC3339Nano))
	case types.Duration:
		return e.quoted(v.Duration.String())
	case *types.Optional:
		if !v.HasValue() {
			return e.raw("null")
		}
		return e.value(v.GetValue())
	case traits.Mapper:
		return e.mapping(v)
	case traits.Lister:
		return e.list(v)
	}
	return fmt.Errorf("result is %s, which has no JSON", kindOf(v))
}

func (e *encoder) double(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("result is %v, which has no JSON", f)
	}
	return e.raw(string(appendDouble(nil, f)))
}

func (e *encoder) mapping(m traits.Mapper) error {
	switch native := m.Value().(type) {
	case map[string]any, map[string]string:
		return e.native(native)
	}
	entries := map[string]ref.Val{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, err := textOf(key)
		if err != nil {
			return fmt.Errorf("map key: %w", err)
		}
		entries[name] = m.Get(key)
	}
	return object(e, entries, e.value)
}

func (e *encoder) list(l traits.Lister) error {
	if native, ok := l.Value().([]any); ok {
		return e.native(native)
	}
	var items []ref.Val
	for it := l.Iterator(); it.HasNext() == types.True; {
		items = append(items, it.Next())
	}
	return array(e, items, e.value)
}

// native writes decoded JSON that an expression passed on untouched.
func (e *encoder) native(v any) error {
	switch v := v.(type) {
	case nil:
		return e.raw("null")
	case string:
		return e.quoted(v)
	case bool:
		return e.raw(strconv.FormatBool(v))
	case json.Number:
		return e.raw(string(v))
	case map[string]any:
		return object(e, v, e.native)
	case map[string]string:
		return object(e, v, e.quoted)
	case []any:
		return array(e, v, e.native)
	case ref.Val:
		return e.value(v)
	}
	return e.value(adapter{types.DefaultTypeAdapter}.NativeToValue(v))
}

func object[V any](e *encoder, entries map[string]V, write func(V) error) error {
	separator := "{"
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if err := e.raw(separator); err != nil {
			return err
		}
		separator = ","
		if err := e.quoted(key); err != nil {
			return err
		}
		if err := e.raw(":"); err != nil {
			return err
		}
		if err := write(entries[key]); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return e.raw("{}")
	}
	return e.raw("}")
}

func array[V any](e *encoder, items []V, write func(V) error) error {
	separator := "["
	for _, item := range items {
		if err := e.raw(separator); err != nil {
			return err
		}
		separator = ","
		if err := write(item); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return e.raw("[]")
	}
	return e.raw("]")
}

// appendDouble spells a float as encoding/json does: whole where it is whole.
func appendDouble(b []byte, f float64) []byte {
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends the inside of a JSON string. What is not UTF-8 becomes
// U+FFFD, since JSON has no other way.
func appendEscaped(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = appendEscape(append(b, s[start:i]...), c)
			start = i + 1
		}
		i++
	}
	return append(b, s[start:]...)
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
