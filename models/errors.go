package models

import (
	"database/sql"
	"errors"
	"fmt"

	"petstore/models/db"

	"gorm.io/gorm"
)

// What package db has, by the names that all rooms use.
type (
	// Store is the database.
	Store = db.Store
	// Tx is a transaction.
	Tx = db.Tx
	// Error is a failure that the caller can do something about.
	Error = db.Error
	// FieldError says what is wrong with one field of a request.
	FieldError = db.FieldError
)

// Codes of errors, beside those of the database: stable words that a client can act
// on. The HTTP edge has one table from these to a status.
const (
	CodeInvalid      = "INVALID_REQUEST"     // a field of the request is wrong
	CodeNotFound     = "NOT_FOUND"           // no such thing
	CodeConflict     = "CONFLICT"            // the thing's state does not allow it
	CodePrecondition = "PRECONDITION_FAILED" // If-Match named another version
)

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

// FieldErrors collects what is wrong with the fields of a request, so that the client learns of all at once.
type FieldErrors []FieldError

// Addf notes what is wrong with a field, unless that would not be told.
func (e *FieldErrors) Addf(field, format string, args ...any) {
	if !e.Full() {
		*e = append(*e, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

// Full reports whether it has as many as a client is told of.
func (e *FieldErrors) Full() bool { return len(*e) >= maxFieldErrors }

// Err is what a client is told, nil if nothing is wrong.
func (e *FieldErrors) Err() error {
	if len(*e) == 0 {
		return nil
	}
	return InvalidFields(*e...)
}

// maxFieldErrors is of how many wrong fields an error tells.
const maxFieldErrors = 20

// InvalidFields reports what is wrong with several fields at once: with the first twenty. Its message is a sentence about
// the first of them.
func InvalidFields(fields ...FieldError) *Error {
	fields = fields[:min(len(fields), maxFieldErrors)]
	message := fields[0].Field + " " + fields[0].Message + "."
	switch more := len(fields) - 1; more {
	case 0:
	case 1:
		message += " Another field is wrong, too; see errors."
	default:
		message += fmt.Sprintf(" %d other fields are wrong, too; see errors.", more)
	}
	return &Error{Code: CodeInvalid, Message: message, Fields: fields}
}

// NotFound reports that there is no thing of this kind with this id.
func NotFound(kind, id string) *Error {
	return &Error{Code: CodeNotFound, Message: fmt.Sprintf("There is no %s %q.", kind, id)}
}

// Conflict reports that the state of a thing does not allow what was asked.
func Conflict(format string, args ...any) *Error {
	return &Error{Code: CodeConflict, Message: fmt.Sprintf(format, args...)}
}

// wrap says what failed, if err is not nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// notFound turns GORM's "no such row" into ours and wraps anything else.
func notFound(err error, kind, id string) error {
	if errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, sql.ErrNoRows) {
		return NotFound(kind, id)
	}
	return wrap(err, "finding %s %s", kind, id)
}
