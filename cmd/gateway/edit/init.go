package edit

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"text/template"

	"github.com/spf13/cobra"
)

//go:embed start
var start embed.FS

// begun are the files of a beginning, and where they come from; the schema is made.
func begun() []struct{ name, from string } {
	return []struct{ name, from string }{
		{"gateway.yaml", "start/gateway.yaml"}, {"gateway.schema.json", ""}, {"workflows/hello.sh", "start/workflows/hello.sh"},
		{"tests/routes.yaml", "start/tests/routes.yaml"}, {".github/workflows/gateway.yaml", "start/github/gateway.yaml"},
		{".gitignore", "start/gitignore"},
	}
}

// started is what init tells.
type started struct {
	Dir string `json:"dir"`
	// Files were written, Kept were there before.
	Files []string `json:"files"`
	Kept  []string `json:"kept"`
	// Engine is where the exec engine is; empty when it was not found.
	Engine string `json:"engine,omitempty"`
}

func (d *Desk) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [FOLDER]", Short: "Begin a configuration that validates, passes its tests and runs", Args: cobra.MaximumNArgs(1),
		Long: `Begin a configuration: gateway.yaml with comments, its JSON Schema for editors, a
workflow, test cases, a workflow for GitHub that checks all of it, and .gitignore.
A file that is there already stays as it is; with a gateway.yaml there, nothing is
written.`,
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return d.begin(dir)
		},
	}
}

func (d *Desk) begin(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, "gateway.yaml")); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fmt.Errorf("%s is there already: nothing was written", filepath.Join(dir, "gateway.yaml")))
	}
	s := started{Dir: dir, Files: []string{}, Kept: []string{}, Engine: findExec()}
	for _, f := range begun() {
		text, err := d.fill(f.from, s.Engine)
		if err != nil {
			return err
		}
		err = write(filepath.Join(dir, filepath.FromSlash(f.name)), text)
		switch {
		case errors.Is(err, fs.ErrExist):
			s.Kept = append(s.Kept, f.name)
		case err != nil:
			return err
		default:
			s.Files = append(s.Files, f.name)
		}
	}
	return d.Show(s, func() { d.tell(s) })
}

func (d *Desk) tell(s started) {
	for _, name := range s.Files {
		fmt.Fprintf(d.Out, "wrote  %s\n", filepath.Join(s.Dir, name))
	}
	for _, name := range s.Kept {
		fmt.Fprintf(d.Out, "kept   %s, which was there\n", filepath.Join(s.Dir, name))
	}
	if s.Engine == "" {
		fmt.Fprint(d.Out, "\nThe exec engine was not found beside this program: say where it is with GATEWAY_ENGINES, a folder.\n")
	}
	fmt.Fprint(d.Out, "\nNext:\n\n")
	if s.Dir != "." {
		fmt.Fprintf(d.Out, "  cd %s\n", s.Dir)
	}
	fmt.Fprint(d.Out, "  gateway validate --engines\n  gateway test\n  gateway run   # and in another shell:\n"+
		"  gateway send --webhook hello --data '{\"name\":\"Ada\"}'\n")
}

// findExec is the folder of the exec engine: beside this program, as `make
// build` and as `go install` put it there.
func findExec() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	for _, dir := range []string{filepath.Join(filepath.Dir(program), "plugins"), filepath.Dir(program)} {
		if info, err := os.Stat(filepath.Join(dir, "exec")); err == nil && info.Mode().IsRegular() {
			return dir
		}
	}
	return ""
}

// fill fills in one of the files.
func (d *Desk) fill(from, engines string) ([]byte, error) {
	if from == "" {
		return schemaText()
	}
	text, err := start.ReadFile(from)
	if err != nil {
		return nil, err
	}
	t, err := template.New(from).Delims("<%", "%>").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]string{
		"Plugin": fmt.Sprintf("%q", "${env:GATEWAY_ENGINES:-"+cmp.Or(engines, "./bin/plugins")+"}/exec"), "Version": d.release(),
	})
	return out.Bytes(), err
}

// release is what `go install` takes: this one, if it is one.
func (d *Desk) release() string {
	if regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(d.Version) {
		return d.Version
	}
	return "latest"
}

// write writes a new file; one that begins with #! is a program.
func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a configuration's folder is no secret
		return err
	}
	mode := fs.FileMode(0o644)
	if bytes.HasPrefix(text, []byte("#!")) {
		mode = 0o755
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
