// Package decode reads a YAML document into tagged structs, strictly: whatever
// the structs do not know is a problem, and all problems are reported at once.
// It replaces references such as ${env:NAME} on the way. It knows nothing of
// what the structs mean; the checks that follow do.
//
// These tags describe what is accepted:
//
//	yaml      the key
//	default   its text when absent, written as in the file
//	enum      the values allowed, separated by commas; soon: those of later versions
//	required  "true": an absent key is a problem
//	min, max  the smallest and the largest number allowed
//	raw       "true": the text is an expression, in which nothing is replaced
//	keys      what map keys look like: name, env or any (default: name)
//	aka       wrong names people try for the key, answered with a hint
//	scalar    on a blank field: the key that a lone scalar stands for
//	later     on a blank field: keys that later versions know
//	apart     on a blank field: keys that only the file has that includes this one
//
// More are for those who write the file, see package describe:
//
//	else      what holds when the key is absent, where that is no default
//	pattern   what its text looks like, or that of its items; checks say it better
//	one       on a blank field: keys of which there is exactly one
package decode

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/event-gateway/gateway/gateway/config/document"
)

// decoder walks the file and the structs of config.go together. It never
// stops at a problem: what cannot be read keeps its default.
type decoder struct {
	file     *document.File
	refs     References
	problems document.Problems
	known    map[reflect.Type]*keys
	aliased  int // nodes visited through aliases, against alias bombs
}

const (
	maxDepth   = 100
	maxAliased = 100_000
)

// place is where in the document the walk is.
type place struct {
	path  string
	key   *yaml.Node // nil in lists
	tag   reflect.StructTag
	depth int
	alias []*yaml.Node // the aliases that led here
}

func (at place) child(key *yaml.Node, tag reflect.StructTag) place {
	at.path = strings.TrimPrefix(at.path+"."+key.Value, ".")
	at.key, at.tag = key, tag
	at.depth++
	return at
}

func (at place) item(i int) place {
	at.path = fmt.Sprintf("%s[%d]", at.path, i)
	at.key = nil
	at.depth++
	return at
}

// Receiver is a type that wants to know where its text came from.
type Receiver interface{ Receive(Text) }

// Into reads a file into the struct that target points to. What cannot be
// read keeps its default and is reported.
func Into(target any, file *document.File, refs References) document.Problems {
	d := &decoder{file: file, refs: refs}
	d.value(file.Root(), reflect.ValueOf(target).Elem(), place{})
	return d.problems
}

// report adds a problem at a node; keys say so by passing themselves.
func (d *decoder) report(n *yaml.Node, at place, message, hint string) {
	d.problems = append(d.problems, d.file.At(n, at.key, at.path, message, hint))
}

// value reads node n into v, whose type says what is wanted.
func (d *decoder) value(n *yaml.Node, v reflect.Value, at place) {
	n, ok := d.enter(n, &at)
	if !ok {
		return
	}
	switch to := v.Addr().Interface().(type) {
	case Receiver:
		d.receive(n, to, at)
		return
	case *json.RawMessage:
		d.rawJSON(n, v, at)
		return
	case encoding.TextUnmarshaler:
		d.scalar(n, v, at)
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		if free, ok := d.free(n, at); ok && free != nil {
			v.Set(reflect.ValueOf(free))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.structure(n, v.Elem(), at)
	case reflect.Struct:
		d.structure(n, v, at)
	case reflect.Map:
		d.table(n, v, at)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Interface {
			d.matchValues(n, v, at)
		} else {
			d.list(n, v, at)
		}
	default:
		d.scalar(n, v, at)
	}
}

// enter follows an alias and refuses what no honest file contains.
func (d *decoder) enter(n *yaml.Node, at *place) (*yaml.Node, bool) {
	cycle := false
	if n.Kind == yaml.AliasNode {
		n = document.Resolve(n)
		cycle = slices.Contains(at.alias, n)
		at.alias = append(slices.Clip(at.alias), n)
	}
	if len(at.alias) > 0 {
		d.aliased++
	}
	switch {
	case cycle:
		d.report(n, *at, "the alias contains itself", "")
	case at.depth > maxDepth:
		d.report(n, *at, fmt.Sprintf("is nested more than %d levels deep", maxDepth), "")
	case d.aliased == maxAliased:
		d.report(n, *at, "aliases make the file too large", "")
	case d.aliased > maxAliased:
	case isCustom(n):
		d.report(n, *at, fmt.Sprintf("starts with %q, which YAML reads as a tag", "!"), "quote it, or use a | block")
	default:
		return n, true
	}
	return nil, false
}

// isCustom reports a tag that is not one of the plain types of YAML.
func isCustom(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!merge", "!!timestamp", "":
		return false
	}
	return n.Kind != yaml.AliasNode
}

