// Package trace is what an engine under trial leaves: what it wrote, and the
// processes that it started.
package trace

import (
	"bytes"
	"strings"
	"sync"
)

// kept is how much is kept of the beginning, in bytes, and shown of the end.
const (
	kept  = 1 << 20
	shown = 2 << 10
)

// Output keeps the beginning and the end of what an engine says.
type Output struct {
	mu   sync.Mutex
	head bytes.Buffer
	tail []byte
}

func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.head.Write(b[:min(len(b), max(0, kept-o.head.Len()))])
	o.tail = append(o.tail, b[max(0, len(b)-shown):]...)
	o.tail = o.tail[max(0, len(o.tail)-shown):]
	return len(b), nil
}

// String is the beginning.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.head.String()
}

// Last is the end, in whole lines where it has several.
func (o *Output) Last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.ToValidUTF8(string(o.tail), "\uFFFD")
	if len(o.tail) == shown {
		if _, rest, cut := strings.Cut(text, "\n"); cut {
			text = rest
		}
	}
	return text
}
