package verdict

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxBody is the longest body that is read as JSON and held against a contract, in bytes: 1 MiB. Signatures are
// checked at any length.
const MaxBody = 1 << 20

// Request is a request as it was captured.
type Request struct {
	// ID is the caller's name for it. Verdicts on later requests refer to it.
	ID     string
	Method string
	// URI is path and query, as in the request line.
	URI string
	// Headers are in the order and spelling in which they came.
	Headers []Header
	// Body is the raw body, or its beginning if Truncated.
	Body      []byte
	Truncated bool
	// At is when the request arrived.
	At time.Time

	members *members // of the body, nil until they are read
}

// Header is one header field, in the spelling in which it came.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// header is the value of the first header of that name in any case, "" if there is none.
func (r *Request) header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// http is what net/http would have made of the headers.
func (r *Request) http() http.Header {
	all := make(http.Header, len(r.Headers))
	for _, h := range r.Headers {
		all.Add(h.Name, h.Value)
	}
	return all
}

// path is URI without the query.
func (r *Request) path() string {
	path, _, _ := strings.Cut(r.URI, "?")
	return path
}

// members are those of a body that is a JSON object, as far as verdicts depend on them; nil is one that is not there.
type members struct {
	ID         jsontext.Value `json:"id"`
	EventID    jsontext.Value `json:"event_id"`
	CallbackID jsontext.Value `json:"callback_id"`
	TaskID     jsontext.Value `json:"task_id"`
	Sequence   jsontext.Value `json:"sequence"`
	Type       jsontext.Value `json:"type"`
}

// body returns the body's members, which are read once. If it is not a JSON object of acceptable length, it has none.
func (r *Request) body() *members {
	if r.members == nil {
		r.members = &members{}
		if r.Truncated || len(r.Body) > MaxBody || json.Unmarshal(r.Body, r.members, lenient) != nil {
			*r.members = members{}
		}
	}
	return r.members
}

// lenient takes what other parsers take: the last of several members of one name, and what isn't UTF-8.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// text is a member that is a string, else "".
func text(member jsontext.Value) string {
	if member.Kind() != '"' {
		return ""
	}
	var text string
	_ = json.Unmarshal(member, &text, lenient) // It has been read as JSON before.
	return text
}

// integer is a member that is an integer of 64 bits.
func integer(member jsontext.Value) (n int64, found bool) {
	if member.Kind() != '0' {
		return 0, false
	}
	err := json.Unmarshal(member, &n)
	return n, err == nil
}
