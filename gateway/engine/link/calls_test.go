package link

import (
	"reflect"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk/message"
)

func newCalls() *calls { return &calls{byKey: make(map[string]*call)} }

func TestHeldUpdatesComeInOrder(t *testing.T) {
	t.Parallel()
	c := newCalls()
	var got []string
	held := &call{holding: true}
	held.report = func(u Update) {
		got = append(got, u.Step)
		if u.Step == "1" { // more comes while the first are let go
			c.deliver("k", Update{Kind: Progress, Step: "3"})
		}
	}
	if err := c.add("k", held); err != nil {
		t.Fatal(err)
	}
	c.deliver("k", Update{Kind: Progress, Step: "1"})
	c.deliver("k", Update{Kind: Progress, Step: "2"})
	if len(got) != 0 {
		t.Error("reported before Get has answered")
	}
	if !c.letGo("k", held, Update{Kind: Running}) {
		t.Error("the call is gone")
	}
	c.deliver("k", Update{Kind: Succeeded, Step: "4"})
	c.deliver("k", Update{Kind: Progress, Step: "late"})
	if want := []string{"1", "2", "3", "4"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestCloseWhileLettingGo: the link breaks while held updates are reported;
// the call still has one end.
func TestCloseWhileLettingGo(t *testing.T) {
	t.Parallel()
	c := newCalls()
	var got []UpdateKind
	held := &call{holding: true}
	held.report = func(u Update) {
		got = append(got, u.Kind)
		if u.Kind == Progress && len(c.close()) > 0 {
			t.Error("a held call was given to close")
		}
	}
	if err := c.add("k", held); err != nil {
		t.Fatal(err)
	}
	c.deliver("k", Update{Kind: Progress})
	c.deliver("k", Update{Kind: Progress})
	if !c.letGo("k", held, Update{Kind: Waiting}) {
		t.Error("the call was not attached")
	}
	if want := []UpdateKind{Progress, Lost}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if c.letGo("k", held, Update{Kind: Running}) || c.add("x", held) != ErrDown {
		t.Error("closed calls take more")
	}
}

func TestIdleDoesNotCountWaiting(t *testing.T) {
	t.Parallel()
	c := newCalls()
	is := func(idle <-chan struct{}) bool {
		select {
		case <-idle:
			return true
		default:
			return false
		}
	}
	if !is(c.whenIdle()) {
		t.Error("no call, and not idle")
	}
	for _, key := range []string{"a", "b"} {
		if err := c.add(key, &call{report: func(Update) {}}); err != nil {
			t.Fatal(err)
		}
	}
	idle := c.whenIdle()
	c.deliver("a", Update{Kind: Succeeded})
	if is(idle) {
		t.Error("idle with a call that runs")
	}
	c.deliver("b", Update{Kind: Waiting})
	if !is(idle) {
		t.Error("a waiting call keeps it from being idle")
	}
	c.answered("b")
	if is(c.whenIdle()) {
		t.Error("an answered call runs")
	}
	c.remove("b")
	if all, waiting := c.count(); all != 0 || waiting != 0 {
		t.Errorf("%d calls, %d wait", all, waiting)
	}
}

func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	o := newOutbox()
	for range maxOutbox {
		if err := o.put(queued{other: message.Cancel("k", "")}, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.put(queued{other: message.Cancel("k", "")}, false); err != ErrBusy {
		t.Errorf("a full queue says %v", err)
	}
	if err := o.put(queued{other: message.Cancel("k", "")}, true); err != nil {
		t.Errorf("no place for a cancel: %v", err)
	}
	<-o.wake
	if got := o.take(nil); len(got) != maxOutbox+1 {
		t.Errorf("took %d", len(got))
	}
	o.close()
	if err := o.put(queued{other: message.Cancel("k", "")}, true); err != ErrDown {
		t.Errorf("a closed queue says %v", err)
	}
}
