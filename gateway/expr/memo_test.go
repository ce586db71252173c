package expr

import (
	"runtime"
	"testing"
	"time"
)

// One source is one program for as long as anybody uses it, whatever it is for.
func TestMemo(t *testing.T) {
	e := New()
	known := func() int {
		e.memo.mu.Lock()
		defer e.memo.mu.Unlock()
		return len(e.memo.known)
	}
	first, err := e.Text("event.id")
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Text("event.id")
	if err != nil || again.program != first.program {
		t.Errorf("compiled twice: %v", err)
	}
	if _, err := e.Condition("event.id"); err == nil {
		t.Error("a text is taken for a condition, because it was known as a text")
	}
	if _, err := e.Template(map[string]any{"id": "${{ event.subject }}"}); err != nil || known() != 2 {
		t.Errorf("%d known, want 2: %v", known(), err)
	}
	for range 100 { // what nobody uses goes, when the runtime gets to it
		runtime.GC()
		if known() == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if known() != 1 || e.memo.get("event.id") != first.program {
		t.Errorf("%d known, want the one in use", known())
	}
	runtime.KeepAlive(first)
}
