package document

import "testing"

func TestSet(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a line of its own", "version: 1\nengines:\n  exec:\n    plugin: ./bin/x # ours\n    args: []\n",
			"version: 1\nengines:\n  exec:\n    plugin: ./bin/x # ours\n    sha256: \"new\"\n    args: []\n"},
		{"at the end of the file", "engines:\n  exec:\n    plugin: ./bin/x",
			"engines:\n  exec:\n    plugin: ./bin/x\n    sha256: \"new\"\n"},
		{"in its place", "engines:\n  exec:\n    sha256: old  # pinned\n    plugin: ./bin/x\n",
			"engines:\n  exec:\n    sha256: \"new\"  # pinned\n    plugin: ./bin/x\n"},
		{"quoted before", "engines: {exec: {plugin: 'x', sha256: 'o''ld', args: []}}\n",
			"engines: {exec: {plugin: 'x', sha256: \"new\", args: []}}\n"},
		{"in braces", "engines:\n  exec: {plugin: ./bin/x, args: [é]} # é\n",
			"engines:\n  exec: {plugin: ./bin/x, sha256: \"new\", args: [é]} # é\n"},
		{"behind wide characters", "engines: {é: {plugin: y}, exec: {plugin: \"ü}\"}}\n",
			"engines: {é: {plugin: y}, exec: {plugin: \"ü}\", sha256: \"new\"}}\n"},
		{"carriage returns", "engines:\r\n  exec:\r\n    plugin: x\r\n    env: {}\r\n",
			"engines:\r\n  exec:\r\n    plugin: x\r\n    sha256: \"new\"\r\n    env: {}\r\n"},
		{"a byte order mark", "\xef\xbb\xbfengines: {exec: {plugin: x}}\n", "\xef\xbb\xbfengines: {exec: {plugin: x, sha256: \"new\"}}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Set("gateway.yaml", []byte(tt.text), "engines.exec", "sha256", "plugin", "new")
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %q, %v\nwant %q", got, err, tt.want)
			}
			f, problems := Parse("gateway.yaml", got)
			if problems.Failed() || f.Scalar("engines.exec.sha256") != "new" {
				t.Errorf("read again: %q %v", f.Scalar("engines.exec.sha256"), problems)
			}
			again, err := Set("gateway.yaml", got, "engines.exec", "sha256", "plugin", "new")
			if err != nil || string(again) != string(got) {
				t.Errorf("set again: %q, %v", again, err)
			}
		})
	}
}

// What cannot be changed without guessing is left to its author.
func TestSetRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"an alias":          "x: &x {plugin: y}\nengines: {exec: *x}\n",
		"merged":            "x: &x {plugin: y}\nengines:\n  exec:\n    <<: *x\n",
		"several lines":     "engines:\n  exec:\n    plugin: >\n      ./bin/x\n    args: []\n",
		"an alias as value": "engines:\n  exec:\n    plugin: x\n    sha256: *y\nx: &y z\n",
		"no such engine":    "engines: {}\n",
		"not YAML":          "engines: {\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Set("gateway.yaml", []byte(text), "engines.exec", "sha256", "plugin", "new"); err == nil {
				t.Errorf("made %q", got)
			}
		})
	}
}
