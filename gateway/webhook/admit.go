package webhook

import (
	"net/http"
	"strconv"
	"time"
)

// admit refuses senders that may not send, or that send too much, before a byte
// of a body is read. What it counts is what each sender sends; the rate of a
// webhook as a whole is only used up by requests that were verified, so that
// nobody can use it up for others.
func (t *Table) admit(w http.ResponseWriter, r *http.Request, hook *Webhook) bool {
	if len(hook.spec.Allow) == 0 && hook.spec.Rate.Count == 0 {
		return true
	}
	addr, known := t.front.Proxies.Client(r.RemoteAddr, r.Header)
	if len(hook.spec.Allow) > 0 && (!known || !hook.spec.Allow.Contain(addr)) {
		hook.counters.address.Add(1)
		answerUnauthorized(w)
		return false
	}
	// Those whose address cannot be told are one sender: the zero address.
	if wait := hook.limiter.Sender(hook.spec.Rate, hook.spec.Name, addr); wait > 0 {
		hook.answerTooMany(w, wait)
		return false
	}
	return true
}

func (hook *Webhook) answerTooMany(w http.ResponseWriter, wait time.Duration) {
	hook.counters.rate.Add(1)
	seconds := int64((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	answer(w, http.StatusTooManyRequests, "too many requests; send it again later")
}
