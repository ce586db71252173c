package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/event-gateway/gateway/gateway/config/files"
)

// FuzzParse: whatever the file, there is a document or a problem, every
// problem points into the file, and secrets of the environment never show.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		for _, file := range glob(f, pattern) {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, problems := parseText(text, testOptions())
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Col < 1 || p.EndCol < p.Col || p.Message == "" {
				t.Errorf("%+v in %d lines", p, lines)
			}
		}
		if !problems.Failed() && doc.Config.Version != 1 {
			t.Errorf("version %d without a problem", doc.Config.Version)
		}
		if strings.Contains(problems.Text(), "0123456789abcdef0") && !strings.Contains(text, "0123456789abcdef0") {
			t.Errorf("a secret shows:\n%s", problems.Text())
		}
		doc.ProblemIn("routes.r.when", 1, 3, "m", "")
		doc.Problem("webhooks.w.secrets[0].value", "m", "")
	})
}

// FuzzInclude: a configuration whose entries stand in several files is that of
// one file, and what is wrong with it is wrong in both.
func FuzzInclude(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		for _, file := range glob(f, pattern) {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text), uint64(0x5a5a5a5a5a5a5a5a))
			f.Add(string(text), uint64(0xe4e4e4e4e4e4e4e4))
		}
	}
	f.Fuzz(func(t *testing.T, text string, where uint64) {
		whole, parts, ok := divide(text, where)
		if !ok {
			t.Skip("not to be divided")
		}
		one, problems := parseText(whole, testOptions())
		known := map[string][]byte{}
		for name, text := range parts {
			known[absolute(name)] = []byte(text)
		}
		several, more := parse("gateway.yaml", files.Closed(known), testOptions())
		if a, b := said(problems), said(more); !slices.Equal(a, b) {
			t.Errorf("in one file:\n%s\nin several:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
		if !problems.Failed() {
			same(t, one, several)
		}
	})
}

// said is what is wrong without the places, which differ.
func said(problems Problems) (list []string) {
	lines := regexp.MustCompile(`(at|line) \S+`)
	for _, p := range problems {
		hint := p.Hint
		if strings.HasPrefix(hint, "did you mean") || strings.HasPrefix(hint, "known here") || strings.Contains(hint, "defined") {
			hint = "" // goes by the order of what there is
		}
		list = append(list, p.Path+": "+lines.ReplaceAllString(p.Message+" ("+hint+")", ""))
	}
	slices.Sort(list)
	return list
}

// divide writes a configuration once in one file and once in four: each bit of
// where says of an entry whether it stays.
func divide(text string, where uint64) (whole string, parts map[string]string, ok bool) {
	var root yaml.Node
	if yaml.Unmarshal([]byte(text), &root) != nil || root.Kind != yaml.DocumentNode || !plainTree(root.Content[0]) || root.Content[0].Kind != yaml.MappingNode {
		return "", nil, false
	}
	top := root.Content[0]
	main := &yaml.Node{Kind: yaml.MappingNode}
	included := []*yaml.Node{{Kind: yaml.MappingNode}, {Kind: yaml.MappingNode}, {Kind: yaml.MappingNode}}
	entries := 0
	for i := 0; i < len(top.Content); i += 2 {
		key, section := top.Content[i], top.Content[i+1]
		if key.Value == "include" || slices.ContainsFunc(top.Content[:i], func(n *yaml.Node) bool { return n.Value == key.Value }) {
			return "", nil, false
		}
		if !slices.Contains([]string{"engines", "webhooks", "schedules", "routes"}, key.Value) || section.Kind != yaml.MappingNode {
			main.Content = append(main.Content, key, section)
			continue
		}
		held := make([]*yaml.Node, 4)
		for j := 0; j < len(section.Content); j += 2 {
			n := where >> (2 * (entries % 32)) & 3
			if entries++; held[n] == nil {
				held[n] = &yaml.Node{Kind: yaml.MappingNode}
			}
			held[n].Content = append(held[n].Content, section.Content[j], section.Content[j+1])
		}
		for n, to := range append([]*yaml.Node{main}, included...) {
			if held[n] != nil {
				to.Content = append(to.Content, key, held[n])
			}
		}
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	parts = map[string]string{}
	for i, in := range included {
		if len(in.Content) > 0 {
			name := fmt.Sprintf("part-%d.yaml", i)
			parts[name] = written(in)
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name})
		}
	}
	main.Content = append([]*yaml.Node{{Kind: yaml.ScalarNode, Value: "include"}, list}, main.Content...)
	parts["gateway.yaml"] = written(main)
	return written(top), parts, entries > 0
}

func written(n *yaml.Node) string {
	text, err := yaml.Marshal(n)
	if err != nil {
		return ""
	}
	return string(text)
}

// plainTree: anchors hold within one file, comments may be moved, and a key that
// comes twice is told of differently.
func plainTree(n *yaml.Node) bool {
	n.HeadComment, n.LineComment, n.FootComment, n.Style = "", "", "", n.Style&^yaml.FlowStyle
	if n.Tag == "!!null" {
		n.Value = "null" // nothing at all is written as nothing in one place, as "" in another
	}
	seen := map[string]bool{}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if seen[child.Value] || child.Kind != yaml.ScalarNode || child.Value == "<<" {
				return false
			}
			seen[child.Value] = true
		}
		if !plainTree(child) {
			return false
		}
	}
	return n.Kind != yaml.AliasNode && n.Anchor == "" && n.Tag != "!!merge" && n.Style&yaml.TaggedStyle == 0
}
