package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/declare"
	"github.com/event-gateway/gateway/gateway/api/engines"
	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/api/revisions"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/api/steer"
)

// TestOpenAPI makes the description and compares it with what is served.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	var from outline
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&from); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(from.document(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(description, out.String()); diff != "" {
		t.Errorf("openapi.json is not what the types and openapi.yaml say; run with -update (-served +made):\n%s", diff)
	}
}

// TestOpenAPIHasEveryRoute, and nothing else.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	t.Parallel()
	s, _ := serve(newFake(), admin)
	s.routes()
	var described []string
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(description), &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method := range item {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(described)
	slices.Sort(s.patterns)
	if diff := cmp.Diff(s.patterns, described); diff != "" {
		t.Errorf("openapi.yaml (-routes +described):\n%s", diff)
	}
}

// outline is openapi.yaml.
type outline struct {
	Info       map[string]any            `yaml:"info"`
	Operations map[string]operation      `yaml:"operations"`
	Parameters map[string]map[string]any `yaml:"parameters"`
	Schemas    map[string]map[string]any `yaml:"schemas"`
}

type operation struct {
	ID       string         `yaml:"id"`
	Summary  string         `yaml:"summary"`
	More     string         `yaml:"more"`
	Query    []string       `yaml:"query"`
	Headers  []string       `yaml:"headers"`
	Body     string         `yaml:"body"`
	Optional bool           `yaml:"optional"`
	Answers  map[int]string `yaml:"answers"`
	Problems []int          `yaml:"problems"`
}

type object = map[string]any

func (o outline) document(t *testing.T) object {
	paths, parameters := map[string]object{}, object{}
	for pattern, op := range o.Operations {
		method, path, _ := strings.Cut(pattern, " ")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(method)] = op.object(t, pattern, path, o, parameters)
	}
	return object{
		"openapi": "3.1.0", "info": o.Info, "paths": paths,
		"security": []object{{}, {"token": []string{}}},
		"components": object{
			"schemas": schemas(t, o.Schemas), "parameters": parameters,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
	}
}

func (op operation) object(t *testing.T, pattern, path string, from outline, parameters object) object {
	t.Helper()
	right := rightFor(pattern)
	out := object{"operationId": op.ID, "summary": op.Summary, "x-role": right.String()}
	if op.More != "" {
		out["description"] = strings.TrimSpace(op.More)
	}
	problems := op.Problems
	var list []object
	use := func(name, in string) {
		p := maps.Clone(from.Parameters[name])
		if p == nil {
			t.Errorf("%s: no parameter %q", pattern, name)
			p = object{}
		}
		if p["name"] == nil {
			p["name"] = name
		}
		if p["in"] = in; in == "path" {
			p["required"] = true
		}
		parameters[name] = p
		list = append(list, object{"$ref": "#/components/parameters/" + name})
	}
	for segment := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			use(strings.TrimSuffix(name, "}"), "path")
			problems = append(problems, http.StatusNotFound)
		}
	}
	for _, name := range op.Query {
		use(name, "query")
	}
	for _, name := range op.Headers {
		use(name, "header")
	}
	if list != nil {
		out["parameters"] = list
	}
	if op.Body != "" {
		problems = append(problems, http.StatusRequestEntityTooLarge)
		out["requestBody"] = object{"required": !op.Optional, "content": content("application/json", op.Body)}
	}
	if right == access.Anybody {
		out["security"] = []object{{}}
	} else {
		problems = append(problems, http.StatusUnauthorized)
	}
	out["responses"] = op.responses(append(problems, http.StatusForbidden))
	return out
}

func (op operation) responses(problems []int) object {
	answers := object{}
	for code, what := range op.Answers {
		media := "application/json"
		if strings.Contains(what, "/") {
			media, what = what, ""
		}
		answers[fmt.Sprint(code)] = object{"description": http.StatusText(code), "content": content(media, what)}
	}
	for _, code := range problems {
		answer, ok := answers[fmt.Sprint(code)].(object)
		if !ok {
			answer = object{"description": http.StatusText(code), "content": object{}}
			answers[fmt.Sprint(code)] = answer
		}
		maps.Copy(answer["content"].(object), content("application/problem+json", "Problem"))
	}
	return answers
}

