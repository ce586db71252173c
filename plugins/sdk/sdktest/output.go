package sdktest

import (
	"bytes"
	"strings"
	"sync"
)

// keptStderr is how much is kept of the beginning of a standard error, in
// bytes, and shownStderr how much of its end is shown.
const (
	keptStderr  = 1 << 20
	shownStderr = 2 << 10
)

// output keeps the beginning and the end of what an engine says.
type output struct {
	limit int
	mu    sync.Mutex
	head  bytes.Buffer
	tail  []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.head.Write(b[:min(len(b), max(0, o.limit-o.head.Len()))])
	o.tail = append(o.tail, b[max(0, len(b)-shownStderr):]...)
	o.tail = o.tail[max(0, len(o.tail)-shownStderr):]
	return len(b), nil
}

// String is the beginning.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.head.String()
}

// last is the end, in whole lines where it has several.
func (o *output) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.ToValidUTF8(string(o.tail), "\uFFFD")
	if len(o.tail) == shownStderr {
		if _, rest, cut := strings.Cut(text, "\n"); cut {
			text = rest
		}
	}
	return text
}
