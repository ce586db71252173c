package verify

import (
	"slices"
	"time"
)

// Preset is the scheme of a known name. Hmac is the open vocabulary: it is
// the usual defaults and a header still to be named.
func Preset(name string) (Scheme, bool) {
	for _, p := range presets() {
		if p.name == name {
			return p.scheme, true
		}
	}
	return Scheme{}, false
}

// Presets are the names of all presets.
func Presets() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

type preset struct {
	name   string
	scheme Scheme
}

// presets is the table of providers. What their documentation says is here and
// nowhere else.
func presets() []preset {
	return slices.Concat(overBody(), overTime(), standard(), others(), open())
}

// hexOverBody is the HMAC-SHA-256 of the body in hex: what most providers do.
func hexOverBody(header, prefix string) Proof {
	return Proof{Header: header, Prefix: prefix, Hash: "sha256", Encoding: "hex", Signed: "{body}"}
}

// overBody are the providers that sign the body alone.
func overBody() []preset {
	shopify := func(prefix string) Proof {
		return Proof{Header: prefix + "Shopify-Hmac-Sha256", Hash: "sha256", Encoding: "base64", Signed: "{body}"}
	}
	pagerduty := hexOverBody("X-PagerDuty-Signature", "v1=")
	pagerduty.Separator = ","
	linear := hexOverBody("Linear-Signature", "")
	linear.Timestamp = Timestamp{Body: "webhookTimestamp", Unit: "ms", Tolerance: time.Minute}
	return []preset{
		{"github", Scheme{
			Proofs: []Proof{hexOverBody("X-Hub-Signature-256", "sha256=")},
			Names:  Names{Types: byHeader("github.", "X-GitHub-Event"), ID: headers("X-GitHub-Delivery")},
		}},
		{"bitbucket", Scheme{
			Proofs: []Proof{hexOverBody("X-Hub-Signature", "sha256=")}, // SHA-256, whatever the name says elsewhere
			Names:  Names{Types: byHeader("bitbucket.", "X-Event-Key"), Dots: ":", ID: headers("X-Request-UUID", "X-Request-Id")},
		}},
		{"shopify", Scheme{
			Proofs: []Proof{shopify("X-"), shopify("")},
			Names: Names{
				Types: append(byHeader("shopify.", "X-Shopify-Topic"), byHeader("shopify.", "Shopify-Topic")...), Dots: "/",
				ID:   headers("X-Shopify-Webhook-Id", "Shopify-Webhook-Id"),
				Keep: []string{"X-Shopify-Shop-Domain", "X-Shopify-Event-Id", "X-Shopify-Triggered-At", "X-Shopify-Api-Version"},
			},
		}},
		{"pagerduty", Scheme{
			Proofs: []Proof{pagerduty},
			Names:  Names{Types: byBody("pagerduty.", "event.event_type"), ID: fields("event.id"), Keep: []string{"X-Webhook-Id"}},
		}},
		{"linear", Scheme{
			Proofs: []Proof{linear},
			Names: Names{
				Types: append(byBody("linear.", "type", "action"), byBody("linear.", "type")...),
				ID:    headers("Linear-Delivery"), Keep: []string{"Linear-Event"},
			},
		}},
	}
}

// overTime are the providers that sign a time with the body.
func overTime() []preset {
	return []preset{
		{"stripe", Scheme{
			Proofs: []Proof{{
				Header: "Stripe-Signature", Separator: ",", Prefix: "v1=", Hash: "sha256", Encoding: "hex",
				Signed: "{timestamp}.{body}", Timestamp: Timestamp{Item: "t=", Unit: "s"},
			}},
			Names: Names{Types: byBody("stripe.", "type"), ID: fields("id")},
		}},
		{"slack", Scheme{
			Proofs: []Proof{{
				Header: "X-Slack-Signature", Prefix: "v0=", Hash: "sha256", Encoding: "hex",
				Signed: "v0:{timestamp}:{body}", Timestamp: Timestamp{Header: "X-Slack-Request-Timestamp", Unit: "s"},
			}},
			Names: Names{
				Types: slices.Concat(byBody("slack.", "event.type"), byBody("slack.", "type"), byBody("slack.command", "command")),
				Dots:  "/", ID: fields("event_id"), Keep: []string{"X-Slack-Retry-Num", "X-Slack-Retry-Reason"},
			},
		}},
		{"discord", Scheme{
			Proofs: []Proof{{
				Method: Ed25519, Header: "X-Signature-Ed25519", Encoding: "hex", Signed: "{timestamp}{body}",
				Timestamp: Timestamp{Header: "X-Signature-Timestamp", Unit: "s"}, Secret: SecretForm{Encoding: "hex"},
			}},
			Names: Names{Types: append(byBody("discord.", "event.type"), byBody("discord.interaction.", "type")...), ID: fields("id")},
		}},
	}
}

