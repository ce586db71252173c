package handshake

import (
	"encoding/json"
	"net/http"
)

// Preset is what a known provider asks; nil for others. An interaction's ping
// at Discord and an event's ping are two questions, so it is a list.
func Preset(provider string) []Spec {
	type object = map[string]any
	const get, head, post = http.MethodGet, http.MethodHead, http.MethodPost
	is := func(place string, values ...any) map[string][]any { return map[string][]any{place: values} }
	switch provider {
	case "slack":
		return []Spec{{Method: post, Match: is("data.type", "url_verification"), Value: "data.challenge", Answer: theValue}}
	case "discord":
		// An event has the same type as an interaction's ping, 1, and an event
		// in it.
		ping := map[string][]any{"data.type": {json.Number("1")}, "data.event": {nil}}
		return []Spec{
			{Method: post, Match: ping, Answer: object{"type": 1}},
			{Method: post, Match: is("data.type", json.Number("0")), Status: http.StatusNoContent, Answer: ""},
		}
	case "zoom":
		return []Spec{{Method: post, Match: is("data.event", "endpoint.url_validation"), Value: "data.payload.plainToken",
			Answer: object{"plainToken": theValue, "encryptedToken": hmacHex}}}
	case "twitch":
		return []Spec{{Method: post, Match: is("headers.twitch-eventsub-message-type", "webhook_callback_verification"),
			Value: "data.challenge", Answer: theValue}}
	case "meta":
		return []Spec{subscription(theValue)}
	case "strava":
		return []Spec{subscription(object{"hub.challenge": theValue})}
	case "twitter":
		return []Spec{{Method: get, Value: "query.crc_token", Unsigned: true, Answer: object{"response_token": "sha256=" + hmacBase64}}}
	case "dropbox":
		return []Spec{{Method: get, Value: "query.challenge", Unsigned: true, Answer: theValue}}
	case "okta":
		return []Spec{{Method: get, Value: "headers.x-okta-verification-challenge", Unsigned: true, Answer: object{"verification": theValue}}}
	case "microsoft":
		return []Spec{{Method: post, Value: "query.validationToken", Unsigned: true, Answer: theValue}}
	case "event-grid":
		return []Spec{{Method: post, Match: is("headers.aeg-event-type", "SubscriptionValidation"), Value: "data.0.data.validationCode",
			Unsigned: true, Answer: object{"validationResponse": theValue}}}
	case "monday":
		return []Spec{{Method: post, Value: "data.challenge", Unsigned: true, Answer: object{"challenge": theValue}}}
	case "trello":
		return []Spec{{Method: head, Unsigned: true, Answer: ""}}
	}
	return nil
}

// subscription is how WebSub's relatives ask: with a token that was agreed on.
func subscription(answer any) Spec {
	return Spec{ //nolint:gosec // names of parameters, not their values
		Method: http.MethodGet, Match: map[string][]any{"query.hub.mode": {"subscribe"}}, Value: "query.hub.challenge",
		TokenAt: "query.hub.verify_token", Unsigned: true, Answer: answer,
	}
}

// Providers are the names that Preset knows.
func Providers() []string {
	return []string{
		"discord", "dropbox", "event-grid", "meta", "microsoft", "monday", "okta", "slack", "strava", "trello", "twitch", "twitter", "zoom",
	}
}
