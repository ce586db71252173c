package config

import (
	"errors"
	"net/netip"
	"time"
)

// Webhook is one HTTP endpoint and how its requests prove where they are from.
type Webhook struct {
	// how requests prove where they are from, see [schemes](webhooks.md#schemes)
	Scheme string `yaml:"scheme" required:"true" enum:"github,gitlab,stripe,slack,shopify,twilio,bitbucket,pagerduty,linear,discord,standard-webhooks,cloudevents,hmac,token,none" aka:"preset,provider,auth"`
	// where it is served
	Path string `yaml:"path" aka:"url,endpoint" else:"'/webhooks/<name>'" pattern:"(/[-._~A-Za-z0-9]+)+"`
	// texts, or `{value, until}`; any of them may match
	Secrets []Key `yaml:"secrets" aka:"secret,token,api_key"`
	// of `hmac`, `token` and `cloudevents`: how requests are signed
	Signature *Signature `yaml:"signature"`
	// CEL: the event's type
	Type CEL `yaml:"type" raw:"true" else:"the scheme's, else the name"`
	// CEL: the event's id
	ID CEL `yaml:"id" raw:"true" else:"the scheme's, else a digest"`
	// of `token` and `none`, where nothing names an event: how long the same body is the same event, sent again; at most a day. See [webhooks.md](webhooks.md#duplicates)
	RepeatedWithin Duration `yaml:"repeated_within" min:"1" max:"1d" aka:"dedupe,dedup,deduplicate,dedupe_window" else:"for as long as ids are remembered"`
	// request headers kept with the event; never credentials
	Headers []string `yaml:"headers"`
	// largest body of a request
	MaxBody Size `yaml:"max_body" min:"1" else:"'server.max_body'"`
	// networks that may send: `[203.0.113.0/24]`
	Allow []netip.Prefix `yaml:"allow" aka:"allow_ips,cidr" else:"anybody"`
	// `50/s burst 200`: of each sender, and of what is accepted from all; beyond it 429. See [webhooks.md](webhooks.md#who-may-send-and-how-often)
	Rate Throttle `yaml:"rate" aka:"rate_limit,limit"`

	// what the provider asks first: its name, or described as data
	Challenge *Challenge `yaml:"challenge" aka:"handshake,verification" else:"the scheme's"`
	// requests are CloudEvents; `{}`, or as below
	CloudEvents *CloudEvents `yaml:"cloudevents"`
	// a file with the JSON Schema of the data; references within the file only
	Schema File `yaml:"schema" aka:"json_schema"`
	// other data is refused; with `accept` it is taken and marked
	OnInvalid string `yaml:"on_invalid" default:"reject" enum:"reject,accept"`
}

// Key is one secret of a webhook and when it stops being valid.
type Key struct {
	Value Secret    `yaml:"value" required:"true"` // the secret, at least 16 bytes
	Until time.Time `yaml:"until"`                 // not accepted after that time, `2026-12-01T00:00:00Z`

	position int

	_ struct{} `scalar:"value"`
}

// Position is the key's place in the file, from 0: those before it that were
// empty are counted.
func (k Key) Position() int { return k.position }

// Signature describes, as data, how a provider signs its requests; with scheme
// token, where the token is.
type Signature struct {
	// where the signature is
	Header string `yaml:"header" required:"true"`
	// of the HMAC
	Hash string `yaml:"hash" default:"sha256" enum:"sha1,sha256,sha512"`
	// of the signature
	Encoding string `yaml:"encoding" default:"hex" enum:"hex,base64,base64url"`
	// before the signature: `sha256=`
	Prefix string `yaml:"prefix"`
	// between several signatures in the header
	Separator string `yaml:"separator"`
	// what is signed: text with `{body}` or `{form}` (a form's fields, sorted), `{timestamp}`, `{id}`, `{method}`, `{url}`
	Signed string `yaml:"signed" default:"{body}" aka:"template,payload"`
	// where the signed time is: in one of three places
	Timestamp *Timestamp `yaml:"timestamp"`
	// where the signed id is
	ID *SignedID `yaml:"id"`
	// where the signed URL has the SHA-256 of the body, in hex; it stands for the body
	Digest *Digest `yaml:"digest"`
	// how far the timestamp may be off, either way
	Tolerance Duration `yaml:"tolerance" default:"5m" min:"1"`
	// how a secret is written
	Secret KeyForm `yaml:"secret"`
}

// Timestamp says where the signed time is, in one of three places, and how it
// is written.
type Timestamp struct {
	Header string `yaml:"header"`                               // a header of its own
	Item   string `yaml:"item"`                                 // prefix of an item of the signature's header: `t=`
	Body   string `yaml:"body"`                                 // path of a field of a JSON body
	Unit   string `yaml:"unit" default:"s" enum:"s,ms,rfc3339"` // how it is written
}

// SignedID says where the signed message id is.
type SignedID struct {
	Header string `yaml:"header" required:"true"` // its header
}

// Digest says where the signed URL has the SHA-256 of the body, in hex.
type Digest struct {
	Query string `yaml:"query" required:"true"` // the parameter's name
}

// KeyForm says how the text of a secret becomes the HMAC key.
type KeyForm struct {
	Prefix   string `yaml:"prefix"`                                       // cut off first: `whsec_`
	Encoding string `yaml:"encoding" default:"raw" enum:"raw,hex,base64"` // of the rest
}

// Challenge is what a provider asks before it sends events: a known provider's
// name, or its question and answer as data.
type Challenge struct {
	// whose question it is; of the rest, only `token` goes with it
	Provider string `yaml:"provider" enum:"discord,dropbox,event-grid,meta,microsoft,monday,okta,slack,strava,trello,twitch,twitter,zoom"`
	// of the question
	Method string `yaml:"method" default:"POST" enum:"GET,HEAD,POST"`
	// places and what they hold, as in a route: what makes a request the question
	Match map[string]Values `yaml:"match" keys:"any"`
	// the place of what is said back; without it there, it is not the question
	Value string `yaml:"value" aka:"challenge,echo"`
	// the place of a token that was agreed on
	TokenAt string `yaml:"token_at"`
	// the token
	Token Secret `yaml:"token" aka:"verify_token"`
	// the question is not signed, though events are
	Unsigned bool `yaml:"unsigned"`
	// of the answer
	Status int `yaml:"status" default:"200"`
	// a text, or a map that becomes JSON; `{challenge}` is the value, `{hmac_hex}` and `{hmac_base64}` its HMAC-SHA256 under the webhook's secret
	Answer any `yaml:"answer" else:"the value"`

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
	Origins []string `yaml:"origins" else:"any"` // hosts that may be granted what they ask for by OPTIONS
	Batch   int      `yaml:"batch" min:"1"`      // how many events one request may bring, at most 1000; without it batches are refused
}
