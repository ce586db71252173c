package config

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checker finds what is wrong with values that are each well formed, and
// completes those that depend on others.
type checker struct {
	doc      *Document
	dir      string
	opts     Options
	problems Problems
}

func check(doc *Document, dir string, opts Options) Problems {
	c := &checker{doc: doc, dir: dir, opts: opts}
	if v := doc.Config.Version; v != 1 && v != 0 {
		c.report("version", fmt.Sprintf("this gateway understands version 1, not %d", v), "")
	}
	c.server(&doc.Config.Server)
	doc.Config.Store.Path = c.absolute(doc.Config.Store.Path)
	c.engines()
	c.webhooks()
	c.schedules()
	c.routes()
	return c.problems
}

func (c *checker) report(path, message, hint string) {
	c.problems = append(c.problems, c.doc.Problem(path, message, hint))
}

func (c *checker) warn(path, message, hint string) {
	p := c.doc.Problem(path, message, hint)
	if !c.opts.Strict {
		p.Severity = Warning
	}
	c.problems = append(c.problems, p)
}

func (c *checker) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// ordered returns the keys of a map in the order of the file, so that "first
// defined at" speaks of the upper one.
func ordered[V any](c *checker, section string, entries map[string]V) []string {
	names := make([]string, 0, len(entries))
	for _, e := range c.doc.section(section) {
		if _, ok := entries[e]; ok {
			names = append(names, e)
		}
	}
	return names
}

func (c *checker) server(s *Server) {
	c.address("server.listen", s.Listen)
	if c.address("server.admin", s.Admin) && !isLoopback(s.Admin) {
		c.report("server.admin", "must be a loopback address: access control for others is not supported by this version", "write 127.0.0.1:9090")
	}
	if _, port, _ := net.SplitHostPort(s.Listen); s.Listen == s.Admin && port != "0" {
		c.report("server.admin", "is the same address as server.listen", "")
	}
	if s.PublicURL == "" {
		return
	}
	u, err := url.Parse(s.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		c.report("server.public_url", "want a URL without a path, like https://hooks.example.com", "")
	}
}

