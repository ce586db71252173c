package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// beat is how often a follower hears at least something, so that proxies
	// and clients know that both ends are there.
	beat = 15 * time.Second
	// writeTime is what a client gets to take what was written.
	writeTime = 10 * time.Second
)

// Serve writes what a follower is told as server-sent events, until the client
// goes away, the hub closes, the follower is lost, or still, asked at every
// beat, denies it.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, f *Follower, still func() bool) {
	out := writer{w: w, control: http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{}) // one that passes would end the request
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it back
	if r.Method == http.MethodHead {
		return // or the connection would be taken for ever, for nothing
	}
	ticks := time.NewTicker(beat)
	defer ticks.Stop()
	for err := out.line(": connected\nretry: 2000"); err == nil; {
		select {
		case m := <-f.Messages():
			err = out.message(m)
		case <-f.Lost():
			_ = out.line("event: dropped\ndata: {\"reason\":\"you were too slow; ask for the lists again, then follow again\"}")
			return
		case <-ticks.C:
			if !still() {
				return
			}
			err = out.line(": still here")
		case <-r.Context().Done():
			return
		case <-h.Closed():
			return
		}
	}
}

type writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (o writer) message(m Message) error {
	text, err := json.Marshal(m.Body)
	if err != nil {
		return fmt.Errorf("live: %s: %w", m.Kind, err)
	}
	return o.line(fmt.Sprintf("event: %s\ndata: %s", m.Kind, text))
}

// line writes one block and has it sent.
func (o writer) line(text string) error {
	_ = o.control.SetWriteDeadline(time.Now().Add(writeTime)) // a writer without deadlines, in tests, needs none
	if _, err := o.w.Write([]byte(text + "\n\n")); err != nil {
		return err
	}
	return o.control.Flush()
}
