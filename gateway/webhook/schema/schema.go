// Package schema checks the data of events against a JSON Schema that the
// webhook's owner wrote, after the request was verified and before it is
// stored. It is the home of the JSON Schema library.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// base is what references in a schema are relative to: nothing that could be
// read or fetched.
const base = "schema:///"

// Schema is compiled and safe for concurrent use.
type Schema struct{ compiled *jsonschema.Schema }

// Invalid is what is wrong with data, in words for its sender.
type Invalid struct{ Message string }

func (i *Invalid) Error() string { return "schema: " + i.Message }

// Compile reads a schema, of draft 2020-12 unless it says otherwise. References
// lead to places within it and to the drafts themselves; nothing else is read,
// let alone fetched.
func Compile(text []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, errors.New(syntax(text, err))
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	if err := compiler.AddResource(base, doc); err != nil {
		return nil, errors.New(worded(err))
	}
	compiled, err := compiler.Compile(base)
	if err != nil {
		return nil, errors.New(worded(err))
	}
	return &Schema{compiled}, nil
}

// syntax says where JSON ends to be JSON.
func syntax(text []byte, err error) string {
	offset := int64(len(text))
	var at *json.SyntaxError
	if errors.As(err, &at) {
		offset = min(at.Offset, offset)
	}
	before := text[:max(0, offset-1)]
	line, start := bytes.Count(before, []byte("\n"))+1, bytes.LastIndexByte(before, '\n')+1
	return fmt.Sprintf("line %d, column %d: is not JSON", line, len(before)-start+1)
}

func worded(err error) string {
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return fmt.Sprintf("refers to %q, which is another file: references within the file only", strings.TrimPrefix(load.URL, base))
	}
	var invalid *jsonschema.SchemaValidationError
	var faults *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &faults) {
		return summary(faults)
	}
	return strings.ReplaceAll(err.Error(), base, "")
}

// Check gives an *Invalid for data that is not as the schema wants it. Data is
// as an event has it: decoded JSON, with numbers as json.Number.
func (s *Schema) Check(data any) error {
	if !countable(data) {
		return &Invalid{"a number is beyond what can be compared"}
	}
	err := s.compiled.Validate(data)
	var faults *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &faults):
		return &Invalid{summary(faults)}
	}
	return &Invalid{shortened(err.Error())}
}

// Limits of numbers that are compared: as exact fractions, 1e999999 would take
// a megabyte and its time.
const (
	maxDigits   = 1000
	maxExponent = 400
)

func countable(data any) bool {
	switch d := data.(type) {
	case json.Number:
		_, exponent, given := strings.Cut(strings.ToLower(d.String()), "e")
		n, err := strconv.Atoi(exponent)
		return len(d) <= maxDigits && (!given || err == nil && n <= maxExponent && n >= -maxExponent)
	case map[string]any:
		for _, v := range d {
			if !countable(v) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(d, func(v any) bool { return !countable(v) })
	}
	return true
}

// maxFaults and maxMessage bound what is said about one event.
const (
	maxFaults  = 5
	maxMessage = 1000
)

// summary words the innermost faults, which are what can be mended.
func summary(v *jsonschema.ValidationError) string {
	faults := leaves(v, nil)
	slices.Sort(faults)
	faults = slices.Compact(faults)
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults], fmt.Sprintf("and %d more", more))
	}
	return shortened(strings.Join(faults, "; "))
}

func leaves(v *jsonschema.ValidationError, found []string) []string {
	if len(v.Causes) == 0 {
		what := v.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		return append(found, "/"+strings.Join(v.InstanceLocation, "/")+": "+what)
	}
	for _, cause := range v.Causes {
		found = leaves(cause, found)
	}
	return found
}

// shortened is one line of plain text, of bounded length: names and values in
// it are a stranger's.
func shortened(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxMessage {
		text = text[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(text, "")
}
