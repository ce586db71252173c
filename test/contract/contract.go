// Package contract holds the gateway's API to its OpenAPI description: it tells
// whether an answer is one that the description has, and makes up requests that
// the description allows, or nearly so. Tests of the API stand on it.
package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Contract is a description.
type Contract struct {
	doc       document
	compiler  *jsonschema.Compiler
	templates []string // paths, those with fewer names in them first
}

type document struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Parameters map[string]parameter `json:"parameters"`
	} `json:"components"`
}

type operation struct {
	ID         string `json:"operationId"`
	Parameters []struct {
		Ref string `json:"$ref"`
	} `json:"parameters"`
	RequestBody *struct {
		Required bool                       `json:"required"`
		Content  map[string]json.RawMessage `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

type parameter struct {
	Name   string         `json:"name"`
	In     string         `json:"in"`
	Schema map[string]any `json:"schema"`
}

// name of the description among the compiler's resources.
const name = "openapi.json"

// New reads a description.
func New(description []byte) (*Contract, error) {
	c := &Contract{compiler: jsonschema.NewCompiler()}
	if err := json.Unmarshal(description, &c.doc); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(description))
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	strict(whole)
	if err := c.compiler.AddResource(name, whole); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	c.compiler.AssertFormat()
	for path := range c.doc.Paths {
		c.templates = append(c.templates, path)
	}
	slices.SortFunc(c.templates, func(a, b string) int {
		if n := strings.Count(a, "{") - strings.Count(b, "{"); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return c, nil
}

// strict lets no object have what its schema does not: what is told and not
// described is a mistake here, where it may be none for a client.
func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			strict(below)
		}
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
	case []any:
		for _, below := range v {
			strict(below)
		}
	}
}

// Answer is what was answered to a request.
type Answer struct {
	// Method and Path of the request; the path as it was sent, without query.
	Method, Path string
	Code         int
	ContentType  string
	Body         []byte
}

// Check tells what of an answer is not in the description.
func (c *Contract) Check(a Answer) error {
	if a.Code == http.StatusInternalServerError {
		return fmt.Errorf("contract: %s %s: an internal error: %s", a.Method, a.Path, a.Body)
	}
	template := c.template(a.Path)
	op, ok := c.doc.Paths[template][strings.ToLower(a.Method)]
	media, _, _ := mime.ParseMediaType(a.ContentType)
	at := "#/components/schemas/Problem"
	if !ok { // not there: a problem that says so
		if a.Code < 400 || a.Code >= 500 || media != "application/problem+json" {
			return fmt.Errorf("contract: %s %s is not described, and was answered %d %s", a.Method, a.Path, a.Code, media)
		}
		return c.conform(a, at)
	}
	response, ok := op.Responses[strconv.Itoa(a.Code)]
	if !ok {
		return fmt.Errorf("contract: %s: the answer %d is not described: %s", op.ID, a.Code, a.Body)
	}
	content, ok := response.Content[media]
	if !ok {
		return fmt.Errorf("contract: %s: %d: content %q is not described", op.ID, a.Code, a.ContentType)
	}
	if content.Schema == nil {
		return nil
	}
	at = "#/paths/" + pointer(template) + "/" + strings.ToLower(a.Method) + "/responses/" + strconv.Itoa(a.Code) + "/content/" + pointer(media) + "/schema"
	return c.conform(a, at)
}

func (c *Contract) conform(a Answer, at string) error {
	schema, err := c.compiler.Compile(name + at)
	if err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Body))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		return fmt.Errorf("contract: %s %s: %d: %w: %s", a.Method, a.Path, a.Code, err, a.Body)
	}
	return nil
}

func pointer(text string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(text)
}

// template finds the path of the description that a request's path is of.
func (c *Contract) template(path string) string {
	have := strings.Split(path, "/")
	for _, t := range c.templates {
		want := strings.Split(t, "/")
		if len(want) != len(have) {
			continue
		}
		fits := true
		for i := range want {
			fits = fits && (want[i] == have[i] || strings.HasPrefix(want[i], "{") && have[i] != "")
		}
		if fits {
			return t
		}
	}
	return ""
}
