package webhook

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/event-gateway/gateway/gateway/store"
)

// retryAfter is how many seconds a sender is asked to wait.
const retryAfter = "5"

// Header values that are the same in every answer; net/http only reads them.
var (
	typeJSON    = []string{"application/json"}
	typeProblem = []string{"application/problem+json"}
	typeText    = []string{"text/plain; charset=utf-8"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
)

func begin(w http.ResponseWriter, contentType []string, status int) {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
}

// buffers hold answers while they are written.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// answerAccepted is the answer that nearly every request gets, so it is put
// together by hand.
func answerAccepted(w http.ResponseWriter, receipt *store.Receipt) {
	buffer, _ := buffers.Get().(*[]byte)
	b := append((*buffer)[:0], `{"status":"accepted",`...)
	b = append(appendReceipt(b, receipt), "}\n"...)
	begin(w, typeJSON, http.StatusAccepted)
	// An answer that cannot be written has no reader to tell.
	_, _ = w.Write(b)
	*buffer = b
	buffers.Put(buffer)
}

// answerBatch says of each event of a batch what answerAccepted says of one.
func answerBatch(w http.ResponseWriter, receipts []store.Receipt) {
	b := []byte(`{"status":"accepted","events":[`)
	for i := range receipts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendReceipt(append(b, '{'), &receipts[i]), '}')
	}
	begin(w, typeJSON, http.StatusAccepted)
	_, _ = w.Write(append(b, "]}\n"...))
}

// appendReceipt appends the members of an object.
func appendReceipt(b []byte, receipt *store.Receipt) []byte {
	b = append(b, `"event_id":`...)
	b = appendString(b, receipt.EventID)
	b = append(b, `,"event_type":`...)
	b = appendString(b, receipt.EventType)
	b = append(b, `,"workflows_triggered":`...)
	b = strconv.AppendInt(b, int64(receipt.Deliveries), 10)
	b = append(b, `,"duplicate":`...)
	return strconv.AppendBool(b, receipt.Duplicate)
}

// appendString appends a JSON string; names are nearly always plain ASCII.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			text, _ := json.Marshal(s)
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// problem is an error of RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// answer tells what went wrong, in words that give nothing away.
func answer(w http.ResponseWriter, status int, detail string) {
	writeJSON(w, typeProblem, status, problem{"about:blank", http.StatusText(status), status, detail})
}

// answerUnauthorized is one fixed answer for everything that has to do with
// who may send: missing, wrong and stale look the same from outside.
func answerUnauthorized(w http.ResponseWriter) {
	answer(w, http.StatusUnauthorized, "the request is not one that this webhook accepts")
}

func answerMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	answer(w, http.StatusMethodNotAllowed, "this address takes "+allow)
}

func answerTest(w http.ResponseWriter, spec *Spec) {
	writeJSON(w, typeJSON, http.StatusOK, struct {
		Status  string `json:"status"`
		Webhook string `json:"webhook"`
		Scheme  string `json:"scheme"`
	}{"ok", spec.Name, spec.SchemeName})
}

func writeJSON(w http.ResponseWriter, contentType []string, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic("webhook: an answer of strings and numbers has JSON: " + err.Error())
	}
	begin(w, contentType, status)
	_, _ = w.Write(append(text, '\n'))
}
