package main

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// target is where a request goes. Placeholders stand in the path and in the
// query only, and what comes of them is escaped: no event chooses a host,
// climbs to another folder or adds a parameter.
type target struct {
	url    template
	origin string // scheme://host, all of it that may be shown
	host   string // with its port, if it has one
}

// parseTarget never quotes the URL: services put secrets into theirs.
func parseTarget(text string) (target, *url.URL, error) {
	t, err := parse(text)
	if err != nil {
		return target{}, nil, err
	}
	sample, err := url.Parse(t.sample())
	switch {
	case err != nil || strings.ContainsFunc(text, isControl):
		return target{}, nil, errors.New("is not a URL")
	case sample.Scheme != "https" && sample.Scheme != "http":
		return target{}, nil, errors.New("must begin with https:// or http://")
	case sample.User != nil:
		return target{}, nil, errors.New("holds a user or a password, which belong in the header Authorization")
	case strings.Contains(text, "#"):
		return target{}, nil, errors.New("has a fragment, which is never sent")
	case !t.fixedHost():
		return target{}, nil, errors.New("has a placeholder in its host: they may stand in the path and the query only")
	case sample.Hostname() == "":
		return target{}, nil, errors.New("has no host")
	case climbs(sample.Path):
		return target{}, nil, errors.New("has . or .. in its path")
	}
	return target{url: t, origin: sample.Scheme + "://" + sample.Host, host: sample.Host}, sample, nil
}

// sample is the text with something harmless for each placeholder.
func (t template) sample() string {
	var b strings.Builder
	for _, p := range t {
		if p.name != nil {
			b.WriteByte('1')
		}
		b.WriteString(p.literal)
	}
	return b.String()
}

// fixedHost is whether path or query begin before the first placeholder.
func (t template) fixedHost() bool {
	if len(t) == 1 && t[0].name == nil {
		return true
	}
	_, rest, found := strings.Cut(t[0].literal, "://")
	return found && strings.ContainsAny(rest, "/?")
}

// fill makes the URL of one run.
func (t target) fill(v values) (*url.URL, error) {
	i := slices.IndexFunc(t.url, func(p part) bool { return strings.Contains(p.literal, "?") })
	if i < 0 {
		i = len(t.url) - 1
	}
	path, err := t.url[:i+1].text(v, inPath)
	if err != nil {
		return nil, err
	}
	query, err := t.url[i+1:].text(v, func(s string) (string, error) { return url.QueryEscape(s), nil })
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(path + query)
	if err != nil || u.Host != t.host {
		return nil, errors.New("is not a URL any more") // its own words quote it
	}
	if climbs(u.Path) {
		return nil, errors.New("would have . or .. in its path")
	}
	return u, nil
}

// inPath escapes slashes too, so that a value stays one segment.
func inPath(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("is empty, in the path")
	case strings.ContainsFunc(s, isControl):
		return "", errors.New("holds a control character, in the path")
	}
	return url.PathEscape(s), nil
}

// climbs is whether a path leads upwards, once it is decoded as carelessly as
// some servers do.
func climbs(path string) bool {
	for _, segment := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
