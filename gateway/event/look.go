package event

import "strconv"

// mostLooks is how often JSON is read for a single value before all of it is
// decoded.
const mostLooks = 3

// Look is what a path of member names and list indices leads to in Data, nil
// when it leads nowhere. A few looks cost less than decoding a body.
func (e *Event) Look(path []string) (any, error) {
	if len(path) > 0 && len(e.Body) > 0 && !e.decoded.Load() && Kind(e.ContentType) == KindJSON && e.looks.Add(1) <= mostLooks {
		return readJSON(e.Body, wanted{path: path})
	}
	data, err := e.Data()
	for _, key := range path {
		data = step(data, key)
	}
	return data, err
}

// step goes one part down: a member of an object or an element of a list.
func step(data any, key string) any {
	switch d := data.(type) {
	case map[string]any:
		return d[key]
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(d) {
			return d[i]
		}
	}
	return nil
}

// wanted is what a reader is after: all of a value, what a path leads to, or,
// with neither, to know that it is one.
type wanted struct {
	all  bool
	path []string
}

var everything = wanted{all: true}

// member is what is wanted of an object's member.
func (w wanted) member(key string) wanted {
	if w.all || len(w.path) == 0 || w.path[0] != key {
		return wanted{all: w.all}
	}
	return w.rest()
}

// element is what is wanted of a list's element.
func (w wanted) element(i int) wanted {
	if w.all || len(w.path) == 0 {
		return w
	}
	if at, err := strconv.Atoi(w.path[0]); err != nil || at != i {
		return wanted{}
	}
	return w.rest()
}

func (w wanted) rest() wanted { return wanted{all: len(w.path) == 1, path: w.path[1:]} }

// found tells whether what is wanted has been found in a part.
func (w wanted) found(part wanted) bool { return !w.all && (part.all || len(part.path) > 0) }

// only is a scalar when it is wanted. What leads on from it leads nowhere.
func (w wanted) only(v any) any {
	if w.all {
		return v
	}
	return nil
}

func whole(w wanted, list []any, found any) any {
	if w.all {
		return list
	}
	return found
}
