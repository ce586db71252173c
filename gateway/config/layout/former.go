package layout

import "strings"

// level is one map or list that is open: where its lines were indented, and
// where they will be.
type level struct {
	was, will int
	list      bool
}

// former goes through the lines from top to bottom.
type former struct {
	lines []string
	at    int
	out   []string
	open  []level
	// held are comments and blank lines above what decides on their level.
	held []string
}

const step = 2

func (f *former) text() []byte {
	return []byte(strings.Trim(strings.Join(f.out, "\n"), "\n") + "\n")
}

func (f *former) run() {
	for f.at < len(f.lines) {
		line := strings.TrimRight(f.lines[f.at], " \t\r")
		body := strings.TrimLeft(line, " ")
		was := len(line) - len(body)
		switch {
		case body == "" || body[0] == '#':
			f.held = append(f.held, line)
			f.at++
		case was == 0 && (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...") || line[0] == '%'):
			f.release(0)
			f.write(0, line)
			f.open = nil
		default:
			f.release(was)
			f.entry(body, was)
		}
	}
	f.release(0)
}

// release writes what was held above a line that is indented by next. A comment
// goes with that line, or with a level that is open until there.
func (f *former) release(next int) {
	for _, line := range f.held {
		body := strings.TrimLeft(line, " ")
		if body == "" {
			f.blank()
			continue
		}
		f.out = append(f.out, spaces(f.comment(len(line)-len(body), next))+body)
	}
	f.held = nil
}

// blank writes a blank line below one that is not.
func (f *former) blank() {
	if n := len(f.out); n > 0 && f.out[n-1] != "" {
		f.out = append(f.out, "")
	}
}

// comment is where a comment goes that was indented by was.
func (f *former) comment(was, next int) int {
	if was == next && f.at < len(f.lines) {
		return f.will(was)
	}
	for i := len(f.open) - 1; i >= 0; i-- {
		if l := f.open[i]; l.was <= was {
			if l.was < was {
				return l.will + step
			}
			return l.will
		}
	}
	return 0
}

// will is where the line at hand goes, which is indented by was.
func (f *former) will(was int) int {
	item := isItem(strings.TrimLeft(f.lines[f.at], " "))
	for i := len(f.open) - 1; i >= 0; i-- {
		switch l := f.open[i]; {
		case l.was == was && l.list == item:
			return l.will
		case l.was < was || l.was == was && item:
			return l.will + step // a list may stand right below its key
		}
	}
	return 0
}

// enter opens the level of a key or an item, and closes those that it is not in.
func (f *former) enter(was int, list bool) level {
	for n := len(f.open); n > 0; n = len(f.open) {
		top := f.open[n-1]
		if top.was == was && top.list == list {
			return top
		}
		if top.was < was || top.was == was && list {
			break
		}
		f.open = f.open[:n-1]
	}
	l := level{was: was, list: list}
	if n := len(f.open); n > 0 {
		l.will = f.open[n-1].will + step
	}
	f.open = append(f.open, l)
	return l
}

// leave closes all levels that a text which is indented by was is not in.
func (f *former) leave(was int) {
	for len(f.open) > 0 && f.top().was >= was {
		f.open = f.open[:len(f.open)-1]
	}
}

// top is the level that lines are in now; one around all where there is none.
func (f *former) top() level {
	if n := len(f.open); n > 0 {
		return f.open[n-1]
	}
	return level{was: -1, will: -step}
}

// entry forms the line at hand and all that carries on its value.
func (f *former) entry(body string, was int) {
	will, marks := f.will(was), ""
	for isItem(body) {
		f.enter(was, true)
		rest := strings.TrimLeft(body[1:], " ")
		if rest == "" || rest[0] == '#' {
			f.write(will, marks+body)
			return
		}
		marks += "- "
		was, body = was+len(body)-len(rest), rest
	}
	if key, tail, ok := cutKey(body); ok {
		f.enter(was, false)
		marks += key + ":"
		if body = strings.TrimLeft(tail, " "); body == "" || body[0] == '#' {
			f.write(will, marks+tail)
			return
		}
		marks += " "
	} else if marks == "" {
		f.leave(was)
	}
	f.value(will, marks, body)
}

// cutKey cuts a line behind its key.
func cutKey(body string) (key, tail string, ok bool) {
	from := 0
	switch body[0] {
	case '"', '\'':
		if from = closing(body); from < 0 {
			return "", "", false
		}
	case '[', '{', '|', '>':
		return "", "", false
	}
	end := len(body)
	if i := strings.Index(body[from:], " #"); i >= 0 {
		end = from + i
	}
	i := strings.Index(body[from:end]+" ", ": ")
	if i < 0 || body[0] == '"' && strings.TrimSpace(body[from:from+i]) != "" {
		return "", "", false
	}
	return strings.TrimRight(body[:from+i], " "), body[from+i+1:], true
}

func (f *former) write(indent int, line string) {
	f.out = append(f.out, spaces(indent)+line)
	f.at++
}

func isItem(body string) bool { return body == "-" || strings.HasPrefix(body, "- ") }

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
