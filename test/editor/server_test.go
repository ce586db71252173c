package editor

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// server is the YAML language server of npm, as editors run it.
type server struct {
	in  io.Writer
	out *bufio.Reader
	// schema is the URI of what all files are held against.
	schema string
}

// diagnostic is a mistake as an editor shows it; lines count from 0.
type diagnostic struct {
	Range struct {
		Start struct{ Line, Character int } `json:"start"`
	} `json:"range"`
	Message string `json:"message"`
}

// message is one of JSON-RPC.
type message struct {
	ID     *json.RawMessage `json:"id,omitempty"`
	Method string           `json:"method,omitempty"`
	Params json.RawMessage  `json:"params,omitempty"`
}

// start installs the language server as it is pinned, and introduces an editor.
func start(t *testing.T, root string) *server {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	node := exec.CommandContext(ctx, "node", filepath.Join(dir, "node_modules", "yaml-language-server", "bin", "yaml-language-server"), "--stdio")
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = node.Wait() // it was killed
	})
	s := &server{in: in, out: bufio.NewReaderSize(out, 1<<20), schema: "file://" + root + "/gateway.schema.json"}
	s.send(t, "initialize", 1, map[string]any{"processId": os.Getpid(), "rootUri": "file://" + root, "capabilities": map[string]any{}})
	for m := s.receive(t); m.ID == nil || m.Method != ""; m = s.receive(t) {
	}
	s.send(t, "initialized", 0, map[string]any{})
	return s
}

func (s *server) send(t *testing.T, method string, id int, params any) {
	t.Helper()
	m := map[string]any{"method": method, "params": params}
	if id > 0 {
		m["id"] = id
	}
	s.write(t, m)
}

func (s *server) write(t *testing.T, m map[string]any) {
	t.Helper()
	m["jsonrpc"] = "2.0"
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(s.in, "Content-Length: %d\r\n\r\n%s", len(text), text); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next message that is no question. The server asks for the
// editor's settings, and gets them.
func (s *server) receive(t *testing.T) message {
	t.Helper()
	for {
		m := s.read(t)
		if m.ID == nil || m.Method == "" {
			return m
		}
		var asked struct{ Items []struct{ Section string } }
		if err := json.Unmarshal(m.Params, &asked); err != nil {
			t.Fatal(err)
		}
		settings := make([]any, len(asked.Items))
		for i, item := range asked.Items {
			if item.Section == "yaml" {
				settings[i] = map[string]any{"validate": true, "schemas": map[string]any{s.schema: "*.yaml"}}
			}
		}
		s.write(t, map[string]any{"id": m.ID, "result": settings})
	}
}

func (s *server) read(t *testing.T) (m message) {
	t.Helper()
	head, err := textproto.NewReader(s.out).ReadMIMEHeader()
	if err != nil {
		t.Fatalf("the language server is gone: %v", err)
	}
	size, err := strconv.Atoi(head.Get("Content-Length"))
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(s.out, text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// open shows files to the server, and returns what it finds in each.
func (s *server) open(t *testing.T, texts map[string]string) map[string][]diagnostic {
	t.Helper()
	for uri, text := range texts {
		s.send(t, "textDocument/didOpen", 0, map[string]any{"textDocument": map[string]any{
			"uri": uri, "languageId": "yaml", "version": 1, "text": text,
		}})
	}
	found := map[string][]diagnostic{}
	for len(found) < len(texts) {
		m := s.receive(t)
		if m.Method != "textDocument/publishDiagnostics" {
			continue
		}
		var p struct {
			URI         string       `json:"uri"`
			Diagnostics []diagnostic `json:"diagnostics"`
		}
		if err := json.Unmarshal(m.Params, &p); err != nil {
			t.Fatal(err)
		}
		if _, ok := texts[p.URI]; ok {
			found[p.URI] = p.Diagnostics
		}
	}
	return found
}
