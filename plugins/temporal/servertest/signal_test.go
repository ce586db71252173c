package servertest

import (
	"testing"

	"go.temporal.io/api/enums/v1"
)

// A delivery signals once, however often it comes, also when its workflow has
// ended meanwhile.
func TestSignal(t *testing.T) {
	serve(t)
	e := configured(t, "", `{"item":{"mode":"signal","signal":"item","id":"basket-{input.basket}"}}`)
	begin(t, "basket-1", "Collect")
	send := func(key, item string, attempt int32) {
		e.start(call{key: key, workflow: "item", input: `{"basket":1,"item":"` + item + `"}`, attempt: attempt})
	}
	for attempt := range int32(3) {
		send("signal-a", "a", attempt)
		if h := e.handed(); h.WorkflowID != "basket-1" || !h.AlreadyStarted {
			t.Errorf("%+v", h)
		}
	}
	send("signal-b", "b", 1)
	e.handed()
	if n := signals(t, "basket-1"); n != 2 {
		t.Errorf("%d signals of two deliveries", n)
	}
	send("signal-end", "end", 1)
	e.handed()
	status(t, "basket-1", enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	send("signal-end", "end", 2)
	e.handed()
	send("signal-late", "c", 1)
	e.ends("permanent", `workflow "basket-1" has ended: completed`)
	var got []string
	if err := temporalClient().GetWorkflow(t.Context(), "basket-1", "").Get(t.Context(), &got); err != nil || len(got) != 3 {
		t.Errorf("the workflow got %q, %v", got, err)
	}
}

// The first delivery starts the workflow, the others find it; one that comes
// again when the workflow has ended starts none, a new one does.
func TestSignalWithStart(t *testing.T) {
	serve(t)
	e := configured(t, "", `{
		"item":{"mode":"signal-with-start","signal":"item","type":"Collect","id":"cart-{input.cart}"},
		"strict":{"mode":"signal-with-start","signal":"item","type":"Collect","id":"cart-{input.cart}","reuse":"never"},
		"failed":{"mode":"signal-with-start","signal":"item","type":"Collect","id":"cart-{input.cart}","reuse":"failed"}}`)
	send := func(key, workflow, item string) {
		e.start(call{key: key, workflow: workflow, input: `{"cart":1,"item":"` + item + `"}`})
	}
	send("sws-a", "item", "a")
	first := e.handed()
	if first.WorkflowID != "cart-1" || first.AlreadyStarted {
		t.Errorf("%+v", first)
	}
	for range 2 {
		send("sws-a", "item", "a")
		if h := e.handed(); h.RunID != first.RunID {
			t.Errorf("%+v", h)
		}
	}
	if n := signals(t, "cart-1"); n != 1 {
		t.Errorf("%d signals of one delivery", n)
	}
	send("sws-end", "item", "end")
	if h := e.handed(); !h.AlreadyStarted || h.RunID != first.RunID {
		t.Errorf("%+v", h)
	}
	status(t, "cart-1", enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	for _, key := range []string{"sws-a", "sws-end"} {
		send(key, "item", "again")
		if h := e.handed(); h.RunID != first.RunID {
			t.Errorf("%s again, after the end: %+v", key, h)
		}
	}
	send("sws-strict", "strict", "b")
	e.ends("permanent", `workflow "cart-1" has ended: completed`)
	send("sws-failed", "failed", "b")
	e.ends("permanent", `workflow "cart-1" has ended: completed, and reuse is "failed"`)
	runs(t, "cart-1", 1)
	send("sws-new", "item", "end")
	if h := e.handed(); h.AlreadyStarted || h.RunID == first.RunID {
		t.Errorf("a new one: %+v", h)
	}
	runs(t, "cart-1", 2)
}
