//go:build linux && amd64

package trials

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/event-gateway/gateway/test/torture/trial"
)

// Joined is a trial that is a test of another package, which an environment
// variable tells how often to try; what it says of its audits is counted.
type Joined struct {
	Package, Tests string
	// Variable has the test try often; without one it is run so often.
	Variable string
	// AtOnce, when set, is how many of its parts run at once.
	AtOnce int
}

// audited is what tests log of an audit; see ledger.Audit.
const audited = `acknowledged (\d+), runs \d+, lost (\d+), repeated under the same key (\d+), under another key (\d+)`

// Run runs the test.
func (j Joined) Run(b *trial.Bench) error {
	args := []string{"test", "-v", "-timeout", "5h", "-run", j.Tests, "-count", "1"}
	if j.Variable == "" {
		args[len(args)-1] = strconv.Itoa(b.Times)
	}
	if j.AtOnce > 0 {
		args = append(args, "-parallel", strconv.Itoa(j.AtOnce))
	}
	cmd := exec.Command("go", append(args, j.Package)...)
	cmd.Env = append(os.Environ(), fmt.Sprint(j.Variable, "=", b.Times), fmt.Sprint("E2E_SEED=", b.Rand.Uint64()))
	if j.Variable == "" {
		cmd.Env = os.Environ()
	}
	out, err := cmd.CombinedOutput()
	count(b, out)
	if !bytes.Contains(out, []byte("--- PASS")) {
		b.Problem("no test of %s passed", j.Package)
	}
	if err != nil {
		b.Problem("go test -run %q %s: %v\n%s", j.Tests, j.Package, err, complaints(out))
	}
	b.Tries(b.Times)
	return nil
}

// complaints are the lines of a test that failed which say why.
func complaints(out []byte) string {
	var text strings.Builder
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go:") || strings.Contains(line, "--- FAIL") || strings.HasPrefix(line, "panic") {
			text.WriteString(line)
		}
	}
	return text.String()
}

// count adds up what a test said of its audits.
func count(b *trial.Bench, out []byte) {
	for _, m := range regexp.MustCompile(audited).FindAllSubmatch(out, -1) {
		for i, sum := range []*int{&b.Acked, &b.Lost, &b.SameKey, &b.OtherKey} {
			n, _ := strconv.Atoi(string(m[i+1])) // the expression takes digits alone
			*sum += n
		}
	}
}
