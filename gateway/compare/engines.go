package compare

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"github.com/event-gateway/gateway/gateway/config"
)

// Engine is what becomes of an engine's process when one configuration follows
// another.
type Engine struct {
	Name string `json:"name"`
	// Kind is starts, restarts or stops.
	Kind string `json:"kind"`
	// Fields of one that restarts: what is not as it was.
	Fields []string `json:"fields,omitempty"`
}

// Engines are those that do not go on as they are. Limits that hold without a
// new process are no reason for one; programs that changed on the disk are not
// looked at.
func Engines(a, b *config.Config) (list []Engine) {
	names := slices.Sorted(maps.Keys(a.Engines))
	for name := range b.Engines {
		if _, both := a.Engines[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	room := LargestBody(a) != LargestBody(b)
	for _, name := range names {
		before, was := a.Engines[name]
		now, is := b.Engines[name]
		switch {
		case !was:
			list = append(list, Engine{Name: name, Kind: "starts"})
		case !is:
			list = append(list, Engine{Name: name, Kind: "stops"})
		default:
			if fields := changed(&before, &now, room); fields != nil {
				list = append(list, Engine{name, "restarts", fields})
			}
		}
	}
	return list
}

// changed are the fields that a process is started with.
func changed(a, b *config.Engine, room bool) (fields []string) {
	for _, f := range []struct {
		name    string
		changed bool
	}{
		{"plugin", a.Plugin != b.Plugin},
		{"args", !slices.Equal(a.Args, b.Args)},
		{"env", len(a.Env)+len(b.Env) > 0 && !reflect.DeepEqual(a.Env, b.Env)},
		{"config", !bytes.Equal(a.Config, b.Config)},
		{"transport", a.Transport != b.Transport},
		{"limits.memory", a.Limits.Memory != b.Limits.Memory},
		{"limits.open_files", a.Limits.OpenFiles != b.Limits.OpenFiles},
		{"max_body", room}, // the largest there is bounds its messages
	} {
		if f.changed {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// LargestBody is the largest body that any webhook accepts, in bytes.
func LargestBody(c *config.Config) int64 {
	most := c.Server.MaxBody
	for _, w := range c.Webhooks {
		most = max(most, w.MaxBody)
	}
	return int64(most)
}
