package describe_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/describe"
)

var update = flag.Bool("update", false, "write gateway.schema.json and the tables of docs/configuration.md")

const (
	schemaFile = "../../../gateway.schema.json"
	manual     = "../../../docs/configuration.md"
)

func open(t *testing.T) *describe.Book {
	t.Helper()
	book, err := describe.Open(config.Sources())
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// TestSchema: the file at the top is what the structs say.
func TestSchema(t *testing.T) {
	t.Parallel()
	got, err := open(t).Schema()
	if err != nil {
		t.Fatal(err)
	}
	same(t, schemaFile, string(got))
}

// TestManual: each key is in the tables of the manual, as the structs say.
func TestManual(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(t).Fill(string(page))
	if err != nil {
		t.Fatal(err)
	}
	same(t, manual, got)
}

func same(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is out of date: go test ./gateway/config/describe -update", file)
	}
}

// TestFillRefuses: what is missing is told.
func TestFillRefuses(t *testing.T) {
	t.Parallel()
	bare, err := describe.Open(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		book *describe.Book
		page string
		want string
	}{
		"no comment": {bare, "<!-- keys of Config -->\n<!-- end -->", "Retry.GiveUpAfter has no comment"},
		"no table":   {open(t), "<!-- keys of Server -->\n<!-- end -->", "Retry has no table"},
		"no struct":  {open(t), "<!-- keys of Sever -->\n<!-- end -->", "there is no struct Sever"},
	} {
		if _, err := c.book.Fill(c.page); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
