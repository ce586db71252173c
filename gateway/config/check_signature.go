package config

import (
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/value"
)

// token checks that what is said about a token is where it is and no more.
func (c *checker) token(path string) {
	for _, key := range c.doc.file.Keys(path) {
		if !slices.Contains([]string{"header", "prefix"}, key) {
			c.report(path+"."+key, "scheme token signs nothing: it knows header and prefix", "")
		}
	}
}

func (c *checker) signature(path string, s *Signature) {
	names := map[string]string{path + ".header": s.Header}
	if s.Timestamp != nil {
		names[path+".timestamp.header"] = s.Timestamp.Header
	}
	if s.ID != nil {
		names[path+".id.header"] = s.ID.Header
	}
	for at, name := range names {
		if name != "" && !value.IsHeader(name) {
			c.report(at, c.quote(at, name)+" is not a header name", "")
		}
	}
	used := c.template(path+".signed", s.Signed)
	c.signedTime(path, s, used["timestamp"])
	switch {
	case used["id"] && s.ID == nil:
		c.report(path+".signed", "signs {id}, but id.header does not say where that is", "")
	case !used["id"] && s.ID != nil:
		c.report(path+".id", "is not part of what is signed", "add {id} to signed")
	}
	c.signedBody(path, s, used)
}

// signedBody wants the body to be signed in one of the ways there are.
func (c *checker) signedBody(path string, s *Signature, used map[string]bool) {
	switch {
	case s.Digest != nil && !used["url"]:
		c.report(path+".digest", "is in the URL, which is not part of what is signed", "add {url} to signed")
	case used["body"] && (used["form"] || s.Digest != nil):
		c.report(path+".signed", "signs the body twice", "one of {body}, {form} and digest")
	case s.Signed != "" && !used["body"] && !used["form"] && s.Digest == nil:
		c.report(path+".signed", "does not sign the body", "add {body}")
	}
}

// signedTime checks where the time is: in the signed body, or in a header and
// then in what is signed.
func (c *checker) signedTime(path string, s *Signature, used bool) {
	at := s.Timestamp
	if at == nil {
		if used {
			c.report(path+".signed", "signs {timestamp}, but timestamp does not say where that is", "")
		}
		if c.doc.file.Has(path + ".tolerance") {
			c.report(path+".tolerance", "has no timestamp to compare with", "")
		}
		return
	}
	places := len(slices.DeleteFunc([]string{at.Header, at.Item, at.Body}, func(place string) bool { return place == "" }))
	switch {
	case places != 1 && !c.reported(path+".timestamp"):
		c.report(path+".timestamp", "wants one of header, item and body", "header: X-Timestamp")
	case at.Item != "" && s.Separator == "":
		c.report(path+".timestamp.item", "is an item of the signature's header, which needs a separator", `separator: ","`)
	case at.Body == "" && !used:
		c.report(path+".timestamp", "is not part of what is signed, so anybody could change it", "add {timestamp} to signed")
	case at.Body != "" && used:
		c.report(path+".signed", "signs {timestamp}, which is in the body", "leave it out")
	}
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
		known := []string{"body", "form", "timestamp", "id", "method", "url"}
		if !closed || !slices.Contains(known, name) {
			hint := "know {body}, {form}, {timestamp}, {id}, {method} and {url}"
			if near := decode.Nearest(name, known); near != "" && closed {
				hint = decode.DidYouMean("{" + near + "}")
			}
			c.report(path, "unknown placeholder in "+c.quote(path, signed), hint)
			used["body"] = true // one problem is enough
			return used
		}
		used[name], rest = true, tail
	}
}
