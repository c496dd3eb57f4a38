package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	if len(p.Errors) < 2 {
		return p.Detail
	}
	var text []string
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
	codeHost       = "HOST_UNKNOWN"
	codeOverloaded = "OVERLOADED"
	codeBadGateway = "BAD_GATEWAY"
	codeInternal   = "INTERNAL_ERROR"
)

// invalid is for fields of a body and parameters of a query: Detail says what is wrong with the first. It is worded as the Pet
// Store's problems are.
func invalid(wrong ...FieldError) *problem {
	const most = 20
	wrong = wrong[:min(len(wrong), most)]
	detail := wrong[0].Field + " " + wrong[0].Message + "."
	switch more := len(wrong) - 1; more {
	case 0:
	case 1:
		detail += " Another field is wrong, too; see errors."
	default:
		detail += fmt.Sprintf(" %d other fields are wrong, too; see errors.", more)
	}
	return &problem{Status: http.StatusUnprocessableEntity, Code: codeInvalid, Detail: detail, Errors: wrong}
}

func malformed(detail string, wrong ...FieldError) *problem {
	return &problem{Status: http.StatusBadRequest, Code: codeMalformed, Detail: detail, Errors: wrong}
}

// noMethod is for an answer whose Allow header has been set.
func noMethod(w http.ResponseWriter, r *http.Request) *problem {
	return &problem{
		Status: http.StatusMethodNotAllowed, Code: codeNoMethod,
		Detail: fmt.Sprintf("%q does not take %s; it takes %s.", clip(r.URL.Path), clip(r.Method), w.Header().Get("Allow")),
	}
}

var (
	errHost = &problem{
		Status: http.StatusMisdirectedRequest, Code: codeHost,
		Detail: "The receiver shows itself under loopback names, addresses and the names in ALLOWED_HOSTS only.",
		Errors: []FieldError{{"Host", "is not this receiver's"}},
	}
	errOrigin = &problem{
		Status: http.StatusForbidden, Code: codeOrigin,
		Detail: "Pages of this origin may not use the receiver. Those that may are in ALLOWED_ORIGINS, beside the receiver's own.",
		Errors: []FieldError{{"Origin", "is not allowed"}},
	}
	errOverloaded = &problem{Status: http.StatusServiceUnavailable, Code: codeOverloaded, Detail: "Too much is under way. Try again in a moment."}
	errNoInbox    = &problem{Status: http.StatusNotFound, Code: codeNotFound, Detail: "There is no inbox of that name. GET /inboxes lists those that there are; PUT makes one."}
	errNoRequest  = &problem{Status: http.StatusNotFound, Code: codeNotFound, Detail: "The inbox has no request of that number. It may have been let go."}
)

// fail answers with err. What is no problem is the receiver's own fault: the log gets it.
func fail(w http.ResponseWriter, err error) {
	var p *problem
	if !errors.As(err, &p) {
		slog.Error("A request to the receiver failed.", "err", err)
		p = &problem{Status: http.StatusInternalServerError, Code: codeInternal, Detail: "Something went wrong on our side. The receiver's log says what."}
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