// structure reads a map with known keys.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, at place) {
	fillDefaults(v)
	known := d.keysOf(v.Type())
	if n.Kind == yaml.ScalarNode && !document.IsNull(n) && known.scalar != "" {
		f := known.fields[known.scalar]
		at.tag = f.Tag
		d.value(n, v.FieldByIndex(f.Index), at)
		return
	}
	if !d.isMap(n, at, "its keys: "+strings.Join(known.order, ", ")) {
		return
	}
	given := map[string]bool{}
	for _, e := range d.unique(n, at) {
		key := e.Key.Value
		given[key] = true
		if f, ok := known.fields[key]; ok {
			d.value(e.Value, v.FieldByIndex(f.Index), at.child(e.Key, f.Tag))
			continue
		}
		if at.path != "" || !strings.HasPrefix(key, "x-") {
			given[known.meant(key)] = true // to say that it is missing would be the same again
			message, hint := known.unknown(key)
			d.report(e.Key, at.child(e.Key, ""), message, hint)
		}
	}
	for _, key := range known.order {
		if known.fields[key].Tag.Get("required") != "" && !given[key] {
			d.missing(n, at, key)
		}
	}
}

func (d *decoder) missing(n *yaml.Node, at place, key string) {
	where := n
	if at.key != nil {
		where = at.key
	}
	d.report(where, at, fmt.Sprintf("%s is missing", key), "")
}

// isMap reports whether n is a map. Nothing at all is an empty one: a section
// whose entries are commented out.
func (d *decoder) isMap(n *yaml.Node, at place, hint string) bool {
	if n.Kind == yaml.MappingNode || document.IsNull(n) {
		return true
	}
	d.wrongType(n, at, "a map", hint)
	return false
}

// unique lists the entries of a map and reports keys that cannot be used.
func (d *decoder) unique(n *yaml.Node, at place) []document.Entry {
	first := map[string]*yaml.Node{}
	var good []document.Entry
	for _, e := range d.file.Entries(n) {
		switch before := first[e.Key.Value]; {
		case e.Key.Kind == yaml.AliasNode || e.Key.Kind != yaml.ScalarNode || document.IsNull(e.Key):
			d.report(e.Key, at, "a key must be plain text", "")
		case before != nil:
			d.report(e.Key, at.child(e.Key, ""), fmt.Sprintf("is defined twice, first at line %d", before.Line), "")
		default:
			first[e.Key.Value] = e.Key
			good = append(good, e)
		}
	}
	return good
}

// table reads a map with keys of the author's choice.
func (d *decoder) table(n *yaml.Node, v reflect.Value, at place) {
	if !d.isMap(n, at, entries(n)) {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.unique(n, at) {
		below := at.child(e.Key, "")
		if hint := badKey(e.Key.Value, at.tag.Get("keys")); hint != "" {
			d.report(e.Key, below, fmt.Sprintf("%q cannot be a name", e.Key.Value), hint)
			continue
		}
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, one, below)
		v.SetMapIndex(reflect.ValueOf(e.Key.Value), one)
	}
}

// entries is how a map is written by somebody who has written something else.
func entries(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return `write "name:", without the dash`
	}
	return `one "name: value" to a line`
}

// badKey says what a key should have looked like; empty when it is fine.
func badKey(key, rule string) string {
	switch {
	case rule == "any":
		return ""
	case rule == "env" && !isVariableName(key):
		return "letters, digits and _, not beginning with a digit"
	case rule == "" && !isName(key):
		return "letters, digits, - and _, beginning with a letter or digit, at most 63"
	}
	return ""
}

// list reads a list of one type. Items that could not be read stay, empty, so
// that those after them keep their index; only what need not be known is left
// out.
func (d *decoder) list(n *yaml.Node, v reflect.Value, at place) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, at, "a list", "put it into brackets: [ … ]")
		return
	}
	for i, item := range n.Content {
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(item, one, at.item(i))
		if !d.refs.NoSecrets || !one.IsZero() {
			v.Set(reflect.Append(v, one))
		}
	}
}

// fillDefaults sets what the tags of a struct, and of structs in it, say for
// absent keys.
func fillDefaults(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		to := reflect.New(f.Type).Interface()
		_, leaf := to.(encoding.TextUnmarshaler)
		_, receives := to.(Receiver)
		if text, ok := f.Tag.Lookup("default"); ok {
			if err := setText(v.Field(i), text); err != nil {
				panic("decode: default of " + f.Name + ": " + err.Error()) // a slip of the struct's author
			}
		} else if f.Type.Kind() == reflect.Struct && !leaf && !receives && f.IsExported() {
			fillDefaults(v.Field(i))
		}
	}
}
