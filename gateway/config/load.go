package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Options say how a configuration is loaded. The zero value is that of a
// reload without generated secrets.
type Options struct {
	Strict    bool                        // warnings about secrets are errors
	NoSecrets bool                        // unset variables and missing files are let through: for CI
	Generate  bool                        // ${generate:path} creates what is missing
	Env       func(string) (string, bool) // os.LookupEnv when nil
	Now       func() time.Time            // time.Now when nil; decides which secrets have expired
}

// maxConfig is the largest configuration that is read.
const maxConfig = 4 << 20

// Load reads a configuration and reports everything wrong with it, sorted by
// place. The document is never nil: even a broken one says which files to
// watch for its repair.
func Load(path string, opts Options) (*Document, Problems) {
	text, err := readRegular(path, maxConfig)
	if err != nil {
		doc := &Document{Path: path, Config: &Config{}, source: newSource(path, "")}
		doc.stamp(nil, &resolver{})
		return doc, Problems{{File: path, Message: reason(err), Severity: Error}}
	}
	return Parse(path, text, opts)
}

// Parse is Load for text that has been read already; path says where its
// relative paths start from.
func Parse(path string, text []byte, opts Options) (*Document, Problems) {
	if opts.Env == nil {
		opts.Env = os.LookupEnv
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	doc := &Document{Path: path, Config: &Config{}}
	refs := &resolver{dir: dir, opts: opts, files: map[string]readFile{}}
	defer doc.stamp(text, refs)
	if err != nil {
		return doc, Problems{{File: path, Message: err.Error(), Severity: Error}}
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	doc.source = newSource(path, string(text))
	if problems := doc.parse(text); len(problems) > 0 {
		return doc, problems
	}
	d := &decoder{doc: doc, refs: refs}
	d.value(doc.root, reflect.ValueOf(doc.Config).Elem(), place{})
	doc.walked = d.problems
	problems := append(d.problems, check(doc, dir, opts)...)
	problems.Sort()
	return doc, problems
}

// stamp records what the document was made from.
func (d *Document) stamp(text []byte, refs *resolver) {
	sum := sha256.Sum256(text)
	d.Revision = hex.EncodeToString(sum[:])
	path, err := filepath.Abs(d.Path)
	if err != nil {
		path = d.Path
	}
	d.Files = append([]string{path}, refs.order...)
	mark := newFingerprint()
	mark.add(path, text, nil)
	for _, name := range refs.order {
		mark.add(name, refs.files[name].content, refs.files[name].err)
	}
	d.Fingerprint = mark.sum()
}

// parse turns the text into nodes and refuses what is not one whole
// configuration of a version known here.
func (d *Document) parse(text []byte) Problems {
	if !utf8.Valid(text) {
		line := 1 + bytes.Count(text[:invalidAt(text)], []byte("\n"))
		return Problems{d.source.problem(span{line: line, col: 1}, "", "is not UTF-8 text", "")}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var file, extra yaml.Node
	switch err := decoder.Decode(&file); {
	case errors.Is(err, io.EOF):
		return d.empty()
	case err != nil:
		return Problems{d.source.syntaxProblem(err)}
	}
	d.root = file.Content[0]
	d.source.hideSecrets(d.root)
	d.index = map[*yaml.Node]table{}
	d.indexMaps(d.root)
	switch err := decoder.Decode(&extra); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return Problems{d.source.syntaxProblem(err)}
	default:
		at := span{line: extra.Line, col: max(extra.Column, 1)}
		return Problems{d.source.problem(at, "", "a second document begins here: a configuration is one document", `remove the "---" line`)}
	}
	if isNull(d.root) {
		return d.empty()
	}
	return d.version()
}

func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

func (d *Document) empty() Problems {
	return Problems{d.source.problem(span{line: 1, col: 1}, "", "the file is empty", `the smallest configuration is "version: 1"`)}
}

// version looks at the version before anything else: a file for another
// version would only produce misleading problems.
func (d *Document) version() Problems {
	found := d.find("version")
	n := resolve(found.value)
	if !found.exact || n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Value == "1" {
		return nil // the walker reports these, with all the rest
	}
	message := fmt.Sprintf("this gateway understands version 1, not %s", n.Value)
	return Problems{d.Problem("version", message, "")}
}

// fingerprint is a hash over files, in order, present or not.
type fingerprint struct{ hash []byte }

func newFingerprint() *fingerprint { return &fingerprint{} }

func (f *fingerprint) add(path string, content []byte, err error) {
	sum := sha256.Sum256(content)
	state := "present"
	if err != nil {
		state = "absent"
	}
	next := sha256.Sum256([]byte(strings.Join([]string{string(f.hash), path, state, string(sum[:])}, "\x00")))
	f.hash = next[:]
}

func (f *fingerprint) sum() string { return hex.EncodeToString(f.hash) }
