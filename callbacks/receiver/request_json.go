package receiver

import (
	"time"
	"unicode/utf8"

	"petstore/callbacks/receiver/verdict"
)

// summary is a request without what may be long, as lists and streams show it on demand.
type summary struct {
	Number     int64             `json:"number"`
	Inbox      string            `json:"inbox"`
	ReceivedAt time.Time         `json:"received_at"`
	Method     string            `json:"method"`
	Target     string            `json:"target"`
	Path       string            `json:"path"`
	Query      string            `json:"query"`
	Protocol   string            `json:"protocol"`
	Host       string            `json:"host"`
	RemoteAddr string            `json:"remote_addr"`
	BodyBytes  int               `json:"body_bytes"`
	BodyError  string            `json:"body_error"`
	DeliveryID string            `json:"delivery_id"`
	Type       string            `json:"type"`
	Attempt    int               `json:"attempt"`
	Hint       string            `json:"hint,omitempty"`
	Verdict    string            `json:"verdict"`
	Verdicts   []verdict.Verdict `json:"verdicts"`
	Answer     *answerSummary    `json:"answer"`
	Forwards   []exchangeSummary `json:"forwards"`
}

type answerSummary struct {
	Status     int     `json:"status"`
	Bytes      int64   `json:"bytes"`
	DurationMS float64 `json:"duration_ms"`
	Fault      string  `json:"fault"`
	Gone       bool    `json:"gone"`
	*message
}

type exchangeSummary struct {
	Kind       string    `json:"kind"`
	URL        string    `json:"url"`
	At         time.Time `json:"at"`
	DurationMS float64   `json:"duration_ms"`
	Status     int       `json:"status"`
	Error      string    `json:"error"`
	*message
}

// message is the headers and the body of a request or an answer.
type message struct {
	Headers []Header `json:"headers"`
	// Body is that of UTF-8 text, BodyBase64 that of anything else.
	Body       *string `json:"body,omitempty"`
	BodyBase64 []byte  `json:"body_base64,omitempty"`
}

func newMessage(headers []Header, body []byte) *message {
	m := &message{Headers: headers}
	if headers == nil {
		m.Headers = []Header{}
	}
	if !utf8.Valid(body) {
		m.BodyBase64 = body
		return m
	}
	text := string(body)
	m.Body = &text
	return m
}

// fullView is a request with all that is known of it.
type fullView struct {
	summary
	HeadersExact bool     `json:"headers_exact"`
	Trailers     []Header `json:"trailers,omitempty"`
	*message
}

// MarshalJSON writes the request with all that is known of it.
func (r *Request) MarshalJSON() ([]byte, error) { return encode(r.view(false)) }

// view is what is shown of a request.
func (r *Request) view(short bool) any {
	if short {
		return r.summary(false)
	}
	return fullView{r.summary(true), r.HeadersExact, r.Trailers, newMessage(r.Headers, r.Body)}
}

// Verdict is what all verdicts say together: "ok", "not_ok", or "" as long as there are none.
func (r *Request) Verdict() string {
	switch {
	case r.Verdicts == nil:
		return ""
	case verdict.OK(r.Verdicts):
		return verdictOK
	default:
		return verdictNotOK
	}
}

const (
	verdictOK    = "ok"
	verdictNotOK = "not_ok"
)

// summary is the request's, with what was answered if full.
func (r *Request) summary(full bool) summary {
	s := summary{
		Number: r.Number, Inbox: r.Inbox, ReceivedAt: r.ReceivedAt, Method: r.Method, Target: r.Target, Path: r.Path, Query: r.Query,
		Protocol: r.Protocol, Host: r.Host, RemoteAddr: r.RemoteAddr, BodyBytes: len(r.Body), BodyError: r.BodyError,
		DeliveryID: r.DeliveryID, Type: r.Type, Attempt: r.Attempt, Hint: r.Hint, Verdict: r.Verdict(), Verdicts: append([]verdict.Verdict{}, r.Verdicts...), Forwards: []exchangeSummary{},
	}
	if a := r.Answer; a != nil {
		s.Answer = &answerSummary{Status: a.Status, Bytes: a.Bytes, DurationMS: milliseconds(a.Duration), Fault: a.Fault, Gone: a.Gone}
		if full {
			s.Answer.message = newMessage(a.Headers, a.Body)
		}
	}
	for i := range r.Forwards {
		s.Forwards = append(s.Forwards, r.Forwards[i].summary(full))
	}
	return s
}

// MarshalJSON writes the exchange with all that is known of it.
func (e *Exchange) MarshalJSON() ([]byte, error) { return encode(e.summary(true)) }

func (e *Exchange) summary(full bool) exchangeSummary {
	s := exchangeSummary{Kind: e.Kind, URL: e.URL, At: e.At, DurationMS: milliseconds(e.Duration), Status: e.Status, Error: e.Error}
	if full {
		s.message = newMessage(e.Headers, e.Body)
	}
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
