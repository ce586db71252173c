package decode

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"

	"gopkg.in/yaml.v3"
)

// allowed checks the enum, min and max tags.
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
	if high := at.tag.Get("max"); high != "" && v.Int() > number(high, v.Type()) {
		d.report(n, at, "must be at most "+high, "")
	}
	return len(d.problems) == before
}

// number reads what a tag says, written as in the file.
func number(text string, t reflect.Type) int64 {
	if v := reflect.New(t); v.Type().Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		_ = v.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		return v.Elem().Int()
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
