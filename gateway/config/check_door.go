package config

import (
	"fmt"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/files"
)

// challenge checks what a provider asks. Places and answers are compiled
// elsewhere.
func (c *checker) challenge(path string, ch *Challenge) {
	if ch == nil || c.reported(path) {
		return
	}
	described := []string{"method", "match", "value", "token_at", "unsigned", "status", "answer"}
	for _, key := range described {
		if ch.Provider != "" && c.doc.file.Has(path+"."+key) {
			c.report(path+"."+key, "is said by provider "+ch.Provider, "leave it out, or leave provider out and describe all of it")
		}
	}
	if c.doc.file.Has(path + ".token") {
		if weak := ch.Token.Weakness(); weak != "" {
			c.report(path+".token", "the token "+weak, "")
		} else if ch.Token.Literal() {
			c.warn(path+".token", "the token is in the file itself", "write ${env:NAME} or ${file:path}")
		}
	}
}

// maxEvents bounds what is committed at once for one request.
const maxEvents = 1000

// cloudEvents checks how a webhook takes CloudEvents.
func (c *checker) cloudEvents(path string, ce *CloudEvents) {
	if ce == nil {
		return
	}
	if ce.Batch > maxEvents {
		c.report(path+".batch", fmt.Sprintf("must be at most %d", maxEvents), "")
	}
	for i, origin := range ce.Origins {
		at := fmt.Sprintf("%s.origins[%d]", path, i)
		if strings.ContainsAny(origin, "/ \t:*") || origin == "" {
			c.report(at, c.quote(at, origin)+" is not the name of a host", "write events.example.com")
		}
	}
}

// schema reads the schema of a webhook; what is wrong in it is found elsewhere.
func (c *checker) schema(path string, w *Webhook) {
	if w.Schema.Path == "" {
		if c.doc.file.Has(path+".on_invalid") && !c.doc.file.Has(path+".schema") {
			c.report(path+".on_invalid", "there is no schema that data could break", "")
		}
		return
	}
	at := path + ".schema"
	written := c.quote(at, w.Schema.Path)
	w.Schema.Path = c.absolute(w.Schema.Path)
	text, err := c.files.Read(w.Schema.Path)
	if err != nil {
		c.report(at, "file "+written+": "+files.Reason(err), "")
		return
	}
	w.Schema.Text = text
}
