package receiver

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// maxExcerpt is how much is kept of the body of an answer, in bytes.
const maxExcerpt = 4 << 10

// answerWriter notes what is answered.
type answerWriter struct {
	http.ResponseWriter
	answer Answer
	isHEAD bool // its answer has no body
	faults []string
	failed bool // to write
}

// WriteHeader implements [http.ResponseWriter].
func (w *answerWriter) WriteHeader(status int) {
	if w.answer.Status == 0 && status >= 200 { // 1xx go before the answer.
		w.answer.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(data []byte) (int, error) {
	if w.answer.Status == 0 {
		w.answer.Status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(data)
	switch {
	case errors.Is(err, http.ErrBodyNotAllowed): // The status, such as 204, has none.
	case w.isHEAD:
		w.note(nil, err)
	default:
		w.note(data[:n], err)
	}
	return n, err
}

// note notes that data is sent as part of the body.
func (w *answerWriter) note(data []byte, err error) {
	room := maxExcerpt - len(w.answer.Body)
	w.answer.Body = append(w.answer.Body, data[:min(room, len(data))]...)
	w.answer.Bytes += int64(len(data))
	w.failed = w.failed || err != nil
}

// Unwrap gives [http.ResponseController] the rest.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish is what was answered to a request that came at a time, as far as it is known before it has gone out.
func (w *answerWriter) finish(r *http.Request, came time.Time) *Answer {
	a := w.answer
	a.Headers = headersOf(w.Header())
	a.Duration = time.Since(came)
	a.Fault = strings.Join(w.faults, ", ")
	a.Gone = w.failed || r.Context().Err() != nil
	return &a
}
