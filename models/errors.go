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
