package receiver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
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
		return malformed("The body could not be read to its end. Send as many bytes as the Content-Length header says.")
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
		return explainSyntax(syntax)
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
		return invalid(FieldError{field, "is not a field here; there are " + strings.Join(namesOf(semantic.GoType), ", ")})
	case errors.Is(err, errDuration):
		return invalid(FieldError{field, errDuration.Error()})
	default:
		return invalid(FieldError{field, "must be " + kindName(semantic.GoType)})
	}
}

func explainSyntax(err *jsontext.SyntacticError) error {
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		twice := FieldError{fieldName(err.JSONPointer), "is there more than once; give it once"}
		return malformed(twice.Field+" "+twice.Message+".", twice)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("The body ends before its JSON does.")
	}
	return malformed(fmt.Sprintf("The body is not JSON: the error is at byte %d. Names and texts are in double quotes; there are no comments, and no comma after the last entry.", err.ByteOffset))
}

// namesOf are the fields that the JSON of a struct can have, in their order.
func namesOf(t reflect.Type) (names []string) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// kindName names the JSON type that a Go type is written as.
func kindName(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "of another type"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "of another type"
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
