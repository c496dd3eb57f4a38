package receiver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDocument bounds the body of a request for the receiver itself, in bytes: 8 MiB, so that a contract fits.
const maxDocument = 8 << 20

// decode reads the JSON object of a request into v. No body is taken for {}.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &problem{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge, Detail: "The body is longer than 8 MiB."}
	}
	if err != nil {
		return malformed("The body could not be read to its end.")
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v, json.RejectUnknownMembers(true)); err != nil {
		return explain(err)
	}
	return nil
}

// explain says in the words of whoever wrote the JSON what is wrong with it.
func explain(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return malformed(fmt.Sprintf("The body is not JSON: the error is at byte %d.", syntax.ByteOffset))
	}
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return malformed("The body is not the JSON object that is wanted here.")
	}
	field := fieldName(semantic.JSONPointer)
	switch {
	case field == "":
		return malformed("The body must be a JSON object.")
	case errors.Is(err, json.ErrUnknownName):
		return invalid(FieldError{field, "is not a member of this request"})
	case errors.Is(err, errDuration):
		return invalid(FieldError{field, errDuration.Error()})
	default:
		return invalid(FieldError{field, "is of another type than this member has"})
	}
}

// fieldName turns a JSON pointer (RFC 6901) into what people write: /script/2/status is script[2].status.
func fieldName(pointer jsontext.Pointer) string {
	var name strings.Builder
	for token := range pointer.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			token = "[" + token + "]"
		} else if name.Len() > 0 {
			token = "." + token
		}
		name.WriteString(token)
	}
	return clip(name.String())
}

// clip shortens what a client has sent before it is sent back.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
