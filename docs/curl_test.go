//go:build unix

package docs

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// curl makes the request that curl would make, with the options that the pages
// use.
func curl(args []string) int {
	method, url, body, head := "", "", "", http.Header{}
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-X":
			i++
			method = args[i]
		case arg == "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			head.Add(name, value)
		case arg == "-d":
			i++
			body = args[i]
		case arg == "-s" || arg == "-sS":
		default:
			url = arg
		}
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	r.Header = head
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 7
	}
	defer answer.Body.Close()
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		return 18
	}
	return 0
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
