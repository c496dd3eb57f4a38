package receiver

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"petstore/callbacks"
)

const maxWait = 60 * time.Second

// query is what GET /received was asked.
type query struct {
	fields map[string]string
	wait   time.Duration
	count  int // accepted callbacks to wait for; 0 is one that is terminal
}

// field names the fields of an update that can be asked for.
var field = fields()

func fields() map[string]func(callbacks.Update) string {
	named := map[string]func(callbacks.Update) string{
		"callback_id": func(u callbacks.Update) string { return u.CallbackID },
		"task_id":     func(u callbacks.Update) string { return u.TaskID },
		"type":        func(u callbacks.Update) string { return u.Type },
		"status":      func(u callbacks.Update) string { return u.Status },
	}
	for _, kind := range callbacks.Kinds {
		if kind.Field != "" {
			named[kind.Field] = func(u callbacks.Update) string { return kind.IDIn(u.Resource) }
		}
	}
	return named
}

// parseQuery refuses parameters it doesn't know: a filter with a typing error would match everything.
func parseQuery(values url.Values) (query, error) {
	q := query{fields: map[string]string{}}
	var wrong []FieldError
	for _, name := range slices.Sorted(maps.Keys(values)) {
		var message string
		switch value := values.Get(name); {
		case name == "wait":
			q.wait, message = parseDuration(value)
		case name == "count":
			q.count = boundedNumber(value, &message)
		case field[name] != nil:
			q.fields[name] = value
		default:
			message = "is not a parameter of this request; it takes wait, count, " + strings.Join(slices.Sorted(maps.Keys(field)), ", ")
		}
		if message != "" {
			wrong = append(wrong, FieldError{clip(name), message})
		}
	}
	if wrong != nil {
		return query{}, invalid(wrong...)
	}
	if q.count == 0 && (values.Has("type") || values.Has("status")) {
		q.count = 1
	}
	return q, nil
}

// parseDuration reads 3s, 1m30s or plain seconds, up to a minute, or says what is wanted.
func parseDuration(value string) (d time.Duration, wrong string) {
	if _, err := strconv.Atoi(value); err == nil {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxWait {
		return 0, "must be a time such as 3s, from 0 to 60s"
	}
	return d, ""
}

func (q query) match(u callbacks.Update) bool {
	for name, want := range q.fields {
		if field[name](u) != want {
			return false
		}
	}
	return true
}

// enough returns a function that counts what is accepted, and reports whether there is no more to wait for.
func (q query) enough() func(*Request) bool {
	accepted := map[int64]bool{}
	return func(r *Request) bool {
		u := r.update()
		if !r.accepted() || !q.match(u) {
			return false
		}
		accepted[r.Number] = true
		if q.count == 0 {
			return u.Terminal()
		}
		return len(accepted) >= q.count
	}
}

// update is what a callback tells, as far as it is an update.
func (r *Request) update() (u callbacks.Update) {
	if r.BodyError == "" {
		_ = json.Unmarshal(r.Body, &u) // What isn't an update is listed all the same.
	}
	return u
}

// accepted reports whether a callback to one of the article's routes was verified, new and answered with 2xx.
func (r *Request) accepted() bool {
	return r.handled && r.Answer != nil && r.Answer.Status >= 200 && r.Answer.Status <= 299
}

// duplicate reports whether it was answered with "Already processed".
func (r *Request) duplicate() bool {
	return r.verified && !r.handled && r.Answer != nil && r.Answer.Status == http.StatusOK
}

// entry is a callback as GET /received shows it.
type entry struct {
	ReceivedAt time.Time   `json:"received_at"`
	URL        string      `json:"url"` // path and query
	Headers    http.Header `json:"headers"`
	Verified   bool        `json:"verified"`
	// Duplicate: it was answered with "Already processed".
	Duplicate bool `json:"duplicate"`
	// Attempt counts how often this callback_id has come to this path, verified, this one included.
	Attempt int `json:"attempt"`
	// Status is what was answered, 0 if the connection was dropped.
	Status int `json:"status"`
	// Body is what came if that is JSON, else a string of it.
	Body json.RawMessage `json:"body,omitempty"`
}

func (r *Request) entry() entry {
	e := entry{
		ReceivedAt: r.ReceivedAt, URL: r.Target, Headers: http.Header{}, Verified: r.verified, Duplicate: r.duplicate(),
		Attempt: r.Attempt, Status: r.Answer.Status,
	}
	for _, h := range r.Headers {
		if name := http.CanonicalHeaderKey(h.Name); name != "Host" {
			e.Headers[name] = append(e.Headers[name], h.Value)
		}
	}
	if r.BodyError != bodyTooLong {
		e.Body = showBody(r.Body)
	}
	return e
}

// showBody returns body itself if it is JSON, else as a JSON string.
func showBody(body []byte) json.RawMessage {
	if utf8.Valid(body) && json.Valid(body) {
		return body
	}
	text, _ := json.Marshal(string(body)) // A string always marshals.
	return text
}

// append writes the entry's JSON, with the body as it is, to the byte. encoding/json would leave its spaces out and escape &,
// < and >, and the signature that is listed beside it would not fit any more.
func (e entry) append(out []byte) []byte {
	body := e.Body
	e.Body = nil
	head, _ := json.Marshal(e) // Times, texts and numbers always marshal.
	if body == nil {
		return append(out, head...)
	}
	out = append(out, head[:len(head)-1]...)
	out = append(append(out, `,"body":`...), body...)
	return append(out, '}')
}

func (rc *Receiver) list(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(r.Context(), q.wait)
	defer cancel()
	timedOut := rc.await(waiting, DefaultInbox, q.enough()) != nil && q.wait > 0
	found := rc.Requests(DefaultInbox, func(r *Request) bool { return r.Answer != nil && q.match(r.update()) })
	out := []byte(`{"items":[`)
	for i, r := range found {
		if i > 0 {
			out = append(out, ',')
		}
		out = r.entry().append(out)
	}
	out = fmt.Appendf(out, `],"count":%d`, len(found))
	if info, _ := rc.store.info(DefaultInbox); info.Dropped > 0 {
		out = fmt.Appendf(out, `,"dropped":%d`, info.Dropped)
	}
	if timedOut {
		out = append(out, `,"timed_out":true`...)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(out, "}\n"...))
	return nil
}

func (rc *Receiver) forget(w http.ResponseWriter, _ *http.Request) error {
	rc.store.empty(DefaultInbox)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
