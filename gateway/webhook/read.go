package webhook

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

var (
	errTooLarge   = errors.New("body too large")
	errUnreadable = errors.New("body unreadable")
	errBusy       = errors.New("too many bytes in flight")
)

// step is how much of a large body is read before more memory is set aside: a
// sender that only claims to have much to say gets no more than this, so that
// all connections together, each of them silent, cannot use up the budget.
const step = 1 << 10

// read takes the whole body, at most limit bytes, and never a part of it. held
// is what was taken from the budget and must be given back, also on an error.
func (h *Handler) read(r *http.Request, limit int64) (body []byte, held int64, err error) {
	announced := r.ContentLength
	if announced > limit {
		return nil, 0, errTooLarge
	}
	for announced < 0 || int64(len(body)) < announced {
		if int64(len(body)) == held {
			size := nextSize(held, announced, limit)
			if !h.reserve(size - held) {
				return nil, held, errBusy
			}
			held = size
			body = append(make([]byte, 0, size), body...)
		}
		n, err := r.Body.Read(body[len(body):held])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, held, errTooLarge
		case err == io.EOF && announced <= int64(len(body)):
			return body, held, nil
		case err != nil:
			return nil, held, errUnreadable
		}
	}
	return body, held, nil
}

// nextSize is how large the buffer becomes: eight times as large, exactly what
// was announced, or, when nothing was, one byte more than the limit so that what
// is too large shows itself.
func nextSize(held, announced, limit int64) int64 {
	size := max(step, 8*held)
	if announced >= 0 {
		return min(size, announced)
	}
	return min(size, limit+1)
}

// reserve takes n bytes from the budget, if it has them.
func (h *Handler) reserve(n int64) bool {
	budget := h.Budget
	if budget == 0 {
		budget = DefaultBudget
	}
	if h.inFlight.Add(n) > budget {
		h.inFlight.Add(-n)
		return false
	}
	return true
}

// acceptable tells whether the content can become an event: JSON (also when no
// type is given), a form, text, or any other bytes. A body that is compressed,
// or several in one, is not looked into.
func acceptable(h http.Header) (contentType string, ok bool) {
	if encoding := h.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return "", false
	}
	contentType = h.Get("Content-Type")
	if contentType == "" || contentType == "application/json" {
		return contentType, true
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", false
	}
	kind, _, _ := strings.Cut(media, "/")
	switch kind {
	case "application", "text", "image", "audio", "video":
		return contentType, true
	}
	return contentType, false
}
