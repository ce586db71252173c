package named

import (
	"slices"
	"testing"
)

func TestMap(t *testing.T) {
	var m Map[int]
	m.Delete("nothing")
	for i, name := range []string{"c", "a", "d", "b"} {
		m.Put(name, i)
	}
	m.Put("a", 7) // in the place of the first
	if want := []int{7, 3, 0, 2}; !slices.Equal(m.All(), want) {
		t.Errorf("all are %v, want %v: by name", m.All(), want)
	}
	m.Delete("c")
	m.Delete("c")
	if want := []int{7, 3, 2}; !slices.Equal(m.All(), want) || m.Len() != 3 {
		t.Errorf("%d left, %v, want %v", m.Len(), m.All(), want)
	}
	if m.Get("d") != 2 || m.Get("c") != 0 {
		t.Errorf("d is %d and c, which has gone, %d", m.Get("d"), m.Get("c"))
	}
}
