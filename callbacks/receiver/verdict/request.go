package verdict

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
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
}

// Header is one header field.
type Header struct {
	Name, Value string
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

// members are those of a body that is a JSON object.
type members map[string]json.RawMessage

// readMembers returns nil if the body is not a JSON object of acceptable length.
func readMembers(r *Request) members {
	if r.Truncated || len(r.Body) > MaxBody {
		return nil
	}
	var all members
	if json.Unmarshal(r.Body, &all) != nil {
		return nil
	}
	return all
}

// text is a member that is a string, else "".
func (m members) text(name string) string {
	var text string
	_ = json.Unmarshal(m[name], &text) // Another type is no text.
	return text
}

// integer is a member that is an integer of 64 bits.
func (m members) integer(name string) (int64, bool) {
	var n *int64
	if json.Unmarshal(m[name], &n) != nil || n == nil {
		return 0, false
	}
	return *n, true
}
