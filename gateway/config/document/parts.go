package document

import (
	"fmt"
	"slices"
	"strings"
)

// Join lets another document answer for one entry, such as routes.deploy-main,
// and all below it: one that is included, or laid over this one.
func (f *File) Join(entry string, part *File) {
	if f.parts == nil {
		f.parts, f.joined = map[string]*File{}, map[string][]string{}
	}
	if f.parts[entry] == nil {
		section, name, _ := strings.Cut(entry, ".")
		f.joined[section] = append(f.joined[section], name)
	}
	f.parts[entry] = part
}

// Leave undoes Join.
func (f *File) Leave(entry string) {
	delete(f.parts, entry)
	section, name, _ := strings.Cut(entry, ".")
	f.joined[section] = slices.DeleteFunc(f.joined[section], func(n string) bool { return n == name })
}

// Part is the document that answers for an entry.
func (f *File) Part(entry string) *File { return f.of(entry) }

// EntryOf is the entry that a path leads into: of routes.deploy-main.events[0]
// it is routes.deploy-main. Names have neither dots nor brackets.
func EntryOf(path string) string {
	section, name, _ := strings.Cut(path, ".")
	if end := strings.IndexAny(name, ".["); end >= 0 {
		name = name[:end]
	}
	return section + "." + name
}

// of is the document that a path leads into.
func (f *File) of(path string) *File {
	if len(f.parts) == 0 {
		return f
	}
	if part := f.parts[EntryOf(path)]; part != nil {
		return part
	}
	return f
}

// Keys lists the keys of the map at path in the order of the file, then those
// that other documents have joined.
func (f *File) Keys(path string) (names []string) {
	in := f.of(path)
	if found := in.find(path); found.exact {
		if n := Resolve(found.Value); n != nil {
			for _, e := range in.Entries(n) {
				names = append(names, e.Key.Value)
			}
		}
	}
	return append(names, f.joined[path]...)
}

// Name is the name of the file in which a path stands.
func (f *File) Name(path string) string { return f.of(path).source.file }

// Place says where path stands, for messages in a file such as "defined at line
// 13"; in another file it is "routes.d/deploy.yaml:13".
func (f *File) Place(path, seen string) string {
	in := f.of(path)
	line := in.spot(in.find(path)).line
	if in.source.file == seen {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", in.source.file, line)
}

// Shown is the text of this file alone as it may be kept: whole, or else with
// literal secrets starred out, each character by one star.
func (f *File) Shown() (text string, whole bool) {
	if slices.Equal(f.source.lines, f.source.shown) {
		return f.text, true
	}
	end := "\n"
	if strings.Contains(f.text, "\r\n") {
		end = "\r\n"
	}
	text = strings.Join(f.source.shown, end)
	if strings.HasPrefix(f.text, mark) {
		text = mark + text
	}
	return text, false
}

// mark may stand before a text in UTF-8.
const mark = "\xef\xbb\xbf"

// Values is what the document and all that joined it have under some keys, as
// JSON would have it, with references as they are written. Aliases are written
// out: the keys are to be those that a decoder has bounded.
func (f *File) Values(sections []string) map[string]any {
	all := map[string]any{}
	for _, section := range sections {
		if v := f.Plain(section); v != nil {
			all[section] = v
		}
	}
	for section, names := range f.joined {
		entries, ok := all[section].(map[string]any)
		if !ok && len(names) > 0 {
			entries = map[string]any{}
			all[section] = entries
		}
		for _, name := range names {
			entries[name] = f.Plain(section + "." + name)
		}
	}
	return all
}
