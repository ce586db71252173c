package expr

import (
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
)

// Error is one mistake in an expression. Its position is inside the string
// that was given to be compiled, so that whoever knows where that string
// stands in a file can point at the character.
type Error struct {
	// Path leads to the string inside a template: map keys and list indexes.
	Path []string
	// Offset in bytes, from 0; Line and Column (in characters) from 1.
	Offset, Line, Column int
	// Message says what is wrong, with a suggestion where there is one.
	Message string
}

func (e *Error) Error() string {
	if len(e.Path) == 0 {
		return e.Message
	}
	return strings.Join(e.Path, ".") + ": " + e.Message
}

// Errors are all mistakes in what was given to be compiled, at least one.
type Errors []*Error

func (e Errors) Error() string {
	messages := make([]string, len(e))
	for i, err := range e {
		messages[i] = err.Error()
	}
	return strings.Join(messages, "; ")
}

// at makes a mistake at a byte of text.
func at(text string, offset int, message string) *Error {
	before := text[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Offset:  offset,
		Line:    1 + strings.Count(before, "\n"),
		Column:  1 + utf8.RuneCountInString(before[line:]),
		Message: message,
	}
}

// compileErrors translates CEL's issues, each position once: after a first
// mistake the parser often stumbles again over the same character.
func compileErrors(text, src string, base int, issues *cel.Issues) error {
	var errs Errors
	seen := map[int]bool{}
	for _, issue := range issues.Errors() {
		offset := base + offsetOf(src, issue.Location.Line(), issue.Location.Column())
		if seen[offset] {
			continue
		}
		seen[offset] = true
		errs = append(errs, at(text, offset, plain(issue.Message, text[offset:])))
	}
	return errs
}

// offsetOf is the byte at a line (from 1) and a column (characters, from 0).
func offsetOf(src string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		end := strings.IndexByte(src[offset:], '\n')
		if end < 0 {
			return len(src)
		}
		offset += end + 1
	}
	for ; column > 0 && offset < len(src); column-- {
		_, size := utf8.DecodeRuneInString(src[offset:])
		offset += size
	}
	return offset
}

// plain puts CEL's message into words for an author who never heard of its
// grammar. rest is the text from the mistake on.
func plain(message, rest string) string {
	message = strings.TrimPrefix(message, "Syntax error: ")
	message = strings.ReplaceAll(message, " (in container '')", "")
	// Suggestions that need Go options are of no use to an author.
	if i := strings.Index(message, "?, enable with "); i >= 0 {
		message = message[:strings.LastIndex(message[:i], " (did you mean")]
	}
	if i := strings.Index(message, " (enable with "); i >= 0 {
		message = message[:i]
	}
	message = strings.TrimSuffix(message, " expecting <EOF>")
	if name, ok := strings.CutPrefix(message, "undeclared reference to '"); ok && !strings.Contains(name, "(did you mean") {
		return message + meant(strings.TrimSuffix(name, "'"), rest)
	}
	switch {
	case strings.Contains(message, "'<EOF>'"):
		return "ends too early"
	case strings.HasPrefix(message, "token recognition error") && strings.HasPrefix(rest, "="):
		return "unexpected '=' (did you mean '=='?)"
	case strings.HasPrefix(message, "token recognition error at: "):
		return "unexpected " + strings.TrimPrefix(message, "token recognition error at: ")
	}
	if i := strings.Index(message, " expecting {"); i >= 0 {
		message = message[:i]
	}
	message = strings.TrimPrefix(message, "mismatched input ")
	message = strings.TrimPrefix(message, "extraneous input ")
	if strings.HasPrefix(message, "'") {
		return "unexpected " + message + operator(message)
	}
	return message
}

// meant is what somebody may have meant by a name that is not known.
func meant(name, rest string) string {
	switch {
	case slices.Contains([]string{"id", "type", "source", "subject", "time", "headers", "query", "extensions", "data", "raw"}, name):
		return " (did you mean 'event." + name + "'?)"
	case strings.HasPrefix(strings.TrimPrefix(rest, name), "("):
		return ""
	}
	return ` (a text stands in quotes: "` + name + `")`
}

// operator is how CEL writes what other languages write in words.
func operator(word string) string {
	for other, cel := range map[string]string{"'and'": "&&", "'or'": "||", "'not'": "!", "'is'": "=="} {
		if word == other {
			return " (did you mean '" + cel + "'?)"
		}
	}
	return ""
}

func leadingSpace(s string) int { return len(s) - len(strings.TrimLeft(s, " \t\r\n")) }