func content(media, schema string) object {
	if schema == "" {
		return object{media: object{}}
	}
	return object{media: object{"schema": object{"$ref": "#/components/schemas/" + schema}}}
}

// schemas are those of all that is answered or read, and what is said of them
// beside.
func schemas(t *testing.T, more map[string]map[string]any) object {
	t.Helper()
	m := maker{comments: comments(t), out: object{}}
	for _, v := range []any{
		Submission{}, Accepted{}, Triggered{}, EventList{}, DeliveryList{}, StatusReport{}, ReloadResult{}, ReloadStatus{}, readiness{}, Problem{},
		declare.Subscription{}, declare.Scheduled{}, declare.Report{},
		steer.Fired{}, steer.Interval{}, steer.Backfill{},
		runs.RunList{}, engines.EngineLog{}, explain.Explanation{}, revisions.RevisionList{}, revisions.RevisionText{}, revisions.Difference{},
	} {
		m.schema(reflect.TypeOf(v))
	}
	for name, refinement := range more {
		if m.out[name] == nil {
			m.out[name] = object{}
		}
		merge(m.out[name].(object), refinement)
	}
	return m.out
}

func merge(into, from object) {
	for key, value := range from {
		below, both := into[key].(object)
		if more, ok := value.(object); ok && both {
			merge(below, more)
			continue
		}
		into[key] = value
	}
}

// maker makes schemas of Go's types.
type maker struct {
	comments map[string]string // by Type and Type.Field
	out      object
}

func (m maker) schema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	case reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Interface:
		return object{}
	case reflect.Pointer:
		return m.schema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": m.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": m.schema(t.Elem())}
	case reflect.Struct:
		if m.out[t.Name()] == nil {
			s := object{"type": "object", "properties": object{}}
			m.out[t.Name()] = s // before its fields, which may have it in them
			describeAs(s, m.comments[t.Name()])
			m.fields(t, s)
		}
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	panic(fmt.Sprintf("%s has no schema", t))
}

func (m maker) fields(t reflect.Type, s object) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			m.fields(f.Type, s)
			continue
		case name == "-":
			continue
		}
		p := m.schema(f.Type)
		if !strings.Contains(options, "omit") {
			required, _ := s["required"].([]string)
			s["required"] = append(required, name)
			if f.Type.Kind() == reflect.Pointer {
				p["type"] = []any{p["type"], "null"}
			}
		}
		comment := m.comments[t.Name()+"."+f.Name]
		if rest, ok := strings.CutPrefix(comment, f.Name+" "); ok {
			comment = "`" + name + "` " + rest // as readers know it
		}
		describeAs(p, comment)
		s["properties"].(object)[name] = p
	}
}

func describeAs(s object, comment string) {
	if comment != "" {
		s["description"] = comment
	}
}

// comments are those of the types of this package and of those below it that it
// answers with, and of their fields.
func comments(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	say := func(name string, groups ...*ast.CommentGroup) {
		for _, g := range groups {
			if text := strings.Join(strings.Fields(g.Text()), " "); text != "" && found[name] == "" {
				found[name] = text
			}
		}
	}
	var files []string
	for _, pattern := range []string{"*.go", "ask/*.go", "declare/*.go", "steer/*.go", "runs/*.go", "engines/*.go", "explain/*.go", "revisions/*.go", "../rehearse/*.go"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			d, ok := n.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE {
				return true
			}
			spec := d.Specs[0].(*ast.TypeSpec)
			say(spec.Name.Name, spec.Doc, d.Doc)
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, name := range f.Names {
						say(spec.Name.Name+"."+name.Name, f.Doc, f.Comment)
					}
				}
			}
			return true
		})
	}
	return found
}
