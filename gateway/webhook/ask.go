package webhook

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
)

// other takes a request that is no POST: a provider may ask, before it sends
// anything, whether it may.
func (h *Handler) other(w http.ResponseWriter, r *http.Request, table *Table, hook *Webhook) {
	consent := r.Method == http.MethodOptions && hook.spec.CloudEvents != nil
	if !consent && !hook.handshakes.Takes(r.Method, true) && !hook.handshakes.Takes(r.Method, false) {
		answerMethod(w, http.MethodPost)
		return
	}
	switch {
	case !table.admit(w, r, hook):
	case consent:
		hook.consent(w, r)
	default:
		hook.ask(w, r, table, h.clock())
	}
}

func (hook *Webhook) ask(w http.ResponseWriter, r *http.Request, table *Table, now time.Time) {
	q := &handshake.Question{Request: r, Now: now}
	switch {
	case hook.asked(w, q):
		return
	case !hook.handshakes.Takes(r.Method, true):
		answerMethod(w, http.MethodPost)
		return
	}
	request := table.request(hook, r, nil)
	signed, err := hook.verifier.Verify(&request, now)
	if err != nil {
		hook.answerUnverified(w, err)
		return
	}
	q.Verified, q.Secret = true, signed.Secret
	if !hook.asked(w, q) {
		answerMethod(w, http.MethodPost)
	}
}

// asked answers a request that is a question; false: it is none.
func (hook *Webhook) asked(w http.ResponseWriter, q *handshake.Question) bool {
	reply, err := hook.handshakes.Answer(q)
	switch {
	case errors.Is(err, handshake.ErrToken):
		hook.answerUnverified(w, verify.Mismatch)
	case err != nil:
		hook.counters.invalid.Add(1)
		answer(w, http.StatusBadRequest, err.Error())
	case reply == nil:
		return false
	default:
		hook.counters.handshakes.Add(1)
		begin(w, []string{reply.ContentType}, reply.Status)
		_, _ = w.Write(reply.Body)
	}
	return true
}

// maxOrigin is the length of the longest name that DNS has.
const maxOrigin = 253

// consent answers the question of CloudEvents' HTTP webhooks: may this origin
// send, and how many a minute? It is no proof of who asks: what is sent is
// verified all the same. The callback that may be offered is never called.
func (hook *Webhook) consent(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Allow", "OPTIONS, POST")
	origins := r.Header["Webhook-Request-Origin"]
	if len(origins) == 0 {
		begin(w, typeText, http.StatusOK)
		return
	}
	origin := origins[0]
	if len(origins) > 1 || !printableName(origin) {
		hook.counters.invalid.Add(1)
		answer(w, http.StatusBadRequest, "WebHook-Request-Origin is one name of at most 253 characters")
		return
	}
	allowed := hook.spec.CloudEvents.Origins
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(o string) bool { return strings.EqualFold(o, origin) }) {
		hook.counters.origin.Add(1)
		answer(w, http.StatusForbidden, "this origin may not send here")
		return
	}
	hook.counters.handshakes.Add(1)
	header["WebHook-Allowed-Origin"] = []string{origin}
	header["WebHook-Allowed-Rate"] = []string{hook.perMinute()}
	begin(w, typeText, http.StatusOK)
}

func printableName(name string) bool {
	outside := func(r rune) bool { return r <= ' ' || r > '~' }
	return name != "" && len(name) <= maxOrigin && !strings.ContainsFunc(name, outside)
}

// perMinute is how many requests a minute the webhook's rate allows, * without
// one.
func (hook *Webhook) perMinute() string {
	rate := hook.spec.Rate
	if rate.Count == 0 {
		return "*"
	}
	return strconv.FormatInt(max(1, int64(rate.Count)*int64(time.Minute)/int64(rate.Window)), 10)
}
