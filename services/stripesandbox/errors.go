package stripesandbox

import (
	"fmt"
	"net/http"
	"strings"
)

// Error is what Stripe answers when it refuses something
// (https://docs.stripe.com/api/errors). The same object is in the
// last_payment_error of a PaymentIntent.
type Error struct {
	Charge        string  `json:"charge,omitempty"`
	Code          string  `json:"code,omitempty"`
	DeclineCode   string  `json:"decline_code,omitempty"`
	DocURL        string  `json:"doc_url,omitempty"`
	Message       string  `json:"message,omitempty"`
	Param         string  `json:"param,omitempty"`
	PaymentIntent *Intent `json:"payment_intent,omitempty"`
	Type          string  `json:"type"`

	status int
}

func (e *Error) Error() string { return e.Type + " " + e.Code + ": " + e.Message }

type errorBody struct {
	Error *Error `json:"error"`
}

// Types of errors.
const (
	typeCard           = "card_error"
	typeInvalidRequest = "invalid_request_error"
	typeIdempotency    = "idempotency_error"
)

func invalid(code, param, format string, args ...any) *Error {
	return &Error{status: http.StatusBadRequest, Type: typeInvalidRequest, Code: code, DocURL: docURL(code), Param: param, Message: fmt.Sprintf(format, args...)}
}

func missing(noun, param, id string) *Error {
	e := invalid("resource_missing", param, "No such %s: '%s'", noun, id)
	if param == "intent" { // it was named in the path
		e.status = http.StatusNotFound
	}
	return e
}

func unexpectedState(i *Intent, format string, args ...any) *Error {
	e := invalid("payment_intent_unexpected_state", "", format, args...)
	e.PaymentIntent = i
	return e
}

func keyReused(key string) *Error {
	return &Error{status: http.StatusBadRequest, Type: typeIdempotency, Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request."}
}

func docURL(code string) string {
	if code == "" {
		return ""
	}
	return "https://docs.stripe.com/error-codes#" + strings.ReplaceAll(code, "_", "-")
}
