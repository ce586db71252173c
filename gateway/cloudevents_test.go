package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/store"
)

// What the sender of a CloudEvent says of it reaches the workflow, from headers
// as from a body, and can be matched on its way.
func TestCloudEventReachesTheEngine(t *testing.T) {
	g, base := serve(t, fmt.Sprintf(`version: 1
server: {listen: 127.0.0.1:0, admin: 127.0.0.1:0}
store: {path: ./data, min_free: 1MiB}
engines:
  exec: {plugin: %s, config: {commands: {show: {command: [cat]}}}}
webhooks:
  cloud: {scheme: cloudevents, secrets: ["%s"]}
routes:
  show:
    events: ["com.example.*"]
    match: {extensions.tier: gold, source: https://shop.example/orders}
    when: event.extensions.attempt == "2"
    run: exec/show
    with: {tier: "${{ event.extensions.tier }}"}
    key: event.extensions.partitionkey
`, execPlugin, sharedToken))
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	want := func(id string) map[string]any {
		return map[string]any{
			"id": id, "source": "https://shop.example/orders", "type": "com.example.order.made", "subject": "Äpfel & 100%",
			"time": "2018-04-05T17:31:00.123456Z", "datacontenttype": "application/vnd.shop+json", "data": map[string]any{"sum": 1.5},
			"extensions": map[string]any{"attempt": "2", "dataschema": "https://shop.example/s.json", "partitionkey": "k", "tier": "gold", "traceparent": trace},
		}
	}
	binary := http.Header{
		"Authorization": {"Bearer " + sharedToken}, "Content-Type": {"application/vnd.shop+json"}, "Traceparent": {trace},
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"binary"}, "Ce-Source": {"https://shop.example/orders"}, "Ce-Type": {"com.example.order.made"},
		"Ce-Subject": {"%C3%84pfel%20&%20100%25"}, "Ce-Time": {"2018-04-05T19:31:00.123456+02:00"}, "Ce-Dataschema": {"https://shop.example/s.json"},
		"Ce-Partitionkey": {"k"}, "Ce-Tier": {"gold"}, "Ce-Attempt": {"2"},
	}
	structured := http.Header{"Authorization": {"Bearer " + sharedToken}, "Content-Type": {"application/cloudevents+json"}}
	envelope := `{"specversion":"1.0","id":"structured","source":"https://shop.example/orders","type":"com.example.order.made","subject":"Äpfel & 100%",
		"time":"2018-04-05T19:31:00.123456+02:00","datacontenttype":"application/vnd.shop+json","dataschema":"https://shop.example/s.json",
		"partitionkey":"k","tier":"gold","attempt":2,"traceparent":"` + trace + `","data":{"sum":1.5}}`
	b := &box{t: t, g: g}
	for id, s := range map[string]sending{
		"binary":     {binary, base + "/webhooks/cloud", []byte(`{"sum":1.5}`)},
		"structured": {structured, base + "/webhooks/cloud", []byte(envelope)},
	} {
		if v := s.send(t); v.status != http.StatusAccepted || v.EventID != id {
			t.Fatalf("%s: %+v", id, v)
		}
		list := b.ended(id)
		if len(list) != 1 || list[0].State != store.Succeeded || list[0].Key != "k" {
			t.Fatalf("%s: %+v", id, list)
		}
		var got struct {
			Event map[string]any `json:"event"`
			Input map[string]any `json:"input"`
		}
		if err := json.Unmarshal(list[0].Last.Output, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want(id), got.Event); diff != "" || got.Input["tier"] != "gold" {
			t.Errorf("%s: input %v, event (-want +got):\n%s", id, got.Input, diff)
		}
	}
}

// A batch is stored whole or not at all, and what it did not store is free to
// come again.
func TestBatchIsAllOrNothing(t *testing.T) {
	g, base := serve(t, fmt.Sprintf(`version: 1
server: {listen: 127.0.0.1:0, admin: 127.0.0.1:0}
store: {path: ./data, min_free: 1MiB}
webhooks:
  cloud: {scheme: cloudevents, secrets: ["%s"], cloudevents: {batch: 10}}
`, sharedToken))
	header := http.Header{"Authorization": {"Bearer " + sharedToken}, "Content-Type": {"application/cloudevents-batch+json"}}
	send := func(ids ...string) verdict {
		var all []string
		for _, id := range ids {
			id, data, _ := strings.Cut(id, "=")
			all = append(all, fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/shop","type":"order","data":%q}`, id, data))
		}
		return sending{header, base + "/webhooks/cloud", []byte("[" + strings.Join(all, ",") + "]")}.send(t)
	}
	for i, tt := range []struct {
		ids    []string
		status int
		stored int
	}{
		{[]string{"a=1", "b=1"}, 202, 2},
		{[]string{"b=1", "c=1"}, 202, 3},
		{[]string{"d=1", "a=2", "e=1"}, 409, 4}, // the conflict itself is kept
		{[]string{"f=1", "f=2"}, 409, 5},
		{[]string{"d=2", "e=1", "f=3"}, 202, 8},
		{nil, 202, 8},
	} {
		if v := send(tt.ids...); v.status != tt.status {
			t.Errorf("%d: %+v", i, v)
		}
		list, err := g.store.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: 100}})
		if err != nil || len(list) != tt.stored {
			t.Errorf("%d: %d stored, %v", i, len(list), err)
		}
	}
}