// standardProof is version 1 of Standard Webhooks, with shared secrets.
func standardProof(prefix string) Proof {
	return Proof{
		Header: prefix + "-Signature", Separator: " ", Prefix: "v1,", Hash: "sha256", Encoding: "base64",
		Signed: "{id}.{timestamp}.{body}", ID: prefix + "-Id", Timestamp: Timestamp{Header: prefix + "-Timestamp", Unit: "s"},
		Secret: SecretForm{Prefix: "whsec_", Encoding: "base64", Min: 24},
	}
}

// standardKey is version 1a of it, with a public key.
func standardKey(prefix string) Proof {
	p := standardProof(prefix)
	p.Method, p.Prefix, p.Hash = Ed25519, "v1a,", ""
	p.Secret = SecretForm{Prefix: "whpk_", Private: "whsk_", Encoding: "base64"}
	return p
}

// standard are the providers that follow Standard Webhooks.
func standard() []preset {
	return []preset{
		{"standard-webhooks", Scheme{
			Proofs: []Proof{standardProof("Webhook"), standardProof("Svix"), standardKey("Webhook"), standardKey("Svix")},
			Names:  Names{Types: byBody("", "type")},
		}},
		{"gitlab", Scheme{
			// The signing token, and the shared token of before.
			Proofs: []Proof{standardProof("Webhook"), {Method: Token, Header: "X-Gitlab-Token"}},
			Names: Names{
				Types: append(byBody("gitlab.", "object_kind"), byBody("gitlab.", "event_name")...),
				ID:    headers("Idempotency-Key"), Keep: []string{"X-Gitlab-Event", "X-Gitlab-Event-UUID", "X-Gitlab-Instance"},
			},
		}},
	}
}

// others sign in ways of their own.
func others() []preset {
	return []preset{
		{"twilio", Scheme{
			Proofs: []Proof{{
				Header: "X-Twilio-Signature", Hash: "sha1", Encoding: "base64", Signed: "{url}{form}", Digest: "bodySHA256",
			}},
			Names: Names{
				Types: slices.Concat(byBody("twilio.message.", "MessageStatus"), byBody("twilio.message.", "SmsStatus"), byBody("twilio.call.", "CallStatus")),
				ID:    headers("I-Twilio-Idempotency-Token"),
			},
		}},
		// CloudEvents name themselves; their binding to HTTP is package webhook's.
		{"cloudevents", Scheme{Proofs: []Proof{bearer()}}},
	}
}

// bearer is the token of RFC 6750.
func bearer() Proof { return Proof{Method: Token, Header: "Authorization", Prefix: "Bearer "} }

// open are the schemes that webhooks describe for themselves.
func open() []preset {
	return []preset{
		{"hmac", Scheme{Proofs: []Proof{hexOverBody("", "")}}},
		{"token", Scheme{Proofs: []Proof{bearer()}}},
		{"none", Scheme{None: true}},
	}
}

func byHeader(prefix, name string) []Kind { return []Kind{{prefix, headers(name)}} }

func byBody(prefix string, paths ...string) []Kind { return []Kind{{prefix, fields(paths...)}} }

func headers(names ...string) []Place {
	var places []Place
	for _, name := range names {
		places = append(places, Place{Header: name})
	}
	return places
}

func fields(paths ...string) []Place {
	var places []Place
	for _, path := range paths {
		places = append(places, Place{Body: path})
	}
	return places
}
