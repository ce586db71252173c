package config

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// scalar reads one value of any type that is written as a scalar.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, at place) {
	if !d.isScalar(n, v, at) {
		return
	}
	text := resolved{text: n.Value}
	if v.Type() != reflect.TypeFor[CEL]() {
		var ok bool
		if text, ok = d.substitute(n, at); !ok {
			return
		}
	} else if cut(n) {
		d.report(n, at, `a space and "#" start a comment, which cuts this text short`, "quote it, or use a | block")
		return
	}
	if text.origin == unknown && v.Kind() != reflect.String {
		return
	}
	if err := setText(v, text.text); err != nil {
		d.report(n, at, err.Error()+shown(n, text), "")
		return
	}
	if !d.allowed(n, v, at) {
		v.SetZero() // checks further on take it for absent
	}
}

// isScalar refuses nodes whose YAML type is not what v wants.
func (d *decoder) isScalar(n *yaml.Node, v reflect.Value, at place) bool {
	tag := n.ShortTag()
	_, parses := v.Addr().Interface().(encoding.TextUnmarshaler)
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch {
	case n.Kind == yaml.ScalarNode && isNull(n):
		d.report(n, at, "has no value", "")
		return false
	case n.Kind != yaml.ScalarNode:
		d.wrongType(n, at, wanted(v))
		return false
	case parses || v.Type() == reflect.TypeFor[CEL]() || v.Type() == reflect.TypeFor[netip.Prefix]() || strings.Contains(n.Value, "${"):
	case v.Kind() == reflect.String && tag != "!!str" && tag != "!!timestamp":
		d.report(n, at, fmt.Sprintf("want text, got %s", describe(n)), fmt.Sprintf("quote it: %q", n.Value))
		return false
	case v.Kind() == reflect.Int && tag == "!!str" && !plain, v.Kind() == reflect.Bool && tag == "!!str" && !plain:
		d.report(n, at, fmt.Sprintf("want %s, got text", wanted(v)), "remove the quotes")
		return false
	}
	return true
}

// cut reports a plain text that lost its end to a comment: one in the middle
// of a quote or bracket.
func cut(n *yaml.Node) bool {
	if n.Style != 0 || n.LineComment == "" {
		return false
	}
	open := strings.Count(n.Value, "(") + strings.Count(n.Value, "[") + strings.Count(n.Value, "{")
	closed := strings.Count(n.Value, ")") + strings.Count(n.Value, "]") + strings.Count(n.Value, "}")
	return open > closed || strings.Count(n.Value, `"`)%2 == 1 || strings.Count(n.Value, "'")%2 == 1
}

// shown quotes a value for a message, but never what a reference resolved to.
func shown(n *yaml.Node, text resolved) string {
	if text.origin == literal {
		return fmt.Sprintf(", got %q", n.Value)
	}
	return ", which " + n.Value + " is not"
}

// setText reads the text of a scalar into v.
func setText(v reflect.Value, text string) (err error) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok && v.Type() != reflect.TypeFor[time.Time]() && v.Type() != reflect.TypeFor[netip.Prefix]() {
		return u.UnmarshalText([]byte(text))
	}
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		if *to, err = time.Parse(time.RFC3339, text); err != nil {
			return errors.New("want a time like 2026-12-01T00:00:00Z")
		}
		return nil
	case *netip.Prefix:
		*to, err = parsePrefix(text)
		return err
	}
	switch v.Kind() {
	case reflect.Int:
		n, err := parseInt(text)
		v.SetInt(n)
		return err
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("want true or false")
		}
		v.SetBool(text == "true")
	default:
		v.SetString(text)
	}
	return nil
}

func parseInt(text string) (int64, error) {
	if leadingZero(text) {
		return 0, errors.New("want a whole number without leading zeros, which some read as octal")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("want a whole number")
	}
	return n, nil
}

// leadingZero reports numbers such as 010, which are 8 to some readers of
// YAML and 10 to others.
func leadingZero(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789_") == ""
}

// allowed checks the enum and min tags.
func (d *decoder) allowed(n *yaml.Node, v reflect.Value, at place) bool {
	before := len(d.problems)
	if at.tag.Get("enum") != "" {
		d.enum(n, v.String(), at)
	}
	if low, err := strconv.ParseInt(at.tag.Get("min"), 10, 64); err == nil && v.CanInt() && v.Int() < low {
		if v.Kind() == reflect.Int {
			d.report(n, at, fmt.Sprintf("must be at least %d", low), "")
		} else {
			d.report(n, at, "must be more than zero", "")
		}
	}
	return len(d.problems) == before
}

