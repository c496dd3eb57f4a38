package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/models"
	"petstore/models/db"
)

// foreignWriter is the answer of a handler that is not ours, such as http.ServeContent. What it says of an error, in
// plain text as a rule, is told as a problem, as all errors here are; see serveForeign.
type foreignWriter struct {
	gin.ResponseWriter
	failed int    // the status of an error, 0 for none
	said   []byte // with it
}

// maxSaid bounds what is kept of an error's text, in bytes.
const maxSaid = 500

const problemMedia = "application/problem+json"

// serveForeign serves a request by a handler that is not ours.
func serveForeign(h http.Handler) gin.HandlerFunc {
	return adapt(func(c *gin.Context) error {
		normaliseRange(c.Request)
		w := &foreignWriter{ResponseWriter: c.Writer}
		h.ServeHTTP(w, c.Request)
		return w.err(c.Request)
	})
}

func (w *foreignWriter) WriteHeader(status int) {
	if status < http.StatusBadRequest || w.Header().Get("Content-Type") == problemMedia {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.failed = status
}

func (w *foreignWriter) Write(p []byte) (int, error) {
	if w.failed == 0 {
		return w.ResponseWriter.Write(p)
	}
	w.said = append(w.said, p[:min(len(p), maxSaid-len(w.said))]...)
	return len(p), nil
}

func (w *foreignWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Unwrap is for http.ResponseController.
func (w *foreignWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// foreignCodes are the codes of errors that are told in the words of the handler.
var foreignCodes = map[int]string{
	http.StatusBadRequest:            codeMalformed,
	http.StatusForbidden:             codeOriginForbidden,
	http.StatusRequestEntityTooLarge: codeBodyTooLarge,
	http.StatusUpgradeRequired:       codeUpgradeRequired,
	http.StatusServiceUnavailable:    db.CodeOverloaded,
}

// err is the error that was answered, nil if none was.
func (w *foreignWriter) err(r *http.Request) error {
	if w.failed == 0 {
		return nil
	}
	w.Header().Del("Content-Type")
	w.Header().Del("Content-Length")
	switch w.failed {
	case http.StatusNotFound:
		return errNoRoute(r)
	case http.StatusMethodNotAllowed:
		return errNoMethod(w, r)
	case http.StatusPreconditionFailed:
		return failedPrecondition(preconditionOf(r), "is of another state of this")
	case http.StatusRequestedRangeNotSatisfiable:
		return &models.Error{
			Code: codeRangeNotSatisfiable, Message: "There is no such range of bytes; the Content-Range header says how many there are.",
			Fields: []models.FieldError{{Field: "Range", Message: "is not within them"}},
		}
	}
	text := w.text()
	code, known := foreignCodes[w.failed]
	if !known {
		return errors.New(text)
	}
	return &models.Error{Code: code, Message: text}
}

// text is what the handler said of the error: plain text, or the message of an answer in JSON.
func (w *foreignWriter) text() string {
	var answer struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(w.said, &answer) == nil && answer.Message != "" {
		return answer.Message
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(w.said)), "\ufffd")
}

// preconditionOf is the header of a request that http.ServeContent looks at first (RFC 9110, section 13.2.2).
func preconditionOf(r *http.Request) string {
	if r.Header.Get("If-Match") != "" {
		return "If-Match"
	}
	return "If-Unmodified-Since"
}
