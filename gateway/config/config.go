// Package config turns gateway.yaml into plain data with positions: the first
// step of every start and every reload. It is strict, reports every problem at
// once where it stands in the file, resolves ${env:…} and ${file:…}, and
// names the files to watch. What needs compiling (CEL, cron, plugins) is left
// to later stages, which report through [Document.Problem]. Package decode explains the struct tags.
//
// References stand in scalar values, never in keys, and what they are replaced
// with is never read as YAML again:
//
//	${env:NAME}            the environment variable; it must be set
//	${env:NAME:-default}   the default when it is unset or empty
//	${file:path}           the file without its last line end
//	${generate:path}       the same; made up by the first run when missing
//	$${                    a literal ${
//
// Expressions (when, match, key, and a webhook's type and id) and what stands
// between ${{ and }} are left alone.
//
// The comments at the keys are for those who write the file: gateway.schema.json
// and the tables of docs/configuration.md are made of them.
package config

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/netip"
	"time"
)

//go:embed config.go debounce.go webhook.go tls.go token.go
var sources embed.FS

// Sources are those of the structs, for their comments.
func Sources() fs.FS { return sources }

// Config is the whole file, with what it includes. Relative paths in it have
// been made absolute from the file's folder, defaults are filled in, and references are resolved.
type Config struct {
	Version   int                 `yaml:"version" required:"true"`               // of the format: always `1`
	Server    Server              `yaml:"server"`                                // where the gateway listens
	Store     Store               `yaml:"store"`                                 // where events and deliveries are kept, and for how long
	Engines   map[string]Engine   `yaml:"engines" aka:"plugins"`                 // programs that run workflows, by name
	Webhooks  map[string]Webhook  `yaml:"webhooks" aka:"sources,hooks"`          // endpoints that senders post to, by name
	Schedules map[string]Schedule `yaml:"schedules" aka:"crons,timers"`          // events by the clock, by name
	Defaults  Defaults            `yaml:"defaults"`                              // for routes that do not say otherwise
	Routes    map[string]Route    `yaml:"routes" aka:"rules,triggers,workflows"` // which events start which workflow, by name
	// files that add entries: `[routes.d/*.yaml]`, see [include](#include)
	Include []string `yaml:"include" aka:"includes,import,imports"`
}

// Server says where the gateway listens.
type Server struct {
	// where webhooks come in, nothing else
	Listen string `yaml:"listen" default:"127.0.0.1:8080" aka:"address,addr,port" pattern:"(\\[[0-9A-Fa-f:.]+\\]|[^\\s/:]*):[0-9]{1,5}"`
	// API, health, metrics; a loopback address, unless `tokens` or `admin_tls` ask who calls
	Admin string `yaml:"admin" default:"127.0.0.1:9090" pattern:"(\\[[0-9A-Fa-f:.]+\\]|[^\\s/:]*):[0-9]{1,5}"`
	// largest body of a request, at most `64MiB`
	MaxBody Size `yaml:"max_body" default:"1MiB" min:"1"`
	// what senders call, `https://hooks.example.com`: part of what some schemes sign (`twilio`)
	PublicURL string `yaml:"public_url" else:"the request's own" pattern:"https?://[^/?#@]+/*"`
	// networks of proxies that say truly, in `X-Forwarded-For` or `Forwarded`, where a request came from: `[10.0.0.0/8]`
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" aka:"proxies,real_ip_from"`
	// TLS for `listen`
	TLS *TLS `yaml:"tls" else:"plain HTTP"`
	// the same for `admin`
	AdminTLS *TLS `yaml:"admin_tls" else:"plain HTTP"`
	// who may call `admin`, by name
	Tokens map[string]Token `yaml:"tokens" aka:"token,api_keys,auth"`
}

