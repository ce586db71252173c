package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api/replay"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/rehearse/plan"
	"github.com/event-gateway/gateway/gateway/routing"
)

// parts of a route, each drawn at random; empty ones stand for nothing of it.
var parts = [][]string{
	{"", "", "", ", enabled: false"},
	{"events: [orders]", "events: [x.*]", "events: [x.y]", "events: [x.*, orders]", "events: [x.*, orders]", "events: [x.z]"},
	{", run: exec/echo", ", run: exec/fail"},
	{"", "", "", "", ", match: {data.n: [1, 2]}", ", match: {data.s: a, subject: [null, s]}", ", match: {data.s: 'no'}"},
	{"", "", "", ", when: 'event.data.n > 1'", ", when: 'event.data.missing == 1'", `, when: 'event.type.startsWith("x")'`},
	{"", "", ", key: event.data.s", ", key: event.type", ", key: event.data.missing"},
	{"", "", ", with: {n: '${{ event.data.n }}'}", ", with: {fixed: 1}", ", with: {s: 'of ${{ event.data.s }}'}"},
}

// drawn is which of each part the routes a to e have.
type drawn [5][7]int

// redraw draws some of the parts anew.
func (d drawn) redraw(r *rand.Rand, chance float64) drawn {
	for i := range d {
		for j := range d[i] {
			if r.Float64() < chance {
				d[i][j] = r.IntN(len(parts[j]))
			}
		}
	}
	return d
}

func (d drawn) String() string {
	var text strings.Builder
	for i := range d {
		fmt.Fprintf(&text, "  %c: {", 'a'+i)
		for j := 1; j < len(parts); j++ {
			text.WriteString(parts[j][d[i][j]])
		}
		text.WriteString(parts[0][d[i][0]] + "}\n")
	}
	return text.String()
}

// deliveriesOf tells how an event ran: by route, with workflow, input and key.
func (b *box) deliveriesOf(id string) map[string]plan.Taken {
	b.t.Helper()
	_, list, err := b.g.store.EventByID(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	all := map[string]plan.Taken{}
	for _, d := range list {
		all[d.Route] = plan.Taken{Run: d.Engine + "/" + d.Workflow, Input: d.Input, Key: d.Key}
	}
	return all
}

// really tells what became otherwise at each route.
func really(before, after map[string]plan.Taken) (list []string) {
	for _, name := range []string{"a", "b", "c", "d", "e", "echo"} {
		was, ran := before[name]
		is, runs := after[name]
		switch {
		case ran && !runs:
			list = append(list, name+" stops")
		case runs && !ran:
			list = append(list, name+" runs")
		case fmt.Sprintf("%s", was) != fmt.Sprintf("%s", is):
			list = append(list, fmt.Sprintf("%s changed %s %s", name, was, is))
		}
	}
	return list
}

func planned(changes []plan.Change) (list []string) {
	for _, c := range changes {
		if c.Kind == plan.Fails {
			continue // nothing happens, before or after
		}
		text := c.Route + " " + c.Kind
		if c.Kind == plan.Changed {
			text += fmt.Sprintf(" %s %s", *c.Before, *c.After)
		}
		list = append(list, text)
	}
	return list
}

// TestPlanComesTrue: what a plan says of the events that the gateway has stored
// is what happens to them, one by one, when the new configuration is in force.
// PLAN_PAIRS and PLAN_SEED change it.
func TestPlanComesTrue(t *testing.T) {
	number := func(name string, otherwise uint64) uint64 {
		if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
			return n
		}
		return otherwise
	}
	seed := number("PLAN_SEED", uint64(time.Now().UnixNano()))
	r := rand.New(rand.NewPCG(seed, 0))
	b := start(t, "")
	defer b.stop()
	env, differ := expr.New(), 0
	load := func(text string) *config.Config {
		doc, problems := config.Parse(b.path, []byte(text), config.Options{})
		if problems.Failed() {
			t.Fatal(problems)
		}
		return doc.Config
	}
	for pair := range number("PLAN_PAIRS", 15) {
		routes := drawn{}.redraw(r, 1)
		old, now := fmt.Sprintf(base, execPlugin, routes), fmt.Sprintf(base, execPlugin, routes.redraw(r, 0.2))
		b.write(old)
		b.reload("")
		var bodies []string
		var before []map[string]plan.Taken
		for i := range 6 {
			body := fmt.Sprintf(`"type":%q,"subject":%q,"data":{"n":%d,"s":%q}}`, []string{"orders", "x.y", "x.z.z"}[r.IntN(3)],
				[]string{"", "s", "t"}[r.IntN(3)], r.IntN(4), []string{"a", "b"}[r.IntN(2)])
			bodies = append(bodies, body)
			id := fmt.Sprintf("old-%d-%d", pair, i)
			b.mustAsk(202, "POST", "/api/v1/events", fmt.Sprintf(`{"id":%q,%s`, id, body))
			before = append(before, b.deliveriesOf(id))
		}
		// The plan is made of what the gateway exports, as gateway plan does.
		var exported replay.Exported
		text, _ := json.Marshal(b.mustAsk(200, "GET", "/api/v1/export/events?source=/api&limit=6", ""))
		if err := json.Unmarshal(text, &exported); err != nil || len(exported.Events) != 6 {
			t.Fatalf("%v in %s", err, text)
		}
		slices.Reverse(exported.Events)
		p, mistakes := plan.New(routing.Specs(load(old)), routing.Specs(load(now)), env)
		if len(mistakes) > 0 {
			t.Fatal(mistakes)
		}
		b.write(now)
		b.reload("")
		for i := range bodies {
			id := fmt.Sprintf("new-%d-%d", pair, i)
			b.mustAsk(202, "POST", "/api/v1/events", fmt.Sprintf(`{"id":%q,%s`, id, bodies[i]))
			want, got := really(before[i], b.deliveriesOf(id)), planned(p.Of(exported.Events[i].Event()))
			if !slices.Equal(got, want) {
				t.Errorf("PLAN_SEED=%d pair %d, %s: planned %q, happened %q\nold:\n%s\nnew:\n%s", seed, pair, bodies[i], got, want, old, now)
			}
			differ += len(want)
		}
	}
	if differ == 0 {
		t.Error("nothing ever changed")
	}
	t.Logf("%d changes came true", differ)
}
