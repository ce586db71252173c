package expr

import (
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/event"
)

func TestExplain(t *testing.T) {
	ev := &event.Event{
		Type: "order", Source: "/webhooks/shop", Headers: map[string]string{"x-kind": "a"},
		Body: []byte(`{"amount":950,"currency":"EUR","items":[{"sku":"T-1"},{"sku":"T-2"}],"n":null}`),
	}
	for _, test := range []struct{ src, part, saw, err string }{
		{`event.data.amount > 10`, ``, ``, ``},
		{`event.data.amount >= 1000`, `event.data.amount >= 1000`, `event.data.amount=950`, ``},
		{`event.data.amount > 10 && event.data.currency == "USD"`, `event.data.currency == "USD"`, `event.data.currency="EUR"`, ``},
		{`event.type == "x" && event.data.currency == "USD"`, `event.type == "x"`, `event.type="order"`, ``},
		{`event.data.none.more == 1 && event.data.currency == "USD"`, `event.data.currency == "USD"`, `event.data.currency="EUR"`, ``},
		{`event.data.amount > 10 && event.data.none == 1`, `event.data.none == 1`, `event.data.none: no such key: none`, `no such key: none`},
		{`event.data.amount < 10 || event.headers["x-kind"] == "b"`, `event.data.amount < 10 || event.headers["x-kind"] == "b"`, `event.data.amount=950 event.headers["x-kind"]="a"`, ``},
		{`!(event.source in ["/a", "/webhooks/shop"])`, `!(event.source in ["/a", "/webhooks/shop"])`, `event.source="/webhooks/shop"`, ``},
		{`event.data.items.exists(i, i.sku == "T-9")`, `event.data.items.exists(i, i.sku == "T-9")`, `event.data.items=[{"sku":"T-1"},{"sku":"T-2"}]`, ``},
		{`event.data.items.all(i, i.sku == event.type)`, `event.data.items.all(i, i.sku == event.type)`, `event.data.items=[{"sku":"T-1"},{"sku":"T-2"}] event.type="order"`, ``},
		{`event.data.items[1].sku.startsWith("X")`, `event.data.items[1].sku.startsWith("X")`, `event.data.items[1].sku="T-2"`, ``},
		{`has(event.data.voucher)`, `has(event.data.voucher)`, `event.data={"amount":950,"currency":"EUR","items":[{"sku":"T-1"},{"sku":"T-2"}],"n":null}`, ``},
		{`event.data.amount`, `event.data.amount`, ``, `result is int, must be bool`},
		{`event.data.currency == "EUR" && event.data.n > 1`, `event.data.n > 1`, `event.data.n=null`, `no such overload`},
	} {
		c, err := New().Condition(test.src)
		if err != nil {
			t.Fatal(err)
		}
		f := c.Explain(ev)
		var saw []string
		for _, s := range f.Saw {
			if s.Err != nil {
				saw = append(saw, s.Place+": "+s.Err.Error())
			} else {
				saw = append(saw, s.Place+"="+string(s.JSON))
			}
		}
		if f.Part != test.part || strings.Join(saw, " ") != test.saw || (f.Err == nil) != (test.err == "") || f.Err != nil && !strings.Contains(f.Err.Error(), test.err) {
			t.Errorf("%s: %q, saw %s, %v", test.src, f.Part, strings.Join(saw, " "), f.Err)
		}
	}
}

// TestExplainNoJSON: a body that is none is the reason, whatever is asked.
func TestExplainNoJSON(t *testing.T) {
	c, err := New().Condition("event.data.a == 1 && event.data.b == 2")
	if err != nil {
		t.Fatal(err)
	}
	f := c.Explain(&event.Event{Body: []byte("{")})
	if f.Err == nil || f.Part != "event.data.a == 1" || !strings.Contains(f.Err.Error(), "body") {
		t.Errorf("%+v", f)
	}
}
