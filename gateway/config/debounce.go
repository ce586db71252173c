package config

import (
	"fmt"
	"time"
)

// Debounce makes one run of several events with the same `key`. A duration alone
// is its `wait`.
type Debounce struct {
	_    struct{} `scalar:"wait"`
	Wait Duration `yaml:"wait" required:"true" min:"1" aka:"delay,period,quiet,window"`   // the pause that ends a group: `30s`, at most a day
	Max  Duration `yaml:"max" min:"1" aka:"max_wait,timeout,limit" else:"ten times wait"` // how long a group may take in all, at most ten days
	Keep string   `yaml:"keep" default:"all" enum:"all"`                                  // the workflow gets all events, oldest first, as `event.data.events`
}

// maxWait and maxGroup bound a debounce: what waits longer is a schedule's.
const (
	maxWait  = Duration(24 * time.Hour)
	maxGroup = 10 * maxWait
)

// debounce completes a debounce and checks it.
func (c *checker) debounce(path string, d *Debounce) {
	if d == nil || d.Wait == 0 {
		return
	}
	switch {
	case d.Wait > maxWait:
		c.report(path+".wait", fmt.Sprintf("must be at most %s", maxWait), "a schedule can look after what is rarer")
	case d.Max == 0:
		d.Max = min(10*d.Wait, maxGroup)
	case d.Max < d.Wait:
		c.report(path+".max", fmt.Sprintf("is shorter than wait, %s: no group would ever see a pause", d.Wait), "")
	case d.Max > maxGroup:
		c.report(path+".max", fmt.Sprintf("must be at most %s", maxGroup), "")
	}
}
