package db

import (
	"errors"
	"fmt"
	"strings"
)

// Codes of the database's failures.
const (
	CodeFull        = "STORE_FULL"        // no space left for the database
	CodeOverloaded  = "OVERLOADED"        // more is waiting than the server should accept
	CodeUnavailable = "STORE_UNAVAILABLE" // the database cannot be read or written now
)

// Error is a failure that the caller can do something about. Its Message is
// meant for the client; whatever lies beneath is wrapped for the log.
type Error struct {
	Code    string // a stable word that a client can act on
	Message string
	Fields  []FieldError // what is wrong with which field of a request
	Err     error        // the cause, never shown to a client
}

// FieldError says what is wrong with one field of a request. Field is its path
// as the client wrote it: "items[2].quantity", or a query parameter's name.
type FieldError struct {
	// The name of the field, parameter or header: quantity, items[0].product, If-Match.
	Field string `json:"field"   example:"quantity"`
	// What it has to be, for people; a sentence whose subject is the field.
	Message string `json:"message" example:"must be at most 1000"`
}

func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(e.Code + ": " + e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&text, "; %s %s", f.Field, f.Message)
	}
	if e.Err != nil {
		text.WriteString(": " + e.Err.Error())
	}
	return text.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Explain gives the failures that an operator has to mend a code and a plain
// sentence; other errors pass as they are.
func Explain(err error) error {
	var already *Error
	if err == nil || errors.As(err, &already) {
		return err
	}
	switch max(sqliteFailure(err), postgresFailure(err)) {
	case failureFull:
		return &Error{Code: CodeFull, Message: "The server's disk is full. Nothing of this request was stored.", Err: err}
	case failureUnavailable:
		return unavailable(err)
	default:
		return err
	}
}

func unavailable(err error) error {
	return &Error{Code: CodeUnavailable, Message: "The server's database cannot be used at the moment. Nothing of this request was stored.", Err: err}
}
