package receiver

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"petstore/callbacks/receiver/verdict"
)

// Request is one request as it came, and what became of it. What is handed out is a copy; its slices and maps are
// shared and only read.
type Request struct {
	// Number is the receiver's own, ascending by arrival, and never used again.
	Number     int64
	Inbox      string
	ReceivedAt time.Time
	Method     string
	Target     string // path and query, as in the request line
	Path       string // without the query, as in the request line
	Query      string
	Protocol   string // HTTP/1.1
	Host       string
	RemoteAddr string
	// Headers are in the order and spelling in which they came, unless that was lost: see HeadersExact.
	Headers []Header
	// Trailers are the fields that came after a body in chunks.
	Trailers []Header
	// HeadersExact is false if the listener was not one of [Listen]. Headers are then sorted, their names canonical.
	HeadersExact bool
	// Body is what came, chunks put together, content codings such as gzip left as they are.
	Body []byte
	// BodyError is "too_long" if Body is but the first MiB, "incomplete" if the sender broke off, else "".
	BodyError string
	// DeliveryID is the sender's name of what is delivered, the same at each attempt; "" if it has none. See
	// [verdict.Request.DeliveryID].
	DeliveryID string
	// Type is what kind of event is told of: see [verdict.Request.EventType].
	Type string
	// Attempt counts how often the delivery has come to this path, this time included. Without an ID, what
	// has the same body is the same delivery. To the article's routes, only what is verified counts.
	Attempt int
	// Hint says what may have been meant, of a request that no route was for.
	Hint string
	// Verdicts are what is to be said of it; nil as long as it isn't judged.
	Verdicts []verdict.Verdict
	// Answer is nil as long as the request is being answered.
	Answer *Answer
	// Forwards are the exchanges with other receivers that the request was passed on in.
	Forwards []Exchange

	// Versions of the store: that in which it came, and that of its last change.
	arrived, version int64

	head head // as it came, empty if that was lost
	// What the article's routes know of a callback.
	verified, handled bool
}

// Answer is what the sender got.
type Answer struct {
	// Status is 0 if the connection was closed before an answer.
	Status int
	// Headers are those that went out, those that net/http adds too. Without [Listen], they are those that were set.
	Headers []Header
	// Body is the beginning of the answer's body, at most 4 KiB.
	Body []byte
	// Bytes of the body that were sent, or handed to the network at least.
	Bytes int64
	// Duration is the time from the arrival to the end of the answer.
	Duration time.Duration
	// Fault names what went wrong on purpose: "status", "delay, drop before"…; "" if nothing did.
	Fault string
	// Gone says that the sender closed the connection before the answer's end.
	Gone bool
}

// Exchange is a request that was passed on, and the answer to it.
type Exchange struct {
	Kind     string // "forward" or "replay"
	URL      string
	At       time.Time
	Duration time.Duration
	Status   int // 0 if no answer came
	Headers  []Header
	// Body is the beginning of the answer's body, at most 4 KiB.
	Body []byte
	// Error says in a few words why no answer came; "" if one did.
	Error string
}

// Header returns the first value of a header, "" if there is none. Names have no case.
func (r *Request) Header(name string) string { return valueOf(r.Headers, name) }

// Field returns a member of a JSON body by its path, such as order_id or items.0.sku: text as it is, any other value
// as JSON. It returns false if there is none.
func (r *Request) Field(path string) (string, bool) {
	value := json.RawMessage(r.Body)
	for name := range strings.SplitSeq(path, ".") {
		var found bool
		if value, found = member(value, name); !found {
			return "", false
		}
	}
	var text string
	if json.Unmarshal(value, &text) == nil && string(value) != "null" {
		return text, true
	}
	return strings.TrimSpace(string(value)), true
}

// member returns a member of an object, or an element of an array.
func member(value json.RawMessage, name string) (json.RawMessage, bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) == nil {
		found, ok := object[name]
		return found, ok
	}
	var array []json.RawMessage
	index, err := strconv.Atoi(name)
	if err != nil || json.Unmarshal(value, &array) != nil || index < 0 || index >= len(array) {
		return nil, false
	}
	return array[index], true
}

// size is what keeping the request takes, roughly, in bytes.
func (r *Request) size() int64 {
	const overhead = 1 << 10
	size := overhead + len(r.head.text) + len(r.head.trailer) + len(r.Body) + len(r.Target)
	if r.head.text == "" {
		size += headersSize(r.Headers) + headersSize(r.Trailers)
	}
	for i := range r.Verdicts {
		size += 128 + len(r.Verdicts[i].Text) + len(r.Verdicts[i].Field)
	}
	if r.Answer != nil {
		size += len(r.Answer.Body) + headersSize(r.Answer.Headers)
	}
	for _, f := range r.Forwards {
		size += len(f.Body) + headersSize(f.Headers) + len(f.URL) + len(f.Error)
	}
	return int64(size)
}

func headersSize(headers []Header) int {
	size := 0
	for _, h := range headers {
		size += len(h.Name) + len(h.Value) + 32
	}
	return size
}
