package describe

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/config"
)

// mark is where a table of the manual stands: what is between its two lines is
// made from the struct that it names.
func mark() *regexp.Regexp {
	return regexp.MustCompile(`(?s)(<!-- keys of (\w+) -->\n).*?(<!-- end -->)`)
}

// Fill makes the tables of a page anew. A struct with a table of its own is
// named in that of another; all others are part of it. It is an error when a
// key has no comment, or no place on the page.
func (b *Book) Fill(page string) (string, error) {
	structs := structsOf(reflect.TypeFor[config.Config]())
	f := filling{book: b, own: map[string]bool{}, told: map[string]bool{}}
	for _, m := range mark().FindAllStringSubmatch(page, -1) {
		f.own[m[2]] = true
	}
	page = mark().ReplaceAllStringFunc(page, func(old string) string {
		m := mark().FindStringSubmatch(old)
		t, ok := structs[m[2]]
		if !ok {
			f.errs = append(f.errs, fmt.Errorf("there is no struct %s", m[2]))
			return old
		}
		return m[1] + f.table(t) + m[3]
	})
	for name := range structs {
		if !f.told[name] {
			f.errs = append(f.errs, fmt.Errorf("%s has no table on the page", name))
		}
	}
	return page, errors.Join(f.errs...)
}

// structsOf are the structs of a configuration, by name.
func structsOf(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		if t = inner(t); t.Kind() != reflect.Struct || scalar(t, "") != nil || all[t.Name()] != nil {
			return
		}
		all[t.Name()] = t
		for f := range t.Fields() {
			if f.Tag.Get("yaml") != "" {
				walk(f.Type)
			}
		}
	}
	walk(t)
	return all
}

// inner is what a list, a map or a pointer is of.
func inner(t reflect.Type) reflect.Type {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Map, reflect.Slice}, t.Kind()) && scalar(t, "") == nil {
		t = t.Elem()
	}
	return t
}

type filling struct {
	book      *Book
	own, told map[string]bool
	errs      []error
}

// row is a line of a table.
type row struct{ key, absent, comment string }

func (f *filling) table(t reflect.Type) string {
	rows := f.rows(t, "")
	var b strings.Builder
	wide := slices.ContainsFunc(rows, func(r row) bool { return r.absent != "" })
	if wide {
		b.WriteString("| key | default | |\n|---|---|---|\n")
	} else {
		b.WriteString("| key | |\n|---|---|\n")
	}
	for _, r := range rows {
		b.WriteString("| `" + r.key + "` | ")
		if wide {
			b.WriteString(strings.TrimLeft(r.absent+" | ", " "))
		}
		b.WriteString(strings.ReplaceAll(r.comment, "|", `\|`) + " |\n")
	}
	return b.String()
}

func (f *filling) rows(t reflect.Type, above string) (rows []row) {
	f.told[t.Name()] = true
	for _, key := range f.book.Keys(t) {
		if key.Comment == "" {
			f.errs = append(f.errs, fmt.Errorf("%s.%s has no comment", t.Name(), key.StructField.Name))
		}
		rows = append(rows, row{above + key.Name, absent(key.Tag), key.Comment + values(key.Tag)})
		if below := inner(key.Type); below.Kind() == reflect.Struct && scalar(below, "") == nil && !f.own[below.Name()] {
			rows = append(rows, f.rows(below, above+key.Name+dots(key.Type))...)
		}
	}
	return rows
}

// dots is what stands between a key and those below it.
func dots(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		return "[]."
	}
	return "."
}

// absent is what holds without the key.
func absent(tag reflect.StructTag) string {
	if tag.Get("required") != "" {
		return "required"
	}
	if text := tag.Get("default"); text != "" {
		return "`" + text + "`"
	}
	text := tag.Get("else")
	if value, ok := strings.CutPrefix(text, "'"); ok {
		text = "`" + strings.TrimSuffix(value, "'") + "`"
	}
	return text
}

// values are those that are allowed, where there are few.
func values(tag reflect.StructTag) string {
	names := strings.Split(tag.Get("enum"), ",")
	if len(names) < 2 {
		return ""
	}
	return ": `" + strings.Join(names, "`, `") + "`"
}