// Store says where events and deliveries are kept, and for how long.
type Store struct {
	Path       string `yaml:"path" default:"./data"`                 // folder of the database; one gateway at a time
	Retain     Retain `yaml:"retain"`                                // how long what has ended is kept
	MinFree    Size   `yaml:"min_free" default:"256MiB"`             // with less free disk, senders get 503
	MaxPending int    `yaml:"max_pending" default:"5000000" min:"1"` // with more deliveries waiting, senders get 503

	_ struct{} `later:"postgres"`
}

// Retain is how long finished work is kept.
type Retain struct {
	Succeeded Duration `yaml:"succeeded" default:"7d"` // deliveries that succeeded
	Dead      Duration `yaml:"dead" default:"90d"`     // deliveries that were given up or discarded
	Unrouted  Duration `yaml:"unrouted" default:"7d"`  // events that no route wanted
}

// Engine is one plugin process.
type Engine struct {
	// the program; never looked up in PATH
	Plugin string `yaml:"plugin" required:"true" aka:"path,command,binary"`
	// the program's checksum, 64 hex digits; another program is refused
	SHA256 string `yaml:"sha256" aka:"checksum,digest" pattern:"[0-9A-Fa-f]{64}"`
	// its arguments
	Args []string `yaml:"args"`
	// all of its environment; nothing is inherited
	Env map[string]Secret `yaml:"env" keys:"env"`
	// handed to the engine once, at start
	Config json.RawMessage `yaml:"config"`
	// how the local socket is secured
	Transport string `yaml:"transport" default:"mtls" enum:"mtls,plain"`
	// what bounds it
	Limits Limits `yaml:"limits"`
}

// Limits bound one engine.
type Limits struct {
	InFlight     int      `yaml:"in_flight" default:"32" min:"1" aka:"concurrency"`      // runs at a time
	Timeout      Duration `yaml:"timeout" default:"60s" min:"1"`                         // of one attempt; a route's own replaces it
	StartTimeout Duration `yaml:"start_timeout" default:"10s" min:"1"`                   // from start to configured
	Restarts     Rate     `yaml:"restarts" default:"5/1m"`                               // a program that ends more often is in a crash loop
	Drain        Duration `yaml:"drain" default:"30s"`                                   // what runs get when the engine is stopped
	Memory       Size     `yaml:"memory" aka:"ram,mem" else:"no limit"`                  // what each of its processes may take; on Linux
	OpenFiles    int      `yaml:"open_files" min:"0" aka:"files,nofile" else:"no limit"` // files that each of its processes may have open; on Linux
}

// Schedule makes events by the clock. Exactly one of Cron and Every is set.
type Schedule struct {
	// `"30 2 * * *"`: minute, hour, day of month, month, day of week; six fields begin with the second; or `@daily` and the like
	Cron string `yaml:"cron"`
	// at least `1s`; counted from `start`, else from 1970, so that `15m` is on the quarter hours
	Every Duration `yaml:"every"`
	// of `cron`: an IANA name such as `Europe/Berlin`; never the machine's own
	Timezone string `yaml:"timezone" default:"UTC" aka:"tz,time_zone,location"`
	// type of the events
	Type string `yaml:"type" else:"'schedule.<name>'"`
	// their data; to an object `scheduled_at` and `last_run` are added
	Data json.RawMessage `yaml:"data" aka:"payload,body"`
	// what becomes of times when no gateway ran; `all` makes up for at most 100
	Missed string `yaml:"missed" default:"latest" enum:"none,latest,all" aka:"catchup,catch_up"`
	// how far back they are made up for, at most `90d`
	MissedWindow Duration `yaml:"missed_window" default:"1h" max:"90d"`
	// when deliveries of the time before have not ended; `queue` takes at most 100, one after the other
	Overlap string `yaml:"overlap" default:"skip" enum:"skip,queue,allow" aka:"concurrency"`
	// each time is put off by less than this, the same time always by as much
	Jitter Duration `yaml:"jitter" max:"1d" aka:"splay"`
	// what becomes of fixed hours when clocks change, see below
	DST DST `yaml:"dst" aka:"daylight_saving"`
	// first time there may be: `2026-12-01T00:00:00+01:00`
	Start time.Time `yaml:"start" aka:"from,since"`
	// last time there may be
	End time.Time `yaml:"end" aka:"until"`
	// does not fire
	Paused bool `yaml:"paused" aka:"disabled"`

	_ struct{} `one:"cron,every"`
}

