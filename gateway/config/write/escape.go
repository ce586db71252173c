package write

import "strings"

// The brackets of references, ${…}, and of expressions, ${{ … }}.
const (
	reference  = "${"
	expression = "${{"
)

// literal is what is written where references are replaced, and becomes text.
// ${{ … }} and $${{ are left alone there; what else begins with ${ is escaped.
func literal(text string) string {
	var out strings.Builder
	for text != "" {
		before, rest := text, ""
		if i := strings.Index(text, "$"); i >= 0 {
			before, rest = text[:i], text[i:]
		}
		out.WriteString(before)
		size := alone(rest)
		if size == 0 && strings.HasPrefix(rest, reference) {
			out.WriteString("$" + reference)
			text = rest[len(reference):]
			continue
		}
		if size == 0 && rest != "" {
			size = 1
		}
		out.WriteString(rest[:size])
		text = rest[size:]
	}
	return out.String()
}

// alone is how much at the beginning of a text nothing is replaced in.
func alone(text string) int {
	switch {
	case strings.HasPrefix(text, "$"+expression):
		return len("$" + expression)
	case !strings.HasPrefix(text, expression):
		return 0
	}
	if end := strings.Index(text, "}}"); end >= 0 {
		return end + len("}}")
	}
	return len(text)
}

// quoted is the expression that is the text ${{.
const quoted = `${{ "${{" }}`

// Given undoes what Constant did to a value that has been read again.
func Given(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, quoted, expression)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = Given(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, below := range v {
			m[key] = Given(below)
		}
		return m
	}
	return v
}

// computed is what is written where expressions are computed, too.
func computed(text string) string {
	pieces := strings.Split(text, expression)
	for i := range pieces {
		pieces[i] = literal(pieces[i])
	}
	return strings.Join(pieces, quoted)
}
