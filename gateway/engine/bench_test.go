package engine

import (
	"strconv"
	"sync"
	"testing"
)

// BenchmarkRun is one call from Run to its final update, many at a time.
func BenchmarkRun(b *testing.B) {
	for _, transport := range []string{"mtls", "plain"} {
		b.Run(transport, func(b *testing.B) {
			x := newBench(b, nil)
			s := spec(b, "ok")
			s.Plain = transport == "plain"
			e := x.acquire(s)
			c := callOf("", "echo", `{"a":1}`)
			c.Event.Body = make([]byte, 512)
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
