package hindsight

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// bar shows how far a replay has come: by time, since nobody has counted what is
// still ahead.
type bar struct {
	to           io.Writer
	moves, shown bool
	since, until time.Time
}

const barWidth = 24

// show draws it anew where a cursor is; empty is nowhere that is known.
func (b *bar) show(cursor, says string) {
	if !b.moves {
		return
	}
	b.shown = true
	fmt.Fprintf(b.to, "\r\x1b[K%s%s", b.drawn(cursor), says)
}

func (b *bar) drawn(cursor string) string {
	seq, ok := store.ParseID(cursor)
	if !ok {
		return ""
	}
	at := store.TimeOf(seq)
	if b.since.IsZero() {
		b.since = at // as far as is known
	}
	all := b.until.Sub(b.since)
	if all <= 0 {
		return ""
	}
	done := max(0, min(1, float64(at.Sub(b.since))/float64(all)))
	full := int(done * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f%%  ", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done*100)
}

// end leaves the line to what comes next.
func (b *bar) end() {
	if b.shown {
		b.shown = false
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}
