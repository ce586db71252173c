package gate

import "strings"

// lastForwarded cuts the last element off a Forwarded header and gives the
// address that it names: for="[2001:db8::1]:4711";proto=https. A comma may stand
// inside quotes, so the element is found from the left.
func lastForwarded(list string) (rest, hop string, ok bool) {
	begin, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			begin = i + 1
		}
	}
	if quoted {
		return "", "", false
	}
	hop, ok = forOf(list[begin:])
	return list[:max(begin-1, 0)], hop, ok
}

// forOf is the value of the one pair named for. An address needs no character
// that is escaped or separates pairs, so a value with one is none.
func forOf(element string) (hop string, ok bool) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if ok {
			return "", false
		}
		if hop, ok = value, true; strings.HasPrefix(value, `"`) {
			hop, ok = strings.CutSuffix(value[1:], `"`)
		}
		if !ok {
			return "", false
		}
	}
	return hop, ok
}
