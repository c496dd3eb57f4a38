package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
)

// problem is the body of every error answer (RFC 9457).
type problem struct {
	// Always about:blank: `code` says more (RFC 9457).
	Type string `json:"type" example:"about:blank"`
	// The name of the status.
	Title string `json:"title" example:"Unprocessable Entity"`
	// The status of the answer.
	Status int `json:"status" minimum:"400" maximum:"599" example:"422"`
	// What went wrong, for people.
	Detail string `json:"detail" example:"quantity must be at most 1000."`
	// What went wrong, for programs. It does not change between releases.
	Code string `json:"code" example:"INVALID_REQUEST"`
	// What is wrong with which field: the first twenty, in the order of the contract.
	Errors []models.FieldError `json:"errors,omitempty" maxItems:"20"`
}

// Codes that only the HTTP edge knows. The others are in models.
const (
	codeMalformed            = "MALFORMED_REQUEST"
	codeBodyTooLarge         = "BODY_TOO_LARGE"
	codeUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	codeMethodNotAllowed     = "METHOD_NOT_ALLOWED"
	codeRangeNotSatisfiable  = "RANGE_NOT_SATISFIABLE"
	codeInternal             = "INTERNAL_ERROR"
	codeUnavailable          = "UNAVAILABLE"
	codeOriginForbidden      = "ORIGIN_FORBIDDEN"
	codeMisdirected          = "HOST_UNKNOWN"
	codeUpgradeRequired      = "UPGRADE_REQUIRED"
	codeTooManySubscriptions = "TOO_MANY_SUBSCRIPTIONS"
)

// statusOf is the table from codes to HTTP statuses.
var statusOf = map[string]int{
	models.CodeInvalid:       http.StatusUnprocessableEntity,
	models.CodeNotFound:      http.StatusNotFound,
	models.CodeConflict:      http.StatusConflict,
	models.CodePrecondition:  http.StatusPreconditionFailed,
	db.CodeFull:              http.StatusInsufficientStorage,
	db.CodeOverloaded:        http.StatusServiceUnavailable,
	db.CodeUnavailable:       http.StatusServiceUnavailable,
	codeMalformed:            http.StatusBadRequest,
	codeBodyTooLarge:         http.StatusRequestEntityTooLarge,
	codeUnsupportedMediaType: http.StatusUnsupportedMediaType,
	codeMethodNotAllowed:     http.StatusMethodNotAllowed,
	codeRangeNotSatisfiable:  http.StatusRequestedRangeNotSatisfiable,
	codeUnavailable:          http.StatusServiceUnavailable,
	codeOriginForbidden:      http.StatusForbidden,
	codeMisdirected:          http.StatusMisdirectedRequest,
	codeUpgradeRequired:      http.StatusUpgradeRequired,
	codeTooManySubscriptions: http.StatusTooManyRequests,
}

var errShortage = &models.Error{Code: codeUnavailable, Message: "The server is short of descriptors, memory or ports. Try again in a moment."}

// fail answers with err. Errors without a code are the server's own: the log
// gets them, the client learns only that they happened.
func fail(c *gin.Context, err error) {
	c.Abort()
	if c.Request.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // nobody is there to read an answer
	}
	p := problemOf(err)
	switch {
	case p.Code == db.CodeOverloaded: // who refused has said so
		c.Header("Retry-After", retryAfter)
	case p.Status >= http.StatusInternalServerError:
		slog.ErrorContext(c.Request.Context(), "A request failed.", "method", c.Request.Method, "path", c.Request.URL.Path, "err", err)
		if p.Code != codeInternal {
			c.Header("Retry-After", "5")
		}
	}
	writeProblem(c, p)
}

// problemOf is what a client is told about err.
func problemOf(err error) problem {
	var known *models.Error
	switch {
	case errors.As(db.Explain(err), &known) && statusOf[known.Code] != 0:
	case callbacks.IsLocalResourceError(err):
		known = errShortage
	default:
		return internalProblem()
	}
	status := statusOf[known.Code]
	return problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: known.Message, Code: known.Code, Errors: known.Fields,
	}
}

func internalProblem() problem {
	return problem{
		Type: "about:blank", Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError,
		Detail: "Something went wrong on our side. The server's log says what.", Code: codeInternal,
	}
}

func writeProblem(c *gin.Context, p problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{}`) // strings and numbers always encode
	}
	c.Data(p.Status, "application/problem+json", body)
}

func errNoRoute(r *http.Request) error {
	message := fmt.Sprintf("There is nothing at %.200q. The API is described at /docs/.", r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/") {
		message += " Its paths have no slash at their end."
	}
	return &models.Error{Code: models.CodeNotFound, Message: message}
}

// errNoMethod is for an answer whose Allow header has been set.
func errNoMethod(w http.ResponseWriter, r *http.Request) error {
	return &models.Error{Code: codeMethodNotAllowed, Message: fmt.Sprintf("%.200q does not take %.20s; it takes %s.", r.URL.Path, r.Method, w.Header().Get("Allow"))}
}
