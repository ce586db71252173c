package screen

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// FuzzYAML has whatever a sender wrote come back from the YAML as it was.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"", "a: b", "\n x", "<<", "\u2028", "2026-01-31", "- \t#", "'\"", "\ufeff", "a\n b\n\nc"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := map[string]any{"k": strings.ToValidUTF8(text, "\ufffd")}
		s, out := newScreen(YAML)
		if err := s.Show(want, nil); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := yaml.Unmarshal(out.Bytes(), &got); err != nil || !reflect.DeepEqual(want, got) {
			told, _ := json.Marshal(want)
			t.Errorf("%s printed %q, read as %q, %v", told, out, got, err)
		}
	})
}
