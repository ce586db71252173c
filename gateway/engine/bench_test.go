package engine

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

// headers are those of a usual webhook.
var headers = map[string]string{
	"accept": "*/*", "content-type": "application/json", "host": "hooks.example.com",
	"user-agent": "Hookshot/1f3a9", "x-delivery": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "x-event": "push",
}

// BenchmarkRun is one call from Run to its final update, many at a time, with
// an engine that does nothing.
func BenchmarkRun(b *testing.B) {
	for _, transport := range []string{"mtls", "plain"} {
		b.Run(transport, func(b *testing.B) {
			x := newBench(b, nil)
			s := spec(b, "sdk")
			s.Plain = transport == "plain"
			e := x.acquire(s)
			c := callOf("", "echo", `{"a":1}`)
			c.Event.Body = make([]byte, 512)
			c.Event.Headers = headers
			c.Deadline = time.Now().Add(time.Minute)
			slots := make(chan struct{}, 1000)
			var all sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				slots <- struct{}{}
				all.Add(1)
				c.Key = strconv.Itoa(i)
				if err := e.Run(c, func(Update) { <-slots; all.Done() }); err != nil {
					b.Fatal(err)
				}
			}
			all.Wait()
			b.StopTimer()
			x.stop()
		})
	}
}
