package ask

import "encoding/json"

// Shown is what an engine sent as JSON. If it is none, it is shown as a string,
// so that one bad output does not hide everything else.
func Shown(text []byte) json.RawMessage {
	if len(text) == 0 || json.Valid(text) {
		return text
	}
	quoted, _ := json.Marshal(string(text)) // a string is never refused
	return quoted
}
