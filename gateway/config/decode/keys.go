package decode

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// keys are what a struct of config.go knows about its keys.
type keys struct {
	fields map[string]reflect.StructField
	order  []string
	later  []string // keys of later versions
	apart  []string // keys of another kind of file
	scalar string   // the key that a lone scalar stands for
}

// keysOf reads the tags of a struct, once.
func (d *decoder) keysOf(t reflect.Type) *keys {
	if d.known == nil {
		d.known = map[reflect.Type]*keys{}
	}
	if d.known[t] == nil {
		d.known[t] = knownKeys(t)
	}
	return d.known[t]
}

func knownKeys(t reflect.Type) *keys {
	k := &keys{fields: map[string]reflect.StructField{}}
	for f := range t.Fields() {
		if key := f.Tag.Get("yaml"); key != "" {
			k.fields[key] = f
			k.order = append(k.order, key)
		}
		if later := f.Tag.Get("later"); later != "" {
			k.later = strings.Split(later, ",")
		}
		if apart := f.Tag.Get("apart"); apart != "" {
			k.apart = strings.Split(apart, ",")
		}
		if scalar := f.Tag.Get("scalar"); scalar != "" {
			k.scalar = scalar
		}
	}
	return k
}

// unknown words the problem of a key that is not in the struct.
func (k *keys) unknown(key string) (message, hint string) {
	if slices.Contains(k.later, key) {
		return "is not supported by this version", ""
	}
	if slices.Contains(k.apart, key) {
		return "cannot be in an included file", "put it into the file that includes this one"
	}
	if meant := k.meant(key); meant != "" {
		return fmt.Sprintf("unknown key %q", key), DidYouMean(meant)
	}
	return fmt.Sprintf("unknown key %q", key), "known here: " + strings.Join(k.order, ", ")
}

// meant is the key that was perhaps meant by one that is not in the struct.
func (k *keys) meant(key string) string {
	for _, name := range k.order {
		if slices.Contains(strings.Split(k.fields[name].Tag.Get("aka"), ","), strings.ToLower(key)) {
			return name
		}
	}
	return Nearest(key, k.order)
}

// DidYouMean words a hint.
func DidYouMean(name string) string { return fmt.Sprintf("did you mean %q?", name) }

// Nearest returns the candidate that a typist may have meant: at most one
// slip in three letters away.
func Nearest(word string, candidates []string) string {
	best, found := max(1, len(word)/3)+1, ""
	for _, c := range candidates {
		if dist := distance(strings.ToLower(word), strings.ToLower(c)); dist < best {
			best, found = dist, c
		}
	}
	return found
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to get from a to b. Long words are not worth the time.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1 << 10
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
