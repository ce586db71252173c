package decode

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/event-gateway/gateway/gateway/config/files"
)

// References say how ${…} in scalar values is replaced.
type References struct {
	Dir       string                      // what relative paths start from
	Files     *files.Set                  // reads, and remembers what was read
	Env       func(string) (string, bool) // as os.LookupEnv
	NoSecrets bool                        // unset variables and missing files are let through
	Generate  bool                        // ${generate:path} creates what is missing
}

// Text is a scalar's text with its references replaced.
type Text struct {
	Value     string
	Origin    Origin
	Defaulted bool // the default of an unset or empty variable was used
}

// Origin tells what a text came from.
type Origin int

// Where a text can come from.
const (
	Literal   Origin = iota // it stands in the file as it is
	Reference               // at least one reference was replaced
	Unknown                 // a reference could not be, and need not be
)

// badReference is one reference that could not be resolved, and at which
// character of the text it begins.
type badReference struct {
	at            int
	message, hint string
}

// expand replaces the references in text. $${ stands for a literal ${, and
// ${{ … }} is left alone: it belongs to the time of the event, as does its
// own escape, $${{.
func (r References) expand(text string) (Text, []badReference) {
	var out strings.Builder
	var got Text
	var bad []badReference
	for rest := text; rest != ""; {
		before, token, tail := nextReference(rest)
		out.WriteString(before)
		at := utf8.RuneCountInString(text[:len(text)-len(rest)+len(before)])
		rest = tail
		if token == "" {
			continue
		}
		value, problem := r.reference(token)
		if problem != nil {
			problem.at = at
			bad = append(bad, *problem)
			continue
		}
		out.WriteString(value.Value)
		got.Origin = max(got.Origin, value.Origin)
		got.Defaulted = got.Defaulted || value.Defaulted
	}
	got.Value = out.String()
	return got, bad
}

// nextReference splits text at its first reference, which is returned with
// its braces. Escapes before it are already undone in before.
func nextReference(text string) (before, token, after string) {
	i := strings.Index(text, "$")
	if i < 0 {
		return text, "", ""
	}
	before, rest := text[:i], text[i:]
	switch {
	case strings.HasPrefix(rest, "$${{"):
		return before + "$${{", "", rest[4:]
	case strings.HasPrefix(rest, "$${"):
		return before + "${", "", rest[3:]
	case strings.HasPrefix(rest, "${{"):
		end := strings.Index(rest, "}}")
		if end < 0 {
			return text, "", ""
		}
		return before + rest[:end+2], "", rest[end+2:]
	case strings.HasPrefix(rest, "${"):
		end := strings.Index(rest, "}")
		if end < 0 {
			return before, rest, ""
		}
		return before, rest[:end+1], rest[end+1:]
	}
	return before + "$", "", rest[1:]
}

// reference resolves one ${kind:argument}.
func (r References) reference(token string) (Text, *badReference) {
	inner, closed := strings.CutSuffix(token[2:], "}")
	if !closed {
		return Text{}, &badReference{message: "a reference is not closed", hint: `"}" is missing; write $${ for a literal ${`}
	}
	kind, argument, ok := strings.Cut(inner, ":")
	switch {
	case ok && kind == "env":
		return r.variable(argument)
	case ok && kind == "file" && argument != "":
		return r.file(r.path(argument), argument)
	case ok && kind == "generate" && argument != "":
		return r.generated(r.path(argument), argument)
	}
	hint := "know ${env:NAME}, ${env:NAME:-default}, ${file:path} and ${generate:path}; an expression is ${{ event.data.name }}; write $${ for a literal ${"
	if isVariableName(inner) {
		hint = fmt.Sprintf("did you mean ${env:%s}? write $${ for a literal ${", inner)
	}
	return Text{}, &badReference{message: fmt.Sprintf("unknown reference %q", token), hint: hint}
}

func (r References) path(argument string) string {
	if filepath.IsAbs(argument) {
		return filepath.Clean(argument)
	}
	return filepath.Join(r.Dir, argument)
}

func (r References) variable(argument string) (Text, *badReference) {
	name, fallback, hasFallback := strings.Cut(argument, ":-")
	if !isVariableName(name) {
		return Text{}, &badReference{message: fmt.Sprintf("%q is not the name of an environment variable", name)}
	}
	value, set := r.Env(name)
	switch {
	case hasFallback && value == "":
		return Text{Value: fallback, Origin: Reference, Defaulted: true}, nil
	case set:
		return Text{Value: value, Origin: Reference}, nil
	case r.NoSecrets:
		return unresolved(name), nil
	}
	return Text{}, &badReference{
		message: fmt.Sprintf("environment variable %s is not set", name),
		hint:    fmt.Sprintf("set it, or give a default: ${env:%s:-default}", name),
	}
}

func unresolved(name string) Text {
	return Text{Value: "(" + name + ")", Origin: Unknown}
}

// file returns the content of a file without its last line end.
func (r References) file(path, name string) (Text, *badReference) {
	content, err := r.Files.Read(path)
	if err == nil && !utf8.Valid(content) {
		err = errors.New("is not UTF-8 text: store it as hex or base64")
	}
	switch {
	case err == nil:
		text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
		return Text{Value: text, Origin: Reference}, nil
	case r.NoSecrets:
		return unresolved(name), nil
	}
	return Text{}, &badReference{message: fmt.Sprintf("file %q: %s", name, files.Reason(err))}
}

// generated is file, for a secret that the gateway makes up itself the first
// time it runs.
func (r References) generated(path, name string) (Text, *badReference) {
	_, err := os.Lstat(path)
	if missing := errors.Is(err, fs.ErrNotExist); missing && !r.Generate {
		_, _ = r.Files.Read(path) // so that its appearance is noticed
		return unresolved(name), nil
	} else if missing {
		if err := generate(path); err != nil {
			return Text{}, &badReference{message: fmt.Sprintf("generate %q: %s", name, files.Reason(err))}
		}
	}
	return r.file(path, name)
}

// generate creates path with 32 random bytes in hex, for the owner only. Two
// gateways that start at once end up with one secret: the file appears whole,
// and only if nobody else was first.
func generate(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(dir, ".generate-*") // created with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand
	_, err = draft.WriteString(hex.EncodeToString(key[:]) + "\n")
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func isVariableName(s string) bool {
	return s != "" && (s[0] < '0' || s[0] > '9') && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && !isAlnum(r)
	})
}

// isName reports whether s can name a webhook, engine, schedule or route: it
// must fit into URLs, paths of problems and event types.
func isName(s string) bool {
	return len(s) <= 63 && s != "" && isAlnum(rune(s[0])) && !strings.ContainsFunc(s, func(r rune) bool {
		return !isAlnum(r) && r != '_' && r != '-'
	})
}

func isAlnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