func (d *decoder) enum(n *yaml.Node, value string, at place) {
	allowed := strings.Split(at.tag.Get("enum"), ",")
	if slices.Contains(allowed, value) {
		return
	}
	if slices.Contains(strings.Split(at.tag.Get("soon"), ","), value) {
		d.report(n, at, fmt.Sprintf("%q is not supported by this version", value), "this version knows "+strings.Join(allowed, ", "))
		return
	}
	hint := ""
	if near := nearest(value, allowed); near != "" {
		hint = didYouMean(near)
	}
	d.report(n, at, fmt.Sprintf("want one of %s, got %q", strings.Join(allowed, ", "), n.Value), hint)
}

// substitute resolves the references of a scalar and reports each that fails.
func (d *decoder) substitute(n *yaml.Node, at place) (resolved, bool) {
	if !strings.Contains(n.Value, "$") {
		return resolved{text: n.Value}, true
	}
	text, bad := d.refs.expand(n.Value)
	for _, b := range bad {
		where := d.doc.source.span(n)
		line, col := textPosition(n.Value, b.at)
		if inside, exact := d.doc.source.inside(n, line, col); exact {
			where = inside
		}
		d.problems = append(d.problems, d.doc.source.problem(where, at.path, b.message, b.hint))
	}
	return text, len(bad) == 0
}

// textPosition turns a count of characters into a line and column from 1.
func textPosition(text string, at int) (line, col int) {
	before := string([]rune(text)[:at])
	last := before[strings.LastIndex(before, "\n")+1:]
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(last)
}

func (d *decoder) secret(n *yaml.Node, v reflect.Value, at place) {
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, at, "text")
		return
	}
	if tag := n.ShortTag(); tag != "!!str" && tag != "!!null" {
		d.report(n, at, "want text, got "+kind(n), "quote it")
		return
	}
	if text, ok := d.substitute(n, at); ok {
		dropped := text.defaulted && text.text == ""
		v.Set(reflect.ValueOf(Secret{text: text.text, origin: text.origin, dropped: dropped}))
	}
}

// matchValues reads a scalar or a list of scalars, as written: match compares
// with what senders send, so nothing is substituted.
func (d *decoder) matchValues(n *yaml.Node, at place) Values {
	if n.Kind != yaml.SequenceNode {
		if one, ok := d.matchValue(n, at); ok {
			return Values{one}
		}
		return nil
	}
	if len(n.Content) == 0 {
		d.report(n, at, "an empty list matches nothing", "")
	}
	var all Values
	for i, item := range n.Content {
		if one, ok := d.matchValue(item, at.item(i)); ok {
			all = append(all, one)
		}
	}
	return all
}

func (d *decoder) matchValue(n *yaml.Node, at place) (any, bool) {
	n, ok := d.enter(n, &at)
	if !ok {
		return nil, false
	}
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, at, "text, a number, true, false or null, or a list of these")
		return nil, false
	}
	return d.typed(n, n.Value, at)
}

// typed turns a scalar into what JSON would have for it.
func (d *decoder) typed(n *yaml.Node, text string, at place) (any, bool) {
	switch n.ShortTag() {
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(text, "true"), true
	case "!!int", "!!float":
		number, err := exactNumber(text)
		if err != nil {
			d.report(n, at, err.Error(), "quote it if it is text")
		}
		return number, err == nil
	}
	return text, true
}

// exactNumber keeps a number as it is written wherever JSON can.
func exactNumber(text string) (json.Number, error) {
	if leadingZero(text) {
		_, err := parseInt(text)
		return "", err
	}
	if json.Valid([]byte(text)) {
		return json.Number(text), nil
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return json.Number(strconv.FormatInt(n, 10)), nil
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", fmt.Errorf("%s is not a number that JSON has", text)
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
}

// free reads anything, for data that is not the gateway's own.
func (d *decoder) free(n *yaml.Node, at place) (any, bool) {
	n, ok := d.enter(n, &at)
	if !ok {
		return nil, false
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, e := range d.unique(n, at) {
			m[e.key.Value], _ = d.free(e.value, at.child(e.key, ""))
		}
		return m, true
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i], _ = d.free(item, at.item(i))
		}
		return list, true
	}
	text, ok := d.substitute(n, at)
	if !ok {
		return nil, false
	}
	return d.typed(n, text.text, at)
}

func (d *decoder) rawJSON(n *yaml.Node, v reflect.Value, at place) {
	before := len(d.problems)
	free, _ := d.free(n, at)
	if len(d.problems) > before || free == nil {
		return
	}
	text, err := json.Marshal(free)
	if err != nil {
		d.report(n, at, err.Error(), "")
		return
	}
	v.SetBytes(text)
}

func (d *decoder) wrongType(n *yaml.Node, at place, want string) {
	d.report(n, at, fmt.Sprintf("want %s, got %s", want, kind(n)), "")
}

// wanted names a type in words.
func wanted(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	}
	return "text"
}

// kind names what a node is in words; describe adds a short value.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "text"
}

func describe(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return n.Value
	}
	return kind(n)
}
