package models

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// Codes of errors: stable words that a client can act on. The HTTP edge has one
// table from these to a status.
const (
	CodeInvalid      = "INVALID_REQUEST"     // a field of the request is wrong
	CodeNotFound     = "NOT_FOUND"           // no such thing
	CodeConflict     = "CONFLICT"            // the thing's state does not allow it
	CodePrecondition = "PRECONDITION_FAILED" // If-Match named another version
	CodeStoreFull    = "STORE_FULL"          // no space left for the database
	CodeOverloaded   = "OVERLOADED"          // more is waiting than the server should accept
	CodeStoreFailed  = "STORE_UNAVAILABLE"   // the database cannot be read or written now
)

// Error is a failure that the caller can do something about. Its Message is
// meant for the client; whatever lies beneath is wrapped for the log.
type Error struct {
	Code    string
	Message string
	Fields  []FieldError // what is wrong with which field, for CodeInvalid
	Err     error        // the cause, never shown to a client
}

// FieldError says what is wrong with one field of a request. Field is its path
// as the client wrote it: "items[2].quantity", or a query parameter's name.
type FieldError struct {
	Field   string `json:"field"   example:"quantity"`
	Message string `json:"message" example:"must be between 1 and 1000"`
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

// Code returns err's code, or "" for an error that no client can act on.
func Code(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Invalid reports what is wrong with one field.
func Invalid(field, format string, args ...any) *Error {
	return InvalidFields(FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// InvalidFields reports what is wrong with several fields at once.
func InvalidFields(fields ...FieldError) *Error {
	return &Error{Code: CodeInvalid, Message: "The request has fields that cannot be accepted.", Fields: fields}
}

// NotFound reports that there is no thing of this kind with this id.
func NotFound(kind, id string) *Error {
	return &Error{Code: CodeNotFound, Message: fmt.Sprintf("There is no %s %q.", kind, id)}
}

// Conflict reports that the state of a thing does not allow what was asked.
func Conflict(format string, args ...any) *Error {
	return &Error{Code: CodeConflict, Message: fmt.Sprintf(format, args...)}
}

// notFound turns GORM's "no such row" into ours and wraps anything else.
func notFound(err error, kind, id string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, sql.ErrNoRows) {
		return NotFound(kind, id)
	}
	return fmt.Errorf("finding %s %s: %w", kind, id, err)
}

// StoreError gives the failures that an operator has to mend a code and a plain
// sentence; other errors pass as they are.
func StoreError(err error) error {
	var already *Error
	if err == nil || errors.As(err, &already) {
		return err
	}
	switch max(sqliteFailure(err), postgresFailure(err)) {
	case failureFull:
		return &Error{Code: CodeStoreFull, Message: "The server's disk is full. Nothing of this request was stored.", Err: err}
	case failureUnavailable:
		return unavailable(err)
	default:
		return err
	}
}

func unavailable(err error) error {
	return &Error{Code: CodeStoreFailed, Message: "The server's database cannot be used at the moment. Nothing of this request was stored.", Err: err}
}
