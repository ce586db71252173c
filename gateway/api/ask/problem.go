package ask

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Problem is an error as RFC 9457 has it, sent as application/problem+json.
type Problem struct {
	// Type is absent, which means about:blank: Title is the status's text.
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what to do about it. Never internal text.
	Detail string `json:"detail,omitempty"`
	// Errors are what is wrong in the configuration, for a refused reload or
	// entry.
	Errors []ConfigProblem `json:"errors,omitempty"`
	// RetryAfter in seconds, sent as the header.
	RetryAfter int `json:"-"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail) }

// Refuse is a problem of a status of HTTP, with what to do about it.
func Refuse(status int, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// ConfigProblem is one thing wrong in a configuration. Lines and columns count
// from 1; a zero line means the file as a whole.
type ConfigProblem struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Col      int    `json:"col,omitempty"`
	EndCol   int    `json:"end_col,omitempty"`
	Path     string `json:"path,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	Severity string `json:"severity"`
}

// OverlayEntry is one route or schedule that was made while the gateway runs,
// such as routes.deploy-main.
// Problems are why one that is not in force was set aside.
type OverlayEntry struct {
	Name      string          `json:"name"`
	CreatedAt time.Time       `json:"created_at"`
	InForce   bool            `json:"in_force"`
	Problems  []ConfigProblem `json:"problems,omitempty"`
}

// Unread is for a body that ended early: the sender's connection, not us.
func Unread(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return Refuse(http.StatusBadRequest, "the body could not be read to its end")
}

// Fault tells what is wrong with JSON without Go's type names.
func Fault(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not valid JSON near byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("%s cannot be a %s", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return "not a JSON object"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "not valid JSON: it ends early"
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "unknown field " + field + " (there are type, source, id, subject, data)"
	}
	return "not valid JSON"
}
