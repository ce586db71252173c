package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// Request is one to be sent.
type Request struct {
	Method, Target, Body string
	Header               map[string]string
	// Follows: the answer goes on for ever; its head is enough.
	Follows bool
}

// Generator makes up requests. What it is told of answers, such as ids, it uses
// again.
type Generator struct {
	contract *Contract
	random   *rand.Rand
	known    []string
	calls    []call
}

type call struct{ method, path string }

// Generate begins to make up requests, the same for the same seed.
func (c *Contract) Generate(seed uint64) *Generator {
	g := &Generator{contract: c, random: rand.New(rand.NewPCG(seed, 0))}
	for _, path := range c.templates {
		for _, method := range slices.Sorted(maps.Keys(c.doc.Paths[path])) {
			g.calls = append(g.calls, call{strings.ToUpper(method), path})
		}
	}
	return g
}

// Learn takes up ids and cursors from an answer.
func (g *Generator) Learn(body []byte) {
	var v any
	if json.Unmarshal(body, &v) == nil {
		g.learn(v)
	}
}

func (g *Generator) learn(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if text, ok := value.(string); ok && slices.Contains([]string{"id", "event_id", "delivery_id", "cursor", "next", "name", "route", "type"}, key) {
				if g.known = append(g.known, text); len(g.known) > 200 {
					g.known = g.known[100:]
				}
			}
			g.learn(value)
		}
	case []any:
		for _, value := range v {
			g.learn(value)
		}
	}
}

// Next is another request: mostly one that is allowed, sometimes one that is
// not quite.
func (g *Generator) Next() Request {
	c := pick(g, g.calls)
	op := g.contract.doc.Paths[c.path][strings.ToLower(c.method)]
	r := Request{Method: c.method, Header: map[string]string{}}
	if g.one(30) {
		r.Method = pick(g, []string{"GET", "PUT", "DELETE", "POST", "HEAD", "PATCH", "OPTIONS"})
	}
	path, query := c.path, url.Values{}
	for _, ref := range op.Parameters {
		p := g.contract.doc.Components.Parameters[ref.Ref[strings.LastIndexByte(ref.Ref, '/')+1:]]
		switch p.In {
		case "path":
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(g.orElse(p.Schema, "x")), 1)
		case "query":
			for n := 2; g.one(n); n = 15 { // seldom twice
				query.Add(p.Name, g.value(p.Schema))
			}
		case "header":
			if g.one(2) {
				r.Header[p.Name] = header(g.value(p.Schema))
			}
		}
	}
	if g.one(15) {
		query.Set(g.text(), g.text())
	}
	r.Target = path
	if len(query) > 0 {
		r.Target += "?" + query.Encode()
	}
	g.body(&r, op)
	for _, response := range op.Responses {
		_, stream := response.Content["text/event-stream"]
		r.Follows = r.Follows || stream
	}
	return r
}

func (g *Generator) body(r *Request, op operation) {
	if op.RequestBody == nil && !g.one(10) || op.RequestBody != nil && !op.RequestBody.Required && g.one(4) {
		return
	}
	r.Header["Content-Type"] = "application/json"
	switch {
	case g.one(12):
		r.Body = g.text()
	case g.one(12):
		r.Body = g.json(3) + g.text()
	case g.one(12):
		r.Body, r.Header["Content-Type"] = g.json(3), pick(g, []string{"text/plain", "", "application/json; charset=utf-8", "a/b/c", "application/x-www-form-urlencoded"})
	case op.RequestBody == nil:
		r.Body = g.json(3)
	default:
		r.Body = g.shaped(op)
	}
}

// shaped is a body as the description wants it, or with something amiss.
func (g *Generator) shaped(op operation) string {
	var content struct {
		Schema struct {
			Ref string `json:"$ref"`
		} `json:"schema"`
	}
	if json.Unmarshal(op.RequestBody.Content["application/json"], &content) != nil || content.Schema.Ref == "" {
		return g.json(3)
	}
	schema, err := g.contract.compiler.Compile(name + content.Schema.Ref)
	if err != nil || len(schema.Properties) == 0 {
		return g.json(3)
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(schema.Properties)) {
		p := schema.Properties[key]
		switch {
		case !slices.Contains(schema.Required, key) && g.one(2), g.one(20):
			continue
		case len(p.Examples) > 0 && !g.one(4):
			example, _ := json.Marshal(pick(g, p.Examples))
			parts = append(parts, fmt.Sprintf("%q:%s", key, example))
		case g.one(12) || p.Types == nil:
			parts = append(parts, fmt.Sprintf("%q:%s", key, g.json(2)))
		default:
			parts = append(parts, fmt.Sprintf("%q:%s", key, quote(g.text())))
		}
	}
	if g.one(15) {
		parts = append(parts, quote(g.text())+":"+g.json(1))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// value is one that a parameter may have, and sometimes one that it may not.
func (g *Generator) value(schema map[string]any) string {
	if g.one(8) {
		return g.text()
	}
	if list, ok := schema["examples"].([]any); ok && g.one(2) {
		return fmt.Sprint(pick(g, list))
	}
	if items, ok := schema["items"].(map[string]any); ok {
		words := []string{}
		for _, v := range items["enum"].([]any) {
			if g.one(3) {
				words = append(words, v.(string))
			}
		}
		return strings.Join(words, ",")
	}
	switch schema["type"] {
	case "boolean":
		return pick(g, []string{"true", "false", "1"})
	case "integer":
		return fmt.Sprint(g.random.IntN(1200) - 50)
	}
	return g.text()
}

func (g *Generator) orElse(schema map[string]any, other string) string {
	if v := g.value(schema); v != "" && v != "." && v != ".." {
		return v
	}
	return other
}

// text is what has been seen in answers, something usual, or something odd.
func (g *Generator) text() string {
	if len(g.known) > 0 && g.one(2) {
		return pick(g, g.known)
	}
	return pick(g, []string{
		"", "a", "order.paid", "0000000000001", "7zzzzzzzzzzzz", "8000000000000", "2026-01-31T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
		"-1", "99999999999999999999", "1h", "-1h", "300ms", "x y", "/webhooks/a", "%zz", "é", "\x00", "\u202e", "\xff", "'; --", "\"", "\\", "..", "*", "null",
		strings.Repeat("a", 255), strings.Repeat("b", 256), strings.Repeat("c/", 2000),
	})
}

// json is any JSON, now and then of a kind that breaks readers.
func (g *Generator) json(depth int) string {
	if depth == 0 || g.one(2) {
		return pick(g, []string{
			"null", "true", "0", "-0", "1e400", "12345678901234567890", "1.5", `""`, `"\u0000"`, `"\ud800"`, "{}", "[]", quote(g.text()),
			strings.Repeat("[", 255) + strings.Repeat("]", 255), strings.Repeat("[", 300) + strings.Repeat("]", 300),
		})
	}
	if g.one(2) {
		return "[" + g.json(depth-1) + "," + g.json(depth-1) + "]"
	}
	return "{" + quote(g.text()) + ":" + g.json(depth-1) + "," + quote(g.text()) + ":" + g.json(depth-1) + "}"
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

// header is a value that HTTP can carry.
func header(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '_'
		}
		return c
	}, text)
}

func (g *Generator) one(in int) bool { return g.random.IntN(in) == 0 }

func pick[T any](g *Generator, list []T) T { return list[g.random.IntN(len(list))] }