func (c *checker) address(path, text string) bool {
	host, port, err := net.SplitHostPort(text)
	n, perr := strconv.ParseUint(port, 10, 16)
	_, ierr := netip.ParseAddr(host)
	bad := err != nil || perr != nil || strconv.FormatUint(n, 10) != port || strings.ContainsAny(host, " /") || strings.Contains(host, ":") && ierr != nil
	if bad {
		c.report(path, fmt.Sprintf("want an address like 127.0.0.1:8080 or :8080, got %q", text), "")
	}
	return !bad
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (c *checker) engines() {
	for name, e := range c.doc.Config.Engines {
		path := "engines." + name
		if sum, err := hex.DecodeString(e.SHA256); e.SHA256 != "" && (err != nil || len(sum) != 32) {
			c.report(path+".sha256", "want 64 hex digits", "")
		}
		if e.Plugin == "" && c.doc.has(path+".plugin") {
			c.report(path+".plugin", "is empty", "")
		}
		e.SHA256, e.Plugin = strings.ToLower(e.SHA256), c.absolute(e.Plugin)
		c.doc.Config.Engines[name] = e
	}
}

func (c *checker) webhooks() {
	taken := map[string]string{}
	for _, name := range ordered(c, "webhooks", c.doc.Config.Webhooks) {
		w, path := c.doc.Config.Webhooks[name], "webhooks."+name
		if w.MaxBody == 0 {
			w.MaxBody = c.doc.Config.Server.MaxBody
		}
		if w.Path == "" {
			w.Path = "/webhooks/" + name
		}
		if !isURLPath(w.Path) {
			c.report(path+".path", "want a path like /hooks/partner: letters, digits and -._~ between single slashes", "")
		}
		if other, ok := taken[w.Path]; ok {
			c.report(path+".path", fmt.Sprintf("%s is already the path of webhook %q", w.Path, other), fmt.Sprintf("defined at line %d", c.doc.line("webhooks."+other)))
		}
		taken[w.Path] = name
		c.scheme(path, &w)
		c.headers(path+".headers", w)
		c.doc.Config.Webhooks[name] = w
	}
}

func isURLPath(path string) bool {
	segments := strings.Split(path, "/")
	if len(segments) < 2 || segments[0] != "" {
		return false
	}
	for _, s := range segments[1:] {
		if s == "" || s == "." || s == ".." || strings.ContainsFunc(s, func(r rune) bool {
			return !isAlnum(r) && !strings.ContainsRune("-._~", r)
		}) {
			return false
		}
	}
	return true
}

// scheme checks that a webhook has what its scheme needs and nothing that the
// scheme would silently ignore.
func (c *checker) scheme(path string, w *Webhook) {
	if w.Signature != nil && w.Scheme != "hmac" && w.Scheme != "" {
		c.report(path+".signature", fmt.Sprintf("scheme %s has its own signature", w.Scheme), "describe one with scheme: hmac")
	}
	switch w.Scheme {
	case "none":
		if len(w.Secrets) > 0 {
			c.report(path+".secrets", "scheme none checks no secret", "remove the secrets, or choose a scheme")
		}
		if len(w.Allow) == 0 && !isLoopback(c.doc.Config.Server.Listen) {
			c.report(path, fmt.Sprintf("scheme none on the public address %s needs allow", c.doc.Config.Server.Listen), "list the networks that may send")
		}
		return
	case "hmac":
		if w.Signature == nil && !c.doc.has(path+".signature") {
			c.report(path, "scheme hmac needs signature.header", "")
		}
	case "":
		return
	}
	if w.Signature != nil {
		c.signature(path+".signature", w.Signature)
	}
	c.secrets(path, w)
}

// secrets drops those that are empty by default and judges the others.
func (c *checker) secrets(path string, w *Webhook) {
	if !c.doc.has(path + ".secrets") {
		if !c.reported(path + ".secret") {
			c.report(path, fmt.Sprintf("scheme %s needs secrets", w.Scheme), `secrets: ["${env:NAME}"] or ["${file:path}"]`)
		}
		return
	}
	usable, sound := []Key{}, true
	for i, key := range w.Secrets {
		at := fmt.Sprintf("%s.secrets[%d]", path, i)
		if key.Value.dropped || c.reported(at) {
			continue
		}
		if weak := key.Value.weakness(); weak != "" {
			c.report(at, "the secret "+weak, "")
			sound = false
		} else if key.Value.origin == literal {
			c.warn(at, "the secret is in the file itself", "write ${env:NAME} or ${file:path}")
		}
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

// reported tells whether the walker has already complained below path.
func (c *checker) reported(path string) bool {
	return slices.ContainsFunc(c.doc.walked, func(p Problem) bool { return strings.HasPrefix(p.Path, path) })
}

func (c *checker) signature(path string, s *Signature) {
	for _, h := range []struct{ path, name string }{
		{path + ".header", s.Header}, {path + ".timestamp.header", s.timestampHeader()}, {path + ".id.header", s.idHeader()},
	} {
		if h.name != "" && !isHeader(h.name) {
			c.report(h.path, fmt.Sprintf("%q is not a header name", h.name), "")
		}
	}
	used := c.template(path+".signed", s.Signed)
	switch {
	case used["timestamp"] && s.Timestamp == nil:
		c.report(path+".signed", "signs {timestamp}, but timestamp.header does not say where that is", "")
	case !used["timestamp"] && s.Timestamp != nil:
		c.report(path+".timestamp", "is not part of what is signed, so anybody could change it", "add {timestamp} to signed")
	case s.Timestamp == nil && c.doc.has(path+".tolerance"):
		c.report(path+".tolerance", "has no timestamp to compare with", "")
	}
	switch {
	case used["id"] && s.ID == nil:
		c.report(path+".signed", "signs {id}, but id.header does not say where that is", "")
	case !used["id"] && s.ID != nil:
		c.report(path+".id", "is not part of what is signed", "add {id} to signed")
	}
	if !used["body"] && len(used) > 0 || s.Signed != "" && len(used) == 0 {
		c.report(path+".signed", "does not sign the body", "add {body}")
	}
}

func (s *Signature) timestampHeader() string {
	if s.Timestamp == nil {
		return ""
	}
	return s.Timestamp.Header
}

func (s *Signature) idHeader() string {
	if s.ID == nil {
		return ""
	}
	return s.ID.Header
}

// template returns the placeholders of what is signed.
func (c *checker) template(path, signed string) map[string]bool {
	used := map[string]bool{}
	for rest := signed; ; {
		_, after, open := strings.Cut(rest, "{")
		if !open {
			return used
		}
		name, tail, closed := strings.Cut(after, "}")
		known := []string{"body", "timestamp", "id"}
		if !closed || !slices.Contains(known, name) {
			hint := "know {body}, {timestamp} and {id}"
			if near := nearest(name, known); near != "" && closed {
				hint = didYouMean("{" + near + "}")
			}
			c.report(path, fmt.Sprintf("unknown placeholder %q", "{"+name+strings.Repeat("}", len(rest[:1]))), hint)
			used["body"] = true // one problem is enough
			return used
		}
		used[name], rest = true, tail
	}
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
		case !isHeader(name):
			c.report(at, fmt.Sprintf("%q is not a header name", name), "")
		case slices.Contains([]string{"authorization", "proxy-authorization", "cookie", "x-hub-signature", "x-hub-signature-256"}, name) || isSignature:
			c.report(at, fmt.Sprintf("%s is a credential and never kept", name), "")
		}
		w.Headers[i] = name
	}
}

func isHeader(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !isAlnum(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func (c *checker) schedules() {
	for name, s := range c.doc.Config.Schedules {
		path := "schedules." + name
		hasCron, hasEvery := c.doc.has(path+".cron"), c.doc.has(path+".every")
		switch {
		case hasCron && hasEvery:
			c.report(path+".every", "cron is given too: choose one", "")
		case !hasCron && !hasEvery:
			c.report(path, "needs cron or every", `cron: "30 2 * * *" or every: 5m`)
		case hasEvery && s.Every < Duration(time.Second) && !c.reported(path+".every"):
			c.report(path+".every", "must be at least 1s", "")
		}
		if s.Type == "" {
			s.Type = "schedule." + name
		}
		c.doc.Config.Schedules[name] = s
	}
}

func (c *checker) routes() {
	cfg := c.doc.Config
	if e := cfg.Defaults.Engine; e != "" {
		c.engine("defaults.engine", e)
	}
	for name, r := range cfg.Routes {
		path := "routes." + name
		if len(r.Events) == 0 && c.doc.has(path+".events") && !c.reported(path+".events") {
			c.report(path+".events", "is empty, so the route matches nothing", "")
		}
		for i, event := range r.Events {
			if at := fmt.Sprintf("%s.events[%d]", path, i); !c.reported(at) {
				c.pattern(at, event)
			}
		}
		c.target(path+".run", &r.Run)
		if r.Order == "strict" && r.Concurrency > 1 {
			c.report(path+".concurrency", "order strict means one at a time", "leave concurrency out, or write order: none")
		}
		c.inherit(path+".retry", &r.Retry)
		cfg.Routes[name] = r
	}
}

// pattern checks the text of an event type with stars for segments.
func (c *checker) pattern(path, event string) {
	for segment := range strings.SplitSeq(event, ".") {
		switch {
		case segment == "":
			c.report(path, fmt.Sprintf("%q has an empty segment", event), "")
			return
		case strings.ContainsAny(segment, " \t\r\n"):
			c.report(path, fmt.Sprintf("%q has a space in it", event), "one event type to an item")
			return
		case strings.Contains(segment, "*") && segment != "*":
			c.report(path, fmt.Sprintf("in %q the star is only part of a segment", event), "a star stands for whole segments: github.*")
			return
		}
	}
}

func (c *checker) target(path string, t *Target) {
	if t.Workflow == "" {
		return // absent or wrong: reported
	}
	if t.Engine == "" && c.doc.Config.Defaults.Engine == "" {
		c.report(path, fmt.Sprintf("%q names no engine, and there is no defaults.engine", t.Workflow), "write engine/workflow")
		return
	}
	if t.Engine == "" {
		t.Engine = c.doc.Config.Defaults.Engine
		return
	}
	c.engine(path, t.Engine)
}

// engine checks that an engine is defined, by name: one that is defined
// wrongly has its own problems.
func (c *checker) engine(path, name string) {
	names := c.doc.section("engines")
	if slices.Contains(names, name) {
		return
	}
	hint := "no engines are defined"
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q? defined at line %d", near, c.doc.line("engines."+near))
	} else if len(names) > 0 {
		hint = "defined are: " + strings.Join(names, ", ")
	}
	c.report(path, fmt.Sprintf("no engine named %q", name), hint)
}

// inherit fills in from defaults.retry what a route leaves out.
func (c *checker) inherit(path string, r *Retry) {
	from := c.doc.Config.Defaults.Retry
	if !c.doc.has(path + ".attempts") {
		r.Attempts = from.Attempts
	}
	if !c.doc.has(path + ".backoff") {
		r.Backoff = from.Backoff
	}
	if !c.doc.has(path + ".jitter") {
		r.Jitter = from.Jitter
	}
	if !c.doc.has(path + ".give_up_after") {
		r.GiveUpAfter = from.GiveUpAfter
	}
}
