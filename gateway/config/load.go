package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/document"
	"github.com/event-gateway/gateway/gateway/config/files"
)

// A Problem is one thing wrong with the file, and where.
type (
	Problem  = document.Problem
	Problems = document.Problems
	Severity = document.Severity
)

// A warning lets the configuration through; an error does not.
const (
	Error   = document.Error
	Warning = document.Warning
)

// Document is a configuration together with the text it came from, so that
// whoever finds a problem later can still say where.
type Document struct {
	// Path is the file's name as it was given.
	Path string
	// Config is what the file says. It is complete only when loading it
	// reported no error.
	Config *Config
	// Revision is the SHA-256 in hex of the text of the file and of those it
	// includes, of references, not of what they resolve to, and of what is laid
	// over it.
	Revision string
	// Digest is the same without what is laid over it.
	Digest string
	// Overlay is all that was laid over the file, and Aside what of it is not in
	// force.
	Overlay []Entry
	Aside   []Aside
	// Fingerprint changes whenever the file or a file it refers to does.
	Fingerprint string
	// Files are the absolute paths of all files that were read or looked for,
	// the configuration first. Own are those of them that the text consists of,
	// with the lists of what there is to include, Referred all others.
	Files, Own, Referred []string

	file     *document.File
	included []*included
	partial  bool            // not all that is included could be read
	made     map[string]bool // what the overlay has in force
	set      *files.Set
	opts     Options
	again    bool
}

// Problem reports an error at a path such as routes.deploy-main.when or
// webhooks.github.secrets[1]. A path that is not in the file is reported at
// its nearest ancestor.
func (d *Document) Problem(path, message, hint string) Problem {
	return d.file.Problem(path, message, hint)
}

// ProblemIn reports an error at a line and column, both counted in characters
// from 1, within the text of the scalar at path: where CEL found its error.
// Folded and many-line scalars are pointed at as a whole.
func (d *Document) ProblemIn(path string, line, col int, message, hint string) Problem {
	return d.file.ProblemIn(path, line, col, message, hint)
}

// Options say how a configuration is loaded. The zero value is that of a
// reload without generated secrets.
type Options struct {
	Strict    bool                        // warnings are errors
	NoSecrets bool                        // unset variables and missing files are let through: for CI
	Generate  bool                        // ${generate:path} creates what is missing
	Env       func(string) (string, bool) // os.LookupEnv when nil
	Now       func() time.Time            // time.Now when nil; decides which secrets have expired
	Overlay   []Entry                     // laid over the file, oldest first

	aside map[string]Problems // why entries are to be set aside
}

// Load reads a configuration and reports everything wrong with it, sorted by
// place. The document is never nil: even a broken one says which files to
// watch for its repair.
func Load(path string, opts Options) (*Document, Problems) { return parse(path, files.NewSet(), opts) }

// Parse is Load for text that has been read already; path says where its
// relative paths start from.
func Parse(path string, text []byte, opts Options) (*Document, Problems) {
	set := files.NewSet()
	set.Put(absolute(path), text)
	return parse(path, set, opts)
}

func parse(path string, set *files.Set, opts Options) (*Document, Problems) {
	if opts.Env == nil {
		opts.Env = os.LookupEnv
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	now := opts.Now()
	opts.Now = func() time.Time { return now } // the same if it is read anew
	doc := &Document{Path: path, Config: &Config{}, Overlay: opts.Overlay, Own: []string{absolute(path)}, made: map[string]bool{}, opts: opts}
	text, err := set.Read(absolute(path))
	defer doc.stamp(text, set)
	var problems Problems
	if doc.file, problems = document.Parse(path, text); err != nil {
		return doc, Problems{{File: path, Message: files.Reason(err), Severity: Error}}
	}
	if problems = append(problems, version(doc.file)...); len(problems) > 0 {
		return doc, problems
	}
	dir := filepath.Dir(absolute(path))
	refs := decode.References{Dir: dir, Files: set, Env: opts.Env, NoSecrets: opts.NoSecrets, Generate: opts.Generate}
	problems = decode.Into(doc.Config, doc.file, refs)
	c := &checker{doc: doc, dir: dir, opts: opts, files: set, decoded: problems}
	problems = append(problems, doc.include(c, refs)...)
	c.decoded = problems
	problems = append(problems, c.check()...)
	if !problems.Failed() {
		problems = append(problems, doc.overlay(c, refs)...)
	}
	problems.Sort()
	return doc, problems
}

// absolute is path itself where the working folder cannot be told.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// stamp records what the document was made from.
func (d *Document) stamp(text []byte, set *files.Set) {
	whole := sha256.New()
	_, _ = whole.Write(text)
	for _, in := range d.included {
		fmt.Fprintf(whole, "\x00include %s\x00%s", in.name, in.text)
	}
	d.Digest = hex.EncodeToString(whole.Sum(nil))
	for _, e := range d.Overlay {
		if d.Made(e.Name) {
			fmt.Fprintf(whole, "\x00%s\x00%s", e.Name, e.Text)
		}
	}
	d.Revision = hex.EncodeToString(whole.Sum(nil))
	d.Files, d.Fingerprint = set.Paths(), set.Fingerprint(set.Paths())
	for _, path := range d.Files {
		if !slices.Contains(d.Own, path) {
			d.Referred = append(d.Referred, path)
		}
	}
	d.set = set
	set.Forget(d.Own)
}

// FingerprintOf is the fingerprint of some of the files.
func (d *Document) FingerprintOf(paths []string) string { return d.set.Fingerprint(paths) }

// Again reads the files that the document refers to once more, for the same
// text: whatever has become of its own file.
func (d *Document) Again(opts Options) (*Document, Problems) {
	doc, problems := parse(d.Path, d.set.Again(d.Own), opts)
	doc.again = true
	return doc, problems
}

// Rereads tells whether the document came from another by [Document.Again].
func (d *Document) Rereads() bool { return d.again }

// version looks at the version before anything else: a file for another
// version would only produce misleading problems.
func version(file *document.File) Problems {
	if file.Root() == nil {
		return nil
	}
	for _, e := range file.Entries(file.Root()) {
		if n := document.Resolve(e.Value); e.Key.Value == "version" && n.ShortTag() == "!!int" && n.Value != "1" {
			return Problems{file.Problem("version", fmt.Sprintf("this gateway understands version 1, not %s", n.Value), "")}
		}
	}
	return nil // absent or not a number: reported with all the rest
}
