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
package config

import (
	"encoding/json"
	"errors"
	"net/netip"
	"time"
)

// Config is the whole file. Relative paths in it have been made absolute from
// the file's folder, defaults are filled in, and references are resolved.
type Config struct {
	Version   int                 `yaml:"version" required:"true"` // always 1
	Server    Server              `yaml:"server"`
	Store     Store               `yaml:"store"`
	Engines   map[string]Engine   `yaml:"engines" aka:"plugins"`
	Webhooks  map[string]Webhook  `yaml:"webhooks" aka:"sources,hooks"`
	Schedules map[string]Schedule `yaml:"schedules" aka:"crons,timers"`
	Defaults  Defaults            `yaml:"defaults"`
	Routes    map[string]Route    `yaml:"routes" aka:"rules,triggers,workflows"`

	_ struct{} `later:"include"`
}

// Server says where the gateway listens.
type Server struct {
	Listen    string `yaml:"listen" default:"127.0.0.1:8080" aka:"address,addr,port"` // public: webhooks only
	Admin     string `yaml:"admin" default:"127.0.0.1:9090"`                          // API, UI, health, metrics; loopback, or tokens, or admin_tls.client_ca
	MaxBody   Size   `yaml:"max_body" default:"1MiB" min:"1"`                         // per webhook request
	PublicURL string `yaml:"public_url"`                                              // what senders call; empty: taken from Host
	// Proxies whose word for where a request came from is believed.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" aka:"proxies,real_ip_from"`
	TLS            *TLS           `yaml:"tls"`       // of listen; nil: plain HTTP
	AdminTLS       *TLS           `yaml:"admin_tls"` // of admin
	// Who may call admin, by name; nobody: everybody whom the listener lets in.
	Tokens map[string]Token `yaml:"tokens" aka:"token,api_keys,auth"`
}

// Store says where events and deliveries are kept, and for how long.
type Store struct {
	Path       string `yaml:"path" default:"./data"`
	Retain     Retain `yaml:"retain"`
	MinFree    Size   `yaml:"min_free" default:"256MiB"`             // free disk below which intake answers 503
	MaxPending int    `yaml:"max_pending" default:"5000000" min:"1"` // waiting deliveries above which intake answers 503

	_ struct{} `later:"postgres"`
}

// Retain is how long finished work is kept.
type Retain struct {
	Succeeded Duration `yaml:"succeeded" default:"7d"`
	Dead      Duration `yaml:"dead" default:"90d"`
	Unrouted  Duration `yaml:"unrouted" default:"7d"`
}

// Engine is one plugin process.
type Engine struct {
	Plugin    string            `yaml:"plugin" required:"true" aka:"path,command,binary"` // absolute; never looked up in PATH
	SHA256    string            `yaml:"sha256" aka:"checksum,digest"`                     // 64 hex digits in lower case, or empty
	Args      []string          `yaml:"args"`
	Env       map[string]Secret `yaml:"env" keys:"env"` // all that the plugin sees; may hold credentials
	Config    json.RawMessage   `yaml:"config"`         // handed over once, at start; nil when absent
	Transport string            `yaml:"transport" default:"mtls" enum:"mtls,plain"`
	Limits    Limits            `yaml:"limits"`
}

// Limits bound one engine.
type Limits struct {
	InFlight     int      `yaml:"in_flight" default:"32" min:"1" aka:"concurrency"`
	Timeout      Duration `yaml:"timeout" default:"60s" min:"1"`         // one call
	StartTimeout Duration `yaml:"start_timeout" default:"10s" min:"1"`   // from exec to configured
	Restarts     Rate     `yaml:"restarts" default:"5/1m"`               // more often, and the engine is given up
	Drain        Duration `yaml:"drain" default:"30s"`                   // what runs in flight get when it is stopped
	Memory       Size     `yaml:"memory" aka:"ram,mem"`                  // of each of its processes; 0: no limit
	OpenFiles    int      `yaml:"open_files" min:"0" aka:"files,nofile"` // likewise
}

