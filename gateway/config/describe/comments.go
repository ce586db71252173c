// Package describe tells what a configuration may hold: to editors, as a JSON
// Schema, and to people, as the tables of the manual. It reads the structs of
// package config as the decoder does, and the comments at their keys besides.
package describe

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strings"
)

// Key is one key of a struct.
type Key struct {
	reflect.StructField
	Name string
	// Comment is Markdown, without a full stop.
	Comment string
}

// Book knows the structs and what is said about their keys.
type Book struct {
	comments map[string]string // by Type.Field
}

// Open reads the comments in the sources of the structs.
func Open(sources fs.FS) (*Book, error) {
	b := &Book{comments: map[string]string{}}
	names, err := fs.Glob(sources, "*.go")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("comments: %w", err)
		}
		ast.Inspect(file, b.note)
	}
	return b, nil
}

func (b *Book) note(n ast.Node) bool {
	spec, ok := n.(*ast.TypeSpec)
	if !ok {
		return true
	}
	of, ok := spec.Type.(*ast.StructType)
	if !ok {
		return true
	}
	for _, field := range of.Fields.List {
		comment := field.Doc.Text() + field.Comment.Text()
		for _, name := range field.Names {
			b.comments[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(comment), " ")
		}
	}
	return true
}

// Keys are the keys of a struct, in its order.
func (b *Book) Keys(t reflect.Type) (keys []Key) {
	for f := range t.Fields() {
		if name := f.Tag.Get("yaml"); name != "" {
			keys = append(keys, Key{StructField: f, Name: name, Comment: b.comments[t.Name()+"."+f.Name]})
		}
	}
	return keys
}

// blank is a tag of the struct itself, which stands on a blank field.
func blank(t reflect.Type, tag string) string {
	for f := range t.Fields() {
		if value := f.Tag.Get(tag); f.Name == "_" && value != "" {
			return value
		}
	}
	return ""
}
