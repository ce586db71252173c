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

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/files"
	"github.com/event-gateway/gateway/gateway/config/slip"
	"github.com/event-gateway/gateway/gateway/config/value"
)

// checker finds what is wrong with values that are each well formed, and
// completes those that depend on others.
type checker struct {
	doc      *Document
	dir      string
	opts     Options
	files    *files.Set
	decoded  Problems // what decoding reported, so as not to repeat it
	problems Problems
}

func (c *checker) check() Problems {
	doc := c.doc
	if v := doc.Config.Version; v != 1 && v != 0 {
		c.report("version", fmt.Sprintf("this gateway understands version 1, not %d", v), "")
	}
	c.server(&doc.Config.Server)
	doc.Config.Store.Path = c.absolute(doc.Config.Store.Path)
	c.engines()
	c.webhooks()
	for name := range doc.Config.Schedules {
		c.schedule(name)
	}
	c.routes()
	return c.problems
}

func (c *checker) report(path, message, hint string) {
	if c.opts.NoSecrets && strings.Contains(c.doc.file.Scalar(path), "${") {
		return // its value is not known
	}
	c.problems = append(c.problems, c.doc.Problem(path, message, hint))
}

// quote quotes a value for a message: as the file has it, never what a
// reference in it was replaced with.
func (c *checker) quote(path, value string) string {
	if written := c.doc.file.Scalar(path); strings.Contains(written, "${") {
		value = written
	}
	return strconv.Quote(value)
}

func (c *checker) warn(path, message, hint string) {
	p := c.doc.Problem(path, message, hint)
	if !c.opts.Strict {
		p.Severity = Warning
	}
	c.problems = append(c.problems, p)
}

// place says where a path stands, for a problem at another one.
func (c *checker) place(path, seen string) string {
	return c.doc.file.Place(path, c.doc.file.Name(seen))
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
	for _, e := range c.doc.file.Keys(section) {
		if _, ok := entries[e]; ok {
			names = append(names, e)
		}
	}
	return names
}

func (c *checker) server(s *Server) {
	c.address("server.listen", s.Listen)
	c.admin(s)
	c.tokens(s.Tokens)
	if _, port, _ := net.SplitHostPort(s.Listen); s.Listen == s.Admin && port != "0" {
		c.report("server.admin", "is the same address as server.listen", "")
	}
	c.tls("server.tls", s.TLS)
	c.tls("server.admin_tls", s.AdminTLS)
	c.body("server.max_body", s.MaxBody)
	if s.PublicURL == "" {
		return
	}
	u, err := url.Parse(s.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		c.report("server.public_url", "want a URL without a path, like https://hooks.example.com", "")
	}
}

// maxBody is the largest body: what all requests together may hold.
const maxBody = Size(64 << 20)

func (c *checker) body(path string, size Size) {
	if size > maxBody {
		c.report(path, fmt.Sprintf("must be at most %s: all requests together hold no more", maxBody), "")
	}
}

func (c *checker) address(path, text string) bool {
	host, port, err := net.SplitHostPort(text)
	n, perr := strconv.ParseUint(port, 10, 16)
	_, ierr := netip.ParseAddr(host)
	bad := err != nil || perr != nil || strconv.FormatUint(n, 10) != port || strings.ContainsAny(host, " /") || strings.Contains(host, ":") && ierr != nil
	if bad {
		c.report(path, fmt.Sprintf("want an address like 127.0.0.1:8080 or :8080, got %s", c.quote(path, text)), "")
	}
	return !bad
}

func (c *checker) engines() {
	for name, e := range c.doc.Config.Engines {
		path := "engines." + name
		if sum, err := hex.DecodeString(e.SHA256); e.SHA256 != "" && (err != nil || len(sum) != 32) {
			c.report(path+".sha256", "want 64 hex digits", "")
		}
		if e.Plugin == "" && c.doc.file.Has(path+".plugin") {
			c.report(path+".plugin", "is empty", "")
		}
		e.SHA256, e.Plugin = strings.ToLower(e.SHA256), c.absolute(e.Plugin)
		c.doc.Config.Engines[name] = e
	}
}

func (c *checker) schedule(name string) {
	s, path := c.doc.Config.Schedules[name], "schedules."+name
	hasCron, hasEvery := c.doc.file.Has(path+".cron"), c.doc.file.Has(path+".every")
	switch {
	case hasCron && hasEvery:
		c.report(path+".every", "cron is given too: choose one", "")
	case !hasCron && !hasEvery && !c.reportedAt(path):
		c.report(path, "needs cron or every", `cron: "30 2 * * *" or every: 5m`)
	case hasEvery && s.Every < Duration(time.Second) && !c.reported(path+".every"):
		c.report(path+".every", "must be at least 1s", "")
	}
	c.bounds(path, s, hasEvery)
	if s.Type == "" {
		s.Type = "schedule." + name
	}
	c.doc.Config.Schedules[name] = s
}

func (c *checker) bounds(path string, s Schedule, every bool) {
	if every && s.Every > 0 && s.Jitter > s.Every && !c.reported(path+".jitter") {
		c.report(path+".jitter", "is longer than every", "")
	}
	if every && c.doc.file.Has(path+".dst") {
		c.report(path+".dst", "goes with cron: every follows elapsed time", "leave it out")
	}
	if !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start) {
		c.report(path+".end", "is before start", "")
	}
}

func (c *checker) routes() {
	cfg := c.doc.Config
	if e := cfg.Defaults.Engine; e != "" {
		c.engine("defaults.engine", e)
	}
	for name := range cfg.Routes {
		c.route(name)
	}
}

func (c *checker) route(name string) {
	r, path := c.doc.Config.Routes[name], "routes."+name
	if len(r.Events) == 0 && c.doc.file.Has(path+".events") && !c.reported(path+".events") {
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
	c.debounce(path+".debounce", r.Debounce)
	slip.Find(slip.Route[Values]{Path: path, Match: r.Match, With: r.With, Grouped: r.Debounce != nil}, c.doc.file.Has, c.warn)
	c.doc.Config.Routes[name] = r
}

// pattern checks the text of an event type with stars for segments.
func (c *checker) pattern(path, event string) {
	if wrong, hint := value.Pattern(event); wrong != "" {
		c.report(path, fmt.Sprintf(wrong, c.quote(path, event)), hint)
	}
}

func (c *checker) target(path string, t *Target) {
	if t.Workflow == "" {
		return // absent or wrong: reported
	}
	if t.Engine == "" && c.doc.Config.Defaults.Engine == "" {
		c.report(path, c.quote(path, t.Workflow)+" names no engine, and there is no defaults.engine", "write engine/workflow")
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
	names := c.doc.file.Keys("engines")
	if slices.Contains(names, name) || c.doc.partial {
		return
	}
	hint := "no engines are defined"
	if near := decode.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q? defined at %s", near, c.place("engines."+near, path))
	} else if len(names) > 0 {
		hint = "defined are: " + strings.Join(names, ", ")
	}
	c.report(path, "no engine named "+c.quote(path, name), hint)
}

// inherit fills in from defaults.retry what a route leaves out.
func (c *checker) inherit(path string, r *Retry) {
	from := c.doc.Config.Defaults.Retry
	if !c.doc.file.Has(path + ".attempts") {
		r.Attempts = from.Attempts
	}
	if !c.doc.file.Has(path + ".backoff") {
		r.Backoff = from.Backoff
	}
	if !c.doc.file.Has(path + ".jitter") {
		r.Jitter = from.Jitter
	}
	if !c.doc.file.Has(path + ".give_up_after") {
		r.GiveUpAfter = from.GiveUpAfter
	}
}
