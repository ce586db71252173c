package decode

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

	"gopkg.in/yaml.v3"

	"github.com/event-gateway/gateway/gateway/config/document"
)

// scalar reads one value of any type that is written as a scalar.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, at place) {
	if !d.isScalar(n, v, at) {
		return
	}
	if at.tag.Get("raw") != "" {
		d.raw(n, v, at)
		return
	}
	text, ok := d.substitute(n, at)
	if !ok {
		return
	}
	if text.Origin == Unknown && (v.Kind() != reflect.String || at.tag.Get("default")+at.tag.Get("enum") != "") {
		return // what it would be cannot be told: the default will do
	}
	if err := setText(v, text.Value); err != nil {
		d.report(n, at, err.Error()+shown(n, text), "")
		return
	}
	if !d.allowed(n, v, at) {
		v.SetZero() // checks further on take it for absent
	}
}

// raw reads an expression.
func (d *decoder) raw(n *yaml.Node, v reflect.Value, at place) {
	if cut(n) {
		d.report(n, at, `a space and "#" start a comment, which cuts this text short`, "quote it, or use a | block")
		return
	}
	switch text := strings.TrimSpace(n.Value); {
	case text == "":
		d.report(n, at, "is empty", "leave the key out")
		return
	case strings.HasPrefix(text, "${{"):
		d.report(n, at, "is an expression by itself", "leave ${{ and }} out")
		return
	}
	v.SetString(n.Value)
}

// isScalar refuses nodes whose YAML type is not what v wants.
func (d *decoder) isScalar(n *yaml.Node, v reflect.Value, at place) bool {
	tag := n.ShortTag()
	_, parses := v.Addr().Interface().(encoding.TextUnmarshaler)
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch {
	case n.Kind == yaml.ScalarNode && document.IsNull(n):
		d.report(n, at, "has no value", "")
		return false
	case n.Kind != yaml.ScalarNode:
		d.wrongType(n, at, wanted(v), one(n))
		return false
	case parses || at.tag.Get("raw") != "" || strings.Contains(n.Value, "${"):
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
func shown(n *yaml.Node, text Text) string {
	if text.Origin == Literal {
		return fmt.Sprintf(", got %q", n.Value)
	}
	return ", which " + n.Value + " is not"
}

// setText reads the text of a scalar into v.
func setText(v reflect.Value, text string) (err error) {
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		if *to, err = time.Parse(time.RFC3339, text); err != nil {
			return errors.New("want a time like 2026-12-01T00:00:00Z")
		}
		return nil
	case *netip.Prefix:
		*to, err = parsePrefix(text)
		return err
	case encoding.TextUnmarshaler:
		return to.UnmarshalText([]byte(text))
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

func (d *decoder) enum(n *yaml.Node, value string, at place) {
	allowed := strings.Split(at.tag.Get("enum"), ",")
	if slices.Contains(allowed, value) {
		return
	}
	if slices.Contains(strings.Split(at.tag.Get("soon"), ","), value) {
		d.report(n, at, fmt.Sprintf("%q is not supported by this version", value), "this version knows "+strings.Join(allowed, ", "))
		return
	}
	want, hint := "one of "+strings.Join(allowed, ", "), ""
	if len(allowed) == 1 {
		want = allowed[0]
	}
	if near := Nearest(value, allowed); near != "" {
		hint = DidYouMean(near)
	}
	d.report(n, at, fmt.Sprintf("want %s, got %q", want, n.Value), hint)
}

// substitute resolves the references of a scalar and reports each that fails.
func (d *decoder) substitute(n *yaml.Node, at place) (Text, bool) {
	if !strings.Contains(n.Value, "$") {
		return Text{Value: n.Value}, true
	}
	text, bad := d.refs.expand(n.Value)
	for _, b := range bad {
		d.problems = append(d.problems, d.file.AtOffset(n, b.at, at.path, b.message, b.hint))
	}
	return text, len(bad) == 0
}

// receive hands a text to a type that wants to know where it came from. Its
// value is not shown: it may be a secret.
func (d *decoder) receive(n *yaml.Node, to Receiver, at place) {
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, at, "text", one(n))
		return
	}
	if tag := n.ShortTag(); tag != "!!str" && tag != "!!null" {
		d.report(n, at, "want text, got "+kind(n), "quote it")
		return
	}
	if text, ok := d.substitute(n, at); ok {
		to.Receive(text)
	}
}

// matchValues reads a scalar or a list of scalars, as written: match compares
// with what senders send, so nothing is replaced.
func (d *decoder) matchValues(n *yaml.Node, v reflect.Value, at place) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	if len(items) == 0 {
		d.report(n, at, "an empty list matches nothing", "")
	}
	all := make([]any, len(items))
	for i, item := range items {
		below := at
		if n.Kind == yaml.SequenceNode {
			below = at.item(i)
		}
		all[i], _ = d.matchValue(item, below)
	}
	v.Set(reflect.ValueOf(all).Convert(v.Type()))
}

func (d *decoder) matchValue(n *yaml.Node, at place) (any, bool) {
	n, ok := d.enter(n, &at)
	if !ok {
		return nil, false
	}
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, at, "text, a number, true, false or null, or a list of these", "")
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
			m[e.Key.Value], _ = d.free(e.Value, at.child(e.Key, ""))
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
	return d.typed(n, text.Value, at)
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

func (d *decoder) wrongType(n *yaml.Node, at place, want, hint string) {
	d.report(n, at, fmt.Sprintf("want %s, got %s", want, kind(n)), hint)
}

// one is the hint where there are several values, or parts of one.
func one(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "one value, without brackets or a dash"
	}
	return ""
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
	case document.IsNull(n):
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

// parsePrefix reads 203.0.113.0/24, or one address as a network of its own.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errors.New("want a network like 203.0.113.0/24 or an address")
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("has bits set beyond its prefix: write %s", p.Masked())
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("is an IPv4 network written as IPv6: write it as 203.0.113.0/24")
	}
	return p, nil
}