// Webhook is one HTTP endpoint and how its requests prove where they are from.
type Webhook struct {
	Scheme    string         `yaml:"scheme" required:"true" enum:"github,gitlab,stripe,slack,shopify,twilio,bitbucket,pagerduty,linear,discord,standard-webhooks,cloudevents,hmac,token,none" aka:"preset,provider,auth"`
	Path      string         `yaml:"path" aka:"url,endpoint"`            // default /webhooks/<name>
	Secrets   []Key          `yaml:"secrets" aka:"secret,token,api_key"` // any may match
	Signature *Signature     `yaml:"signature"`                          // hmac: always there; token, cloudevents: may be
	Type      CEL            `yaml:"type" raw:"true"`                    // empty: the scheme's own type, else the webhook's name
	ID        CEL            `yaml:"id" raw:"true"`                      // empty: the scheme's delivery id, else the body's digest
	Headers   []string       `yaml:"headers"`                            // kept with the event; lower case
	MaxBody   Size           `yaml:"max_body" min:"1"`                   // default server.max_body
	Allow     []netip.Prefix `yaml:"allow" aka:"allow_ips,cidr"`         // source addresses; empty: any
	Rate      Throttle       `yaml:"rate" aka:"rate_limit,limit"`        // of each sender, and of what is accepted from all; zero: none

	Challenge   *Challenge   `yaml:"challenge" aka:"handshake,verification"`           // nil: only what the scheme brings along
	CloudEvents *CloudEvents `yaml:"cloudevents"`                                      // nil: only with scheme cloudevents
	Schema      File         `yaml:"schema" aka:"json_schema"`                         // JSON Schema of the data; empty: anything
	OnInvalid   string       `yaml:"on_invalid" default:"reject" enum:"reject,accept"` // what becomes of other data

}

// Key is one secret of a webhook and when it stops being valid.
type Key struct {
	Value Secret    `yaml:"value" required:"true"`
	Until time.Time `yaml:"until"` // zero: for good

	position int

	_ struct{} `scalar:"value"`
}

// Position is the key's place in the file, from 0: those before it that were
// empty are counted.
func (k Key) Position() int { return k.position }

// Signature describes, as data, how a provider signs its requests; with scheme
// token, where the token is.
type Signature struct {
	Header    string     `yaml:"header" required:"true"`                          // where the signatures are
	Hash      string     `yaml:"hash" default:"sha256" enum:"sha1,sha256,sha512"` //
	Encoding  string     `yaml:"encoding" default:"hex" enum:"hex,base64,base64url"`
	Prefix    string     `yaml:"prefix"`                                         // before each signature: "sha256="
	Separator string     `yaml:"separator"`                                      // between several signatures; empty: there is one
	Signed    string     `yaml:"signed" default:"{body}" aka:"template,payload"` // what is signed: literals, {body} {form} {timestamp} {id} {method} {url}
	Timestamp *Timestamp `yaml:"timestamp"`
	ID        *SignedID  `yaml:"id"`
	Digest    *Digest    `yaml:"digest"`
	Tolerance Duration   `yaml:"tolerance" default:"5m" min:"1"` // how far the timestamp may be off, either way
	Secret    KeyForm    `yaml:"secret"`
}

// Timestamp says where the signed time is, in one of three places, and how it
// is written.
type Timestamp struct {
	Header string `yaml:"header"`
	Item   string `yaml:"item"` // prefix of the item of the signature's header that holds it: "t="
	Body   string `yaml:"body"` // path of a field of a JSON body
	Unit   string `yaml:"unit" default:"s" enum:"s,ms,rfc3339"`
}

// SignedID says where the signed message id is.
type SignedID struct {
	Header string `yaml:"header" required:"true"`
}

// Digest says where the signed URL has the SHA-256 of the body, in hex.
type Digest struct {
	Query string `yaml:"query" required:"true"` // name of the parameter
}

// KeyForm says how the text of a secret becomes the HMAC key.
type KeyForm struct {
	Prefix   string `yaml:"prefix"` // removed first: "whsec_"
	Encoding string `yaml:"encoding" default:"raw" enum:"raw,hex,base64"`
}

// Challenge is what a provider asks before it sends events: a known provider's
// name, or its question and answer as data.
type Challenge struct {
	Provider string            `yaml:"provider" enum:"discord,dropbox,event-grid,meta,microsoft,monday,okta,slack,strava,trello,twitch,twitter,zoom"`
	Method   string            `yaml:"method" default:"POST" enum:"GET,HEAD,POST"`
	Match    map[string]Values `yaml:"match" keys:"any"`           // all lines hold; a list means any of
	Value    string            `yaml:"value" aka:"challenge,echo"` // the place of what is said back
	TokenAt  string            `yaml:"token_at"`                   // the place of the token
	Token    Secret            `yaml:"token" aka:"verify_token"`   // what must be there
	Unsigned bool              `yaml:"unsigned"`                   // asked without a signature
	Status   int               `yaml:"status" default:"200"`       //
	Answer   any               `yaml:"answer"`                     // a text, or what becomes JSON; nil: the value itself

	_ struct{} `scalar:"provider"`
}

