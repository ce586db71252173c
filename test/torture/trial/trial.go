// Package trial is what the trials of torture share: what each is given, what
// it reports, and the table of all. It stands between the trials and the
// command that runs them.
package trial

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/event-gateway/gateway/test/ledger"
	"github.com/event-gateway/gateway/test/torture/site"
)

// Trial is one test of the matrix.
type Trial struct {
	// Name is its name in the matrix, Title what it does, in a few words.
	Name, Title string
	// Promises that it shows.
	Promises string
	// Figures by profile: how often it tries.
	Figures map[string]int
	Run     func(*Bench) error
}

// Bench is what a trial works with, and where its figures go. Problem, Recovered,
// Tries and Audit may be called from many goroutines.
type Bench struct {
	// Times is how often to try.
	Times int
	// Dir is a folder of its own.
	Dir      string
	Binaries site.Binaries
	// Self is the program that runs as tracer, too.
	Self string
	Rand *rand.Rand
	// Log tells how far it is.
	Log         func(format string, args ...any)
	began, told time.Time
	mu          sync.Mutex
	Result
}

// Result is the line of a trial in the table.
type Result struct {
	Trial    string        `json:"trial"`
	Title    string        `json:"title"`
	Promises string        `json:"promises"`
	Tried    int           `json:"tried"`
	Acked    int           `json:"acknowledged"`
	Lost     int           `json:"lost"`
	SameKey  int           `json:"repeated_same_key"`
	OtherKey int           `json:"repeated_other_key"`
	Slowest  time.Duration `json:"slowest_recovery_ns"`
	Took     time.Duration `json:"took_ns"`
	// Extra is what else was measured, in words.
	Extra    string   `json:"extra,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Problem reports that a promise was broken; the trial goes on.
func (b *Bench) Problem(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Problems = append(b.Problems, fmt.Sprintf(format, args...))
}

// Recovered notes how long a gateway took to be ready.
func (b *Bench) Recovered(took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Slowest = max(b.Slowest, took)
}

// Tries notes that it was tried n times more, and tells so once a minute.
func (b *Bench) Tries(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Tried += n
	if time.Since(b.told) >= time.Minute {
		b.told = time.Now()
		b.Log("torture: %s: %d tried after %s, %d problems", b.Trial, b.Tried, time.Since(b.began).Round(time.Second), len(b.Problems))
	}
}

// Each does something b.Times, so many at once, and counts how often it was
// done; n begins with 0. After an error nothing more is begun.
func (b *Bench) Each(atOnce int, do func(n int) error) error {
	var all sync.WaitGroup
	var next int
	var failed error
	for range atOnce {
		all.Go(func() {
			for {
				b.mu.Lock()
				n, over := next, next >= b.Times || failed != nil
				next++
				b.mu.Unlock()
				if over {
					return
				}
				err := do(n)
				b.Tries(1)
				b.mu.Lock()
				failed = errors.Join(failed, err)
				b.mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// Site makes a gateway's folder.
func (b *Bench) Site(name, yaml string) (*site.Site, error) {
	return site.New(filepath.Join(b.Dir, name), b.Binaries, yaml)
}

// Audit compares what was acknowledged with what the engine of a site noted.
func (b *Bench) Audit(s *site.Site, acked map[string]time.Time) error {
	notes, err := ledger.Read(s.Journal())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	b.count(ledger.Audit{Acknowledged: len(acked)})
	for _, route := range []string{"any", "ordered"} {
		a := ledger.Count(notes, route, acked)
		b.count(ledger.Audit{Lost: a.Lost, SameKey: a.SameKey, OtherKey: a.OtherKey})
		if a.Lost > 0 || a.OtherKey > 0 {
			b.Problem("route %s: %s", route, a)
		}
		if a.Twice > 0 {
			b.Problem("route %s: one engine process began %d runs again that it had under way: two claims of one delivery", route, a.Twice)
		}
	}
	if _, wrong := ledger.Order(notes, "ordered"); len(wrong) > 0 {
		b.Problem("route ordered: %d runs out of order, the first: %s", len(wrong), wrong[0])
	}
	return nil
}

// count adds to the figures.
func (b *Bench) count(a ledger.Audit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Acked += a.Acknowledged
	b.Lost += a.Lost
	b.SameKey += a.SameKey
	b.OtherKey += a.OtherKey
}

// Do runs a trial. seed and name make its random numbers.
func (t *Trial) Do(b *Bench, seed uint64) Result {
	b.began = time.Now()
	b.told = b.began
	b.Rand = rand.New(rand.NewPCG(seed, hash(t.Name)))
	b.Trial, b.Title, b.Promises = t.Name, t.Title, t.Promises
	if err := t.Run(b); err != nil {
		b.Problem("%v", err)
	}
	b.Took = time.Since(b.began)
	return b.Result
}

func hash(name string) (n uint64) {
	for _, c := range []byte(name) {
		n = n*131 + uint64(c)
	}
	return n
}

// Print writes the table of results.
func Print(w io.Writer, results []Result) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "trial\t\ttried\tacknowledged\tlost\tsame key\tother key\tslowest recovery\ttook\t")
	for _, r := range results {
		verdict := "ok"
		if len(r.Problems) > 0 {
			verdict = "FAILED"
		}
		fmt.Fprintf(tab, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", r.Trial, r.Title, r.Tried, r.Acked, r.Lost, r.SameKey, r.OtherKey,
			r.Slowest.Round(time.Millisecond), r.Took.Round(time.Second), verdict)
	}
	_ = tab.Flush()
	for _, r := range results {
		if r.Extra != "" {
			fmt.Fprintf(w, "%s: %s\n", r.Trial, r.Extra)
		}
	}
	for _, r := range results {
		for i, p := range r.Problems {
			if i == 5 {
				fmt.Fprintf(w, "%s: and %d more\n", r.Trial, len(r.Problems)-i)
				break
			}
			fmt.Fprintf(w, "%s: PROBLEM: %s\n", r.Trial, excerpt(strings.TrimSpace(p)))
		}
	}
}

// excerpt is a text's beginning and, what mostly says why, its end.
func excerpt(text string) string {
	const first, last = 300, 1500
	if len(text) <= first+last {
		return text
	}
	return text[:first] + "\n...\n" + text[len(text)-last:]
}
