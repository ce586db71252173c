package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/value"
)

func (c *checker) webhooks() {
	taken := map[string]string{}
	for _, name := range ordered(c, "webhooks", c.doc.Config.Webhooks) {
		w, path := c.doc.Config.Webhooks[name], "webhooks."+name
		if w.MaxBody == 0 {
			w.MaxBody = c.doc.Config.Server.MaxBody
		} else {
			c.body(path+".max_body", w.MaxBody)
		}
		if w.Path == "" {
			w.Path = "/webhooks/" + name
		}
		if !value.IsURLPath(w.Path) {
			c.report(path+".path", "want a path like /hooks/partner: letters, digits and -._~ between single slashes", "")
		}
		if other, ok := taken[w.Path]; ok {
			c.report(path+".path", fmt.Sprintf("%s is already the path of webhook %q", c.quote(path+".path", w.Path), other), "defined at "+c.place("webhooks."+other, path))
		}
		taken[w.Path] = name
		c.scheme(path, &w)
		c.repeats(path+".repeated_within", &w)
		c.headers(path+".headers", w)
		c.challenge(path+".challenge", w.Challenge)
		c.cloudEvents(path+".cloudevents", w.CloudEvents)
		c.schema(path, &w)
		c.doc.Config.Webhooks[name] = w
	}
}

// scheme checks that a webhook has what its scheme needs and nothing that the
// scheme would silently ignore.
func (c *checker) scheme(path string, w *Webhook) {
	if w.Signature != nil && !slices.Contains([]string{"hmac", "token", "cloudevents", ""}, w.Scheme) {
		c.report(path+".signature", fmt.Sprintf("scheme %s has its own signature", w.Scheme), "describe one with scheme: hmac")
	}
	switch w.Scheme {
	case "none":
		if len(w.Secrets) > 0 {
			c.report(path+".secrets", "scheme none checks no secret", "remove the secrets, or choose a scheme")
		}
		if len(w.Allow) == 0 && !value.IsLoopback(c.doc.Config.Server.Listen) {
			c.report(path, fmt.Sprintf("scheme none on the public address %s needs allow", c.doc.Config.Server.Listen), "list the networks that may send")
		}
		return
	case "hmac":
		if w.Signature == nil && !c.doc.file.Has(path+".signature") {
			c.report(path, "scheme hmac needs signature.header", "")
		}
	case "":
		return
	}
	switch {
	case w.Signature == nil:
	case w.Scheme == "token":
		c.token(path + ".signature")
	default:
		c.signature(path+".signature", w.Signature)
	}
	c.secrets(path, w)
}

// secrets drops those that are empty by default and judges the others.
func (c *checker) secrets(path string, w *Webhook) {
	if !c.doc.file.Has(path + ".secrets") {
		if !c.reported(path + ".secret") {
			c.report(path, fmt.Sprintf("scheme %s needs secrets", w.Scheme), `secrets: ["${env:NAME}"] or ["${file:path}"]`)
		}
		return
	}
	usable, sound := []Key{}, true
	for i, key := range w.Secrets {
		at := fmt.Sprintf("%s.secrets[%d]", path, i)
		if key.Value.Dropped() || c.reported(at) {
			continue
		}
		if weak := key.Value.Weakness(); weak != "" {
			c.report(at, "the secret "+weak, key.Value.Elsewhere())
			sound = false
		} else if key.Value.Literal() && !key.Value.Public(w.Scheme) {
			c.warn(at, "the secret is in the file itself", key.Value.Elsewhere())
		}
		key.position = i
		usable = append(usable, key)
	}
	w.Secrets = usable
	expired := func(k Key) bool { return !k.Until.IsZero() && k.Until.Before(c.opts.Now()) }
	switch {
	case len(usable) == 0 && !c.reported(path+".secrets"):
		c.report(path+".secrets", "no secret is left", "at least one must not be empty")
	case len(usable) > 0 && sound && !slices.ContainsFunc(usable, func(k Key) bool { return !expired(k) }):
		c.warn(path+".secrets", "every secret has expired", "nothing can be verified any more")
	}
}

// repeats checks that the body alone tells which sendings are one, and that no
// signature vouches for it: a captured request would have one for ever.
func (c *checker) repeats(path string, w *Webhook) {
	switch {
	case w.RepeatedWithin == 0:
	case w.ID != "" || w.CloudEvents != nil || w.Scheme == "cloudevents":
		c.report(path, "ids tell here which sendings are one", "leave it out")
	case w.Scheme != "token" && w.Scheme != "none" && w.Scheme != "":
		c.report(path, fmt.Sprintf("goes with schemes token and none: of %s a captured request could be sent, and run, again and again", w.Scheme), "leave it out")
	}
}

// reported tells whether the walker has already complained below path.
func (c *checker) reported(path string) bool {
	return slices.ContainsFunc(c.decoded, func(p Problem) bool { return strings.HasPrefix(p.Path, path) })
}

// reportedAt is reported, for path itself alone.
func (c *checker) reportedAt(path string) bool {
	return slices.ContainsFunc(c.decoded, func(p Problem) bool { return p.Path == path })
}

func (c *checker) headers(path string, w Webhook) {
	for i, name := range w.Headers {
		name = strings.ToLower(name)
		at := fmt.Sprintf("%s[%d]", path, i)
		if c.reported(at) {
			continue
		}
		isSignature := w.Signature != nil && strings.EqualFold(name, w.Signature.Header)
		switch {
		case !value.IsHeader(name):
			c.report(at, c.quote(at, name)+" is not a header name", "")
		case slices.Contains([]string{"authorization", "proxy-authorization", "cookie", "x-hub-signature", "x-hub-signature-256"}, name) || isSignature:
			c.report(at, fmt.Sprintf("%s is a credential and never kept", name), "")
		}
		w.Headers[i] = name
	}
}
