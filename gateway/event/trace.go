package event

import "strings"

// traceLength is the length of a traceparent of version 00 (W3C Trace Context).
const traceLength = 55

// Trace keeps a trace going that the sender began, while the event is being
// made: given are the values of its header traceparent. What is none, and one
// beside the event's own, is left out.
func (e *Event) Trace(values []string) {
	if _, given := e.Extensions["traceparent"]; !given && len(values) == 1 && traceparent(values[0]) {
		e.Extend("traceparent", values[0])
	}
}

func traceparent(v string) bool {
	if len(v) != traceLength || !strings.HasPrefix(v, "00-") || v[35] != '-' || v[52] != '-' {
		return false
	}
	trace, parent, flags := v[3:35], v[36:52], v[53:]
	hex := strings.Trim(trace+parent+flags, "0123456789abcdef") == ""
	return hex && strings.Trim(trace, "0") != "" && strings.Trim(parent, "0") != ""
}
