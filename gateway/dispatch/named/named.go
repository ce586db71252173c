// Package named keeps things by name, and in the order of their names: who goes
// over them finds them as they were, and not as a map has them, by chance. It is
// a part of dispatch.
package named

import "slices"

// Map is things of one kind, each with a name. The zero value has none.
type Map[T any] struct {
	of    map[string]T
	names []string
	list  []T
}

// Get finds a thing; without one of that name it is the zero value.
func (m *Map[T]) Get(name string) T { return m.of[name] }

// Len is how many there are.
func (m *Map[T]) Len() int { return len(m.list) }

// All are the things in the order of their names. It is not to be changed, and
// good until the next Put or Delete.
func (m *Map[T]) All() []T { return m.list }

// Put takes a thing in, in the place of one that has its name.
func (m *Map[T]) Put(name string, thing T) {
	if m.of == nil {
		m.of = map[string]T{}
	}
	m.of[name] = thing
	i, found := slices.BinarySearch(m.names, name)
	if found {
		m.list[i] = thing
		return
	}
	m.names, m.list = slices.Insert(m.names, i, name), slices.Insert(m.list, i, thing)
}

// Delete removes a thing, if there is one.
func (m *Map[T]) Delete(name string) {
	if i, found := slices.BinarySearch(m.names, name); found {
		m.names, m.list = slices.Delete(m.names, i, i+1), slices.Delete(m.list, i, i+1)
		delete(m.of, name)
	}
}
