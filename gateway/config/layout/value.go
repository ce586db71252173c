package layout

import "strings"

// value forms a value that begins on the line at hand, behind a prefix, and may
// go on below.
func (f *former) value(will int, prefix, text string) {
	for text != "" && (text[0] == '&' || text[0] == '!') { // anchors and tags
		one, rest, more := strings.Cut(text, " ")
		prefix, text = prefix+one, strings.TrimLeft(rest, " ")
		if more {
			prefix += " "
		}
	}
	switch {
	case text == "" || text[0] == '#':
		f.write(will, prefix+text)
	case text[0] == '|' || text[0] == '>':
		f.block(will, prefix, text)
	case text[0] == '"' || text[0] == '\'' || text[0] == '[' || text[0] == '{':
		f.enclosed(will, prefix, text)
	default:
		f.plain(will, prefix+text)
	}
}

// block moves a | or > block as a whole.
func (f *former) block(will int, prefix, header string) {
	f.write(will, prefix+header)
	top := f.top()
	first, _, _ := strings.Cut(header, " ")
	from, to := -1, top.will+step
	if i := strings.IndexAny(first, "123456789"); i >= 0 { // how far it is indented
		from, to = top.was+int(first[i]-'0'), top.will+int(first[i]-'0')
	}
	end := f.at
	for i := f.at; i < len(f.lines); i++ {
		if strings.Trim(f.lines[i], " ") == "" {
			continue
		}
		indent := indentOf(f.lines[i])
		if indent <= top.was || indent < from {
			break
		}
		if from < 0 {
			from = indent
		}
		end = i + 1
	}
	for strings.Contains(first, "+") && end < len(f.lines) && strings.Trim(f.lines[end], " ") == "" {
		end++ // blank lines at its end are part of it
	}
	for ; f.at < end; f.at++ {
		f.out = append(f.out, moved(f.lines[f.at], from, to))
	}
}

// moved is a line of a block. Of a blank one that is further in the rest is text.
func moved(line string, from, to int) string {
	if len(line) <= from && strings.Trim(line, " ") == "" {
		return ""
	}
	return spaces(to) + line[min(max(from, 0), len(line)):]
}

// plain carries a plain text on, over the lines that are further in.
func (f *former) plain(will int, line string) {
	f.write(will, line)
	top := f.top()
	for end := f.at; end < len(f.lines); end++ {
		body := strings.Trim(f.lines[end], " \t")
		if body == "" {
			continue // part of the text, if more of it follows
		}
		if body[0] == '#' || indentOf(f.lines[end]) <= top.was {
			return
		}
		for f.at < end {
			f.write(0, "")
		}
		f.write(top.will+step, body)
	}
}

// enclosed forms what is between quotes or brackets, over as many lines as it
// takes.
func (f *former) enclosed(will int, prefix, text string) {
	e := enclosure{fresh: true}
	base := f.top().will
	f.write(will, prefix+e.line(text))
	for !e.closed && f.at < len(f.lines) {
		text := strings.Trim(f.lines[f.at], " \t")
		switch {
		case text == "" && e.quote == 0:
			f.blank()
			f.at++
		case text == "":
			f.write(0, "") // in a quoted text it counts
		case e.depth == 0:
			f.write(base+step, e.line(text))
		case e.quote != 0:
			f.write(base+step*e.depth, e.line(text))
		default:
			closers := len(text) - len(strings.TrimLeft(text, "]}"))
			f.write(base+step*max(e.depth-closers, 0), e.line(text))
		}
	}
}
