package hindsight

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// The bar goes from the first event that it saw to the time at which the replay
// began, and draws nothing where nothing can move.
func TestBar(t *testing.T) {
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) string {
		return store.FormatID(store.SeqAt(noon.Add(time.Duration(minutes) * time.Minute)))
	}
	var out bytes.Buffer
	b := bar{to: &out, moves: true, until: noon.Add(time.Hour)}
	for _, c := range []struct {
		cursor, want string
	}{
		{at(0), "[" + strings.Repeat(" ", barWidth) + "]   0%  x"},
		{at(30), "[" + strings.Repeat("=", barWidth/2) + strings.Repeat(" ", barWidth/2) + "]  50%  x"},
		{at(90), "[" + strings.Repeat("=", barWidth) + "] 100%  x"},
		{"", "x"}, // a file: nobody knows how long it is
	} {
		out.Reset()
		if b.show(c.cursor, "x"); out.String() != "\r\x1b[K"+c.want {
			t.Errorf("%q, want %q", &out, c.want)
		}
	}
	out.Reset()
	b.moves = false
	if b.show(at(1), "x"); out.Len() > 0 {
		t.Errorf("drawn where it cannot move: %q", &out)
	}
}
