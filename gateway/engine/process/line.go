package process

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Level is how grave a log line is.
type Level int8

// Levels of log lines, from hclog's trace to error.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

// Line is one log line of an engine.
type Line struct {
	Level   Level
	Message string
	// Fields are the other values of a JSON line, as decoded.
	Fields map[string]any
}

// parseLine reads one line in hclog's JSON, in other loggers' JSON (level,
// msg), with a [LEVEL] before it, or plain. Whatever it is, it is a line:
// nothing that an engine prints is an error.
func parseLine(text []byte) Line {
	if len(text) > 0 && text[0] == '{' {
		if line, ok := parseJSON(text); ok {
			return line
		}
	}
	return parseText(text)
}

func parseJSON(text []byte) (Line, bool) {
	var values map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&values) != nil || decoder.More() {
		return Line{}, false
	}
	line := Line{Level: Info}
	if level, ok := take(values, "@level", "level", "severity").(string); ok {
		line.Level = levelOf(level, Info)
	}
	line.Message = messageOf(take(values, "@message", "msg", "message"))
	take(values, "@timestamp", "time", "ts") // the gateway's log has its own
	if len(values) > 0 {
		line.Fields = cleaned(values)
	}
	return line, true
}

// take removes and returns the first of the keys that is there.
func take(values map[string]any, keys ...string) any {
	for _, key := range keys {
		if value, ok := values[key]; ok {
			delete(values, key)
			return value
		}
	}
	return nil
}

// messageOf takes any JSON value: not every logger writes a string there.
func messageOf(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return printable([]byte(value))
	default:
		text, _ := json.Marshal(value) // it was just decoded from JSON
		return printable(text)
	}
}

// cleaned makes the names and the plain strings among the fields printable;
// deeper values are encoded by the log, which escapes them.
func cleaned(values map[string]any) map[string]any {
	fields := make(map[string]any, len(values))
	for key, value := range values {
		if text, ok := value.(string); ok {
			value = printable([]byte(text))
		}
		fields[printable([]byte(key))] = value
	}
	return fields
}

func parseText(text []byte) Line {
	line := Line{Level: Info, Message: printable(text)}
	if end := strings.IndexByte(line.Message, ']'); end > 1 && line.Message[0] == '[' {
		if level := levelOf(line.Message[1:end], -1); level >= 0 {
			line.Level = level
			line.Message = strings.TrimSpace(line.Message[end+1:])
		}
	}
	return line
}

func levelOf(name string, otherwise Level) Level {
	switch strings.ToLower(name) {
	case "trace":
		return Trace
	case "debug":
		return Debug
	case "info", "notice":
		return Info
	case "warn", "warning":
		return Warn
	case "error", "err", "fatal", "critical", "panic", "dpanic":
		return Error
	}
	return otherwise
}