// DST says what becomes of fixed hours when clocks are put forward or back.
type DST struct {
	Gap    string `yaml:"gap" default:"fire" enum:"fire,skip"`      // a time that does not exist: fires at the end of the gap, or not
	Repeat string `yaml:"repeat" default:"first" enum:"first,both"` // a time that comes twice
}

// Defaults apply to every route that does not say otherwise.
type Defaults struct {
	Engine string `yaml:"engine"` // lets `run` name a workflow alone
	Retry  Retry  `yaml:"retry"`  // for routes that do not say otherwise, key by key
}

// Retry says how often and how long a delivery is tried. Each key that a
// route leaves out comes from defaults.retry.
type Retry struct {
	Attempts    int      `yaml:"attempts" default:"12" min:"1"`       // then the delivery is dead
	Backoff     Backoff  `yaml:"backoff" default:"1s..10m"`           // pauses between attempts
	Jitter      Percent  `yaml:"jitter" default:"20%"`                // give or take
	GiveUpAfter Duration `yaml:"give_up_after" default:"24h" min:"1"` // from the first attempt
}

// Route says which events start which workflow with what input.
type Route struct {
	// whether it takes events
	Enabled bool `yaml:"enabled" default:"true" aka:"active"`
	// event types, exact or with `*` for one or more segments: `[github.push, "order.*"]`
	Events []string `yaml:"events" required:"true" aka:"on,event,types" pattern:"(\\*|[^.*\\s]+)(\\.(\\*|[^.*\\s]+))*"`
	// places in the event and what they may hold; all lines must hold, a list means any of its values
	Match map[string]Values `yaml:"match" keys:"any" aka:"filter,filters"`
	// CEL, for what `match` cannot say
	When CEL `yaml:"when" raw:"true" aka:"if,condition"`
	// `engine/workflow`
	Run Target `yaml:"run" required:"true" aka:"workflow,target,action"`
	// the workflow's input: any YAML, with `${{ }}` in its texts
	With any `yaml:"with" aka:"input,inputs,data,args"`
	// CEL: what `order`, `concurrency` and `debounce` count by; without it, the route
	Key CEL `yaml:"key" raw:"true"`
	// `strict`: one at a time per key, in the order of arrival
	Order string `yaml:"order" default:"none" enum:"strict,none"`
	// runs at a time per key
	Concurrency int `yaml:"concurrency" min:"1" else:"no limit"`
	// of its deliveries, key by key
	Retry Retry `yaml:"retry" aka:"retries" else:"'defaults.retry'"`
	// of one attempt
	Timeout Duration `yaml:"timeout" min:"1" else:"the engine's"`
	// with more of this route waiting, senders get 503
	MaxPending int `yaml:"max_pending" min:"1" else:"no limit"`
	// so many runs are started in any window: `10/m`, `100/8h`; at most 100000, in at most a day
	Rate Pace `yaml:"rate" aka:"rate_limit,throttle" else:"no limit"`
	// from -100 to 100: the higher one goes first when the engine has no place for all
	Priority int `yaml:"priority" default:"0" min:"-100" max:"100"`
	// events that come close together run as one
	Debounce *Debounce `yaml:"debounce" aka:"batch,collect,group,throttle_wait" else:"each event runs by itself"`
}

// CEL is the source of an expression: never substituted, compiled elsewhere.
type CEL string

// Values are what a line of match compares with: strings, json.Number, bool
// or nil. One scalar in the file is a list of one.
type Values []any
