package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/event-gateway/gateway/gateway/event"
)

// line is one line of `match`: a place in the event and what it may hold.
type line struct {
	path   string
	root   string
	keys   []string
	accept []any
}

// roots of a path, with the cost of looking there.
func rootCost(root string) (cost int, ok bool) {
	switch root {
	case "id", "type", "source", "subject":
		return 0, true
	case "headers", "query", "extensions":
		return 1, true
	case "data":
		return 2, true
	}
	return 0, false
}

func (l line) cost() int {
	cost, _ := rootCost(l.root)
	return cost
}

func parseLine(path string, accept []any) (line, error) {
	parts := strings.Split(strings.TrimPrefix(path, "event."), ".")
	l := line{path: path, root: parts[0], keys: parts[1:], accept: accept}
	cost, ok := rootCost(l.root)
	switch {
	case !ok:
		return l, fmt.Errorf("a path starts with data, headers, query, extensions, id, type, source or subject, not %q", l.root)
	case slices.Contains(l.keys, ""):
		return l, errors.New("a path has no empty part")
	case cost == 0 && len(l.keys) > 0:
		return l, fmt.Errorf("%s is a text, it has no %q", l.root, l.keys[0])
	case cost == 1 && len(l.keys) != 1:
		return l, fmt.Errorf("%s needs one name after it, such as %s.x-name", l.root, l.root)
	case len(accept) == 0:
		return l, errors.New("an empty list can never match")
	}
	if l.root == "headers" {
		l.keys[0] = strings.ToLower(l.keys[0])
	}
	return l, nil
}

// holds tells whether the event has an accepted value at the path. A path
// that leads nowhere holds null.
func (l *line) holds(ev *event.Event) (bool, error) {
	value, err := l.value(ev)
	if err != nil {
		return false, fmt.Errorf("match.%s: %w", l.path, err)
	}
	for _, want := range l.accept {
		if Equal(value, want) {
			return true, nil
		}
	}
	return false, nil
}

func (l *line) value(ev *event.Event) (any, error) {
	switch l.root {
	case "id":
		return ev.ID, nil
	case "type":
		return ev.Type, nil
	case "source":
		return ev.Source, nil
	case "subject":
		return ev.Subject, nil
	case "headers":
		return entry(ev.Headers, l.keys[0]), nil
	case "query":
		return entry(ev.Query, l.keys[0]), nil
	case "extensions":
		return entry(ev.Extensions, l.keys[0]), nil
	}
	return ev.Look(l.keys)
}

func entry(m map[string]string, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return nil
}

// Equal compares scalars of the same kind; numbers by value, exactly.
func Equal(a, b any) bool {
	x, xNumber := a.(json.Number)
	y, yNumber := b.(json.Number)
	if xNumber && yNumber {
		return x == y || sameNumber(string(x), string(y))
	}
	switch a.(type) {
	case string, bool, nil:
		return a == b
	}
	return false
}

// sameNumber compares two spellings. Exponents beyond any sense are not
// expanded: 1e999999999 would fill the memory.
func sameNumber(a, b string) bool {
	if len(a) > 64 || len(b) > 64 {
		return false
	}
	x, err := strconv.ParseFloat(a, 64)
	if err != nil {
		return false
	}
	y, err := strconv.ParseFloat(b, 64)
	if err != nil || x != y {
		return false
	}
	p, ok := new(big.Rat).SetString(a)
	q, ok2 := new(big.Rat).SetString(b)
	return ok && ok2 && p.Cmp(q) == 0
}
