package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// resolver replaces references in scalar values. It reads each file once, so
// that all of a document sees the same content, and remembers what it read.
type resolver struct {
	dir   string // of the configuration file: what relative paths start from
	opts  Options
	files map[string]readFile
	order []string // of files
}

type readFile struct {
	content []byte
	err     error
}

// resolved is a text with its references replaced.
type resolved struct {
	text      string
	origin    origin
	defaulted bool // the default of an unset variable was used
}

// badReference is one reference that could not be resolved, and at which
// character of the text it begins.
type badReference struct {
	at            int
	message, hint string
}

// expand replaces the references in text. $${ stands for a literal ${, and
// ${{ … }} is left alone: it belongs to the time of the event, as does its
// own escape, $${{.
func (r *resolver) expand(text string) (resolved, []badReference) {
	var out strings.Builder
	var got resolved
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
		out.WriteString(value.text)
		got.origin = max(got.origin, value.origin)
		got.defaulted = got.defaulted || value.defaulted
	}
	got.text = out.String()
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
func (r *resolver) reference(token string) (resolved, *badReference) {
	inner, closed := strings.CutSuffix(token[2:], "}")
	if !closed {
		return resolved{}, &badReference{message: "a reference is not closed", hint: `"}" is missing; write $${ for a literal ${`}
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
	hint := "know ${env:NAME}, ${env:NAME:-default}, ${file:path} and ${generate:path}; write $${ for a literal ${"
	if isVariableName(inner) {
		hint = fmt.Sprintf("did you mean ${env:%s}? write $${ for a literal ${", inner)
	}
	return resolved{}, &badReference{message: fmt.Sprintf("unknown reference %q", token), hint: hint}
}

func (r *resolver) path(argument string) string {
	if filepath.IsAbs(argument) {
		return filepath.Clean(argument)
	}
	return filepath.Join(r.dir, argument)
}

func (r *resolver) variable(argument string) (resolved, *badReference) {
	name, fallback, hasFallback := strings.Cut(argument, ":-")
	if !isVariableName(name) {
		return resolved{}, &badReference{message: fmt.Sprintf("%q is not the name of an environment variable", name)}
	}
	value, set := r.opts.Env(name)
	switch {
	case hasFallback && value == "":
		return resolved{text: fallback, origin: reference, defaulted: true}, nil
	case set:
		return resolved{text: value, origin: reference}, nil
	case r.opts.NoSecrets:
		return unresolved(name), nil
	}
	return resolved{}, &badReference{
		message: fmt.Sprintf("environment variable %s is not set", name),
		hint:    fmt.Sprintf("set it, or give a default: ${env:%s:-default}", name),
	}
}

func unresolved(name string) resolved {
	return resolved{text: "(" + name + ")", origin: unknown}
}

// file returns the content of a file without its last line end.
func (r *resolver) file(path, name string) (resolved, *badReference) {
	got := r.read(path)
	switch {
	case got.err == nil:
		text := strings.TrimSuffix(strings.TrimSuffix(string(got.content), "\n"), "\r")
		return resolved{text: text, origin: reference}, nil
	case r.opts.NoSecrets:
		return unresolved(name), nil
	}
	return resolved{}, &badReference{message: fmt.Sprintf("file %q: %s", name, reason(got.err))}
}

// generated is file, for a secret that the gateway makes up itself the first
// time it runs.
func (r *resolver) generated(path, name string) (resolved, *badReference) {
	_, err := os.Lstat(path)
	if missing := errors.Is(err, fs.ErrNotExist); missing && !r.opts.Generate {
		r.read(path)
		return unresolved(name), nil
	} else if missing {
		if err := generate(path); err != nil {
			return resolved{}, &badReference{message: fmt.Sprintf("generate %q: %s", name, reason(err))}
		}
	}
	return r.file(path, name)
}

// maxFile is the most that is read of a referenced file.
const maxFile = 1 << 20

// read reads a file once; later calls see the same content.
func (r *resolver) read(path string) readFile {
	if got, ok := r.files[path]; ok {
		return got
	}
	content, err := readRegular(path, maxFile)
	if err == nil && !utf8.Valid(content) {
		err = errors.New("is not UTF-8 text: store it as hex or base64")
	}
	r.files[path] = readFile{content, err}
	r.order = append(r.order, path)
	return r.files[path]
}

// readRegular refuses what could block or never end: pipes, devices, folders.
func readRegular(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("is larger than %s", Size(limit))
	}
	return content, err
}

// reason strips what our own message already says from a file error.
func reason(err error) string {
	var at *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.As(err, &at):
		return at.Err.Error()
	}
	return err.Error()
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
	return s != "" && !isDigit(s[0]) && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && !isAlnum(r)
	})
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isAlnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// isName reports whether s can name a webhook, engine, schedule or route: it
// must fit into URLs, paths of problems and event types.
func isName(s string) bool {
	return len(s) <= 63 && s != "" && isAlnum(rune(s[0])) && !strings.ContainsFunc(s, func(r rune) bool {
		return !isAlnum(r) && !slices.Contains([]rune("_-"), r)
	})
}
