package gateway

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The sizes that tell of a missing concept.
const (
	maxFunction = 60
	maxFile     = 400
	maxPackage  = 1500 // lines that are not blank, without tests
)

// TestHouseRules measures what can be measured of the rules in
// CONTRIBUTING.md.
func TestHouseRules(t *testing.T) {
	for _, p := range list(t, module+"gateway/...", module+"cmd/...", module+"plugins/...") {
		total := 0
		for _, name := range p.GoFiles {
			total += checkFile(t, filepath.Join(p.Dir, name), p.ImportPath+"/"+name)
		}
		if total > 0 && new(doc.Package).Synopsis(p.Doc) == "" {
			t.Errorf("%s: the package comment says nothing", p.ImportPath)
		}
		if total > maxPackage {
			t.Errorf("%s: %d lines, at most %d: which concept is missing?", p.ImportPath, total, maxPackage)
		}
	}
}

// checkFile returns the number of lines that are not blank; none of a file
// that was generated.
func checkFile(t *testing.T, file, name string) (lines int) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(parsed) {
		return 0
	}
	all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(all) > maxFile {
		t.Errorf("%s: %d lines, at most %d", name, len(all), maxFile)
	}
	for _, line := range all {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	for _, decl := range parsed.Decls {
		at := name + ":" + strings.TrimPrefix(fset.Position(decl.Pos()).String(), file+":")
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			size := fset.Position(decl.End()).Line - fset.Position(decl.Pos()).Line + 1
			checkFunction(t, at, decl, size)
		case *ast.GenDecl:
			checkNames(t, at, decl)
		}
	}
	return lines
}

func checkFunction(t *testing.T, at string, f *ast.FuncDecl, size int) {
	switch {
	case size > maxFunction:
		t.Errorf("%s: %s has %d lines, at most %d", at, f.Name.Name, size, maxFunction)
	case f.Recv == nil && f.Name.Name == "init":
		t.Errorf("%s: init has effects that nobody asked for", at)
	case f.Name.IsExported() && f.Doc == nil && exportedReceiver(f) && !wellKnown[f.Name.Name]:
		t.Errorf("%s: %s is exported and not documented", at, f.Name.Name)
	}
}

// wellKnown methods say what they do by an interface of the standard library.
var wellKnown = map[string]bool{
	"Error": true, "String": true, "Unwrap": true, "GoString": true, "Format": true, "MarshalJSON": true, "UnmarshalJSON": true,
	"MarshalText": true, "UnmarshalText": true, "ServeHTTP": true, "Write": true, "Read": true, "Close": true,
	"Len": true, "Less": true, "Swap": true, "LogValue": true, "MarshalYAML": true, "UnmarshalYAML": true,
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}

// checkNames: for constants and variables a comment in their group is enough.
func checkNames(t *testing.T, at string, d *ast.GenDecl) {
	documented := d.Doc != nil
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
				t.Errorf("%s: %s is exported and not documented", at, s.Name.Name)
			}
		case *ast.ValueSpec:
			documented = documented || s.Doc != nil || s.Comment != nil
			if s.Names[0].IsExported() && !documented {
				t.Errorf("%s: %s is exported and not documented", at, s.Names[0].Name)
			}
		}
	}
}