// File is a file that the configuration names. It is watched like the
// configuration itself.
type File struct {
	Path string // absolute
	Text []byte // its content; nil where it could not be read
}

// UnmarshalText reads the name of a file.
func (f *File) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("want the name of a file")
	}
	f.Path = string(text)
	return nil
}

// CloudEvents says how a webhook takes CloudEvents.
type CloudEvents struct {
	Origins []string `yaml:"origins"`       // may be granted what they ask for by OPTIONS; empty: any
	Batch   int      `yaml:"batch" min:"1"` // events that one request may bring; 0: batches are refused
}

// Schedule makes events by the clock. Exactly one of Cron and Every is set.
type Schedule struct {
	Cron         string          `yaml:"cron"`
	Every        Duration        `yaml:"every"`                                              // at least 1s
	Timezone     string          `yaml:"timezone" default:"UTC" aka:"tz,time_zone,location"` // IANA name
	Type         string          `yaml:"type"`                                               // default schedule.<name>
	Data         json.RawMessage `yaml:"data" aka:"payload,body"`                            // nil when absent
	Missed       string          `yaml:"missed" default:"latest" enum:"none,latest,all" aka:"catchup,catch_up"`
	MissedWindow Duration        `yaml:"missed_window" default:"1h" max:"90d"` // how far back missed slots are made up for
	Overlap      string          `yaml:"overlap" default:"skip" enum:"skip,queue,allow" aka:"concurrency"`
	Jitter       Duration        `yaml:"jitter" max:"1d" aka:"splay"` // each slot is put off by less than this
	DST          DST             `yaml:"dst" aka:"daylight_saving"`   // of Cron
	Start        time.Time       `yaml:"start" aka:"from,since"`      // first slot there may be; every counts from it
	End          time.Time       `yaml:"end" aka:"until"`             // last slot there may be
	Paused       bool            `yaml:"paused" aka:"disabled"`
}

// DST says what becomes of fixed hours when clocks are put forward or back.
type DST struct {
	Gap    string `yaml:"gap" default:"fire" enum:"fire,skip"`      // a time that does not exist: fires at the end of the gap, or not
	Repeat string `yaml:"repeat" default:"first" enum:"first,both"` // a time that comes twice
}

// Defaults apply to every route that does not say otherwise.
type Defaults struct {
	Engine string `yaml:"engine"` // lets run: name a workflow alone
	Retry  Retry  `yaml:"retry"`
}

// Retry says how often and how long a delivery is tried. Each key that a
// route leaves out comes from defaults.retry.
type Retry struct {
	Attempts    int      `yaml:"attempts" default:"12" min:"1"`
	Backoff     Backoff  `yaml:"backoff" default:"1s..10m"`
	Jitter      Percent  `yaml:"jitter" default:"20%"`
	GiveUpAfter Duration `yaml:"give_up_after" default:"24h" min:"1"`
}

// Route says which events start which workflow with what input.
type Route struct {
	Enabled     bool              `yaml:"enabled" default:"true" aka:"active"`
	Events      []string          `yaml:"events" required:"true" aka:"on,event,types"` // exact, or with * for segments
	Match       map[string]Values `yaml:"match" keys:"any" aka:"filter,filters"`       // all lines hold; a list means any of
	When        CEL               `yaml:"when" raw:"true" aka:"if,condition"`
	Run         Target            `yaml:"run" required:"true" aka:"workflow,target,action"`
	With        any               `yaml:"with" aka:"input,inputs,data,args"` // maps, slices, strings, json.Number, bool; nil when absent
	Key         CEL               `yaml:"key" raw:"true"`
	Order       string            `yaml:"order" default:"none" enum:"strict,none"`
	Concurrency int               `yaml:"concurrency" min:"1"` // per key, or per route without key; 0: no limit of its own
	Retry       Retry             `yaml:"retry" aka:"retries"`
	Timeout     Duration          `yaml:"timeout" min:"1"`               // of one run; 0: none
	MaxPending  int               `yaml:"max_pending" min:"1"`           // 0: no limit of its own
	Priority    int               `yaml:"priority" min:"-100" max:"100"` // higher goes first for its engine's places

	Rate Pace `yaml:"rate" aka:"rate_limit,throttle"` // of the starts; zero: none

	_ struct{} `later:"debounce"`
}

// CEL is the source of an expression: never substituted, compiled elsewhere.
type CEL string

// Values are what a line of match compares with: strings, json.Number, bool
// or nil. One scalar in the file is a list of one.
type Values []any
