package verify

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// timeInBody reads a time that is a field of the body. It comes after the
// signature: nothing is parsed that a stranger wrote.
func (p *prover) timeInBody(body []byte) (time.Time, error) {
	begin, end, ok := field(body, p.Timestamp.Body)
	if !ok {
		return time.Time{}, Missing
	}
	text := string(body[begin:end])
	if text[0] == '"' && json.Unmarshal(body[begin:end], &text) != nil {
		return time.Time{}, Malformed
	}
	at, ok := parseTime(text, p.Timestamp.Unit)
	if !ok {
		return time.Time{}, Malformed
	}
	return at, nil
}

// field finds the value at a path of JSON objects; of fields of one name, the
// last, as other readers do.
func field(text []byte, path string) (begin, end int, ok bool) {
	name, rest, deeper := strings.Cut(path, ".")
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return 0, 0, false
	}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return 0, 0, false
		}
		if key == name {
			end, ok = int(d.InputOffset()), true
			begin = end - len(value)
		}
	}
	if !ok || !deeper {
		return begin, end, ok
	}
	inner, innerEnd, ok := field(text[begin:end], rest)
	return begin + inner, begin + innerEnd, ok
}

// setField gives a field of a JSON object another value; one of the outermost
// object is added where it is missing.
func setField(text []byte, path, value string) ([]byte, bool) {
	if begin, end, ok := field(text, path); ok {
		return bytes.Join([][]byte{text[:begin], text[end:]}, []byte(value)), true
	}
	var object map[string]json.RawMessage
	if strings.Contains(path, ".") || json.Unmarshal(text, &object) != nil || object == nil {
		return nil, false
	}
	added := `"` + path + `":` + value
	if len(object) > 0 {
		added += ","
	}
	open := bytes.IndexByte(text, '{') + 1
	return bytes.Join([][]byte{text[:open], text[open:]}, []byte(added)), true
}
