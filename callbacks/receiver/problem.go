package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
)

// problem is the body of an answer to a request for the receiver itself that cannot be met (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is for people, Code for programs.
	Detail string       `json:"detail"`
	Code   string       `json:"code"`
	Errors []FieldError `json:"errors,omitempty"`
}

// FieldError says what is wrong with a field of a request.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (p *problem) Error() string {
	text := []string{p.Detail}
	for _, e := range p.Errors {
		text = append(text, e.Field+" "+e.Message+".")
	}
	return strings.Join(text, " ")
}

// The codes of problems.
const (
	codeMalformed  = "MALFORMED_REQUEST"
	codeInvalid    = "INVALID_REQUEST"
	codeNotFound   = "NOT_FOUND"
	codeNoMethod   = "METHOD_NOT_ALLOWED"
	codeTooLarge   = "BODY_TOO_LARGE"
	codeOrigin     = "ORIGIN_FORBIDDEN"
	codeHost       = "HOST_FORBIDDEN"
	codeOverloaded = "OVERLOADED"
	codeBadGateway = "BAD_GATEWAY"
	codeInternal   = "INTERNAL_ERROR"
)

func invalid(wrong ...FieldError) *problem {
	return &problem{
		Status: http.StatusUnprocessableEntity, Code: codeInvalid, Detail: "The request has fields that cannot be accepted.", Errors: wrong,
	}
}

// badQuery is for parameters of a query.
func badQuery(name, message string) *problem {
	return &problem{
		Status: http.StatusBadRequest, Code: codeMalformed, Detail: "The query cannot be understood.", Errors: []FieldError{{name, message}},
	}
}

func malformed(detail string) *problem {
	return &problem{Status: http.StatusBadRequest, Code: codeMalformed, Detail: detail}
}

var (
	errHost = &problem{
		Status: http.StatusMisdirectedRequest, Code: codeHost,
		Detail: "The receiver shows itself under loopback names, addresses and the names in ALLOWED_HOSTS only.",
		Errors: []FieldError{{"Host", "is none of them"}},
	}
	errOrigin     = &problem{Status: http.StatusForbidden, Code: codeOrigin, Detail: "Pages of this origin may not use the receiver."}
	errOverloaded = &problem{Status: http.StatusServiceUnavailable, Code: codeOverloaded, Detail: "Too much is under way. Come again."}
	errNoInbox    = &problem{Status: http.StatusNotFound, Code: codeNotFound, Detail: "There is no inbox of that name."}
	errNoRequest  = &problem{Status: http.StatusNotFound, Code: codeNotFound, Detail: "The inbox has no request of that number. It may have been let go."}
)

// fail answers with err. What is no problem is the receiver's own fault: the log gets it.
func fail(w http.ResponseWriter, err error) {
	var p *problem
	if !errors.As(err, &p) {
		slog.Error("A request to the receiver failed.", "err", err)
		p = &problem{Status: http.StatusInternalServerError, Code: codeInternal, Detail: "Something went wrong. The receiver's log says what."}
	}
	shown := *p
	shown.Type, shown.Title = "about:blank", http.StatusText(p.Status)
	body, _ := json.Marshal(shown) // Strings and numbers always marshal.
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	w.Write(body)
}

// respond answers with v as JSON.
func respond(w http.ResponseWriter, status int, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
	return nil
}

// encode writes JSON in one line. It is for programs and people, not for the midst of a page: <, > and & stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return b.Bytes(), err
}
