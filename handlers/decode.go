package handlers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-playground/validator/v10"

	"petstore/models"
)

// maxBody bounds the JSON body of a request: 1 MiB.
const maxBody = 1 << 20

// decode reads the JSON body of a request into T and checks it against T's
// validate tags. It is strict, because what is let pass silently is a bug that
// a client finds in production: an unknown or repeated field, a field in other
// letters, null, trailing data, bad UTF-8 or a NUL are errors, and name the field. So are all fields that are wrong,
// but for JSON that cannot be read any further.
func decode[T any](c *gin.Context) (T, error) {
	var v T
	body, err := readBody(c, "application/json")
	if err != nil {
		return v, err
	}
	return v, unmarshal(body, &v)
}

// decodeOptional is decode for a request that need not say anything: without a body
// T is as it would be with {}.
func decodeOptional[T any](c *gin.Context) (v T, err error) {
	body, err := readBody(c, "application/json")
	if err != nil || len(body) == 0 {
		return v, err
	}
	return v, unmarshal(body, &v)
}

// readBody reads a body of the given media type. A client that names none is
// taken at its word by what it sends.
func readBody(c *gin.Context, mediaTypes ...string) ([]byte, error) {
	if err := checkMediaType(c.GetHeader("Content-Type"), mediaTypes); err != nil {
		return nil, err
	}
	var text bytes.Buffer // grows by doubling, which leaves less behind than io.ReadAll
	_, err := text.ReadFrom(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &models.Error{Code: codeBodyTooLarge, Message: fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit)}
	case isFull(err):
		return nil, errInFlight(c.Request.Context())
	case err != nil:
		return nil, &models.Error{Code: codeMalformed, Message: "The body could not be read to its end. Send as many bytes as the Content-Length header says.", Err: err}
	}
	return text.Bytes(), nil
}

func checkMediaType(header string, wanted []string) error {
	got, _, err := mime.ParseMediaType(header)
	if header == "" || err == nil && slices.Contains(wanted, got) {
		return nil
	}
	message := fmt.Sprintf("The body must be %s, and the Content-Type header say so.", strings.Join(wanted, " or "))
	if got == "application/x-www-form-urlencoded" {
		message += fmt.Sprintf(" With curl, add: -H 'Content-Type: %s'", wanted[0])
	}
	return &models.Error{Code: codeUnsupportedMediaType, Message: message,
		Fields: []models.FieldError{{Field: "Content-Type", Message: "must be " + strings.Join(wanted, " or ")}}}
}

// unmarshal decodes and checks one JSON value. Gin's ShouldBindJSON is not used: it takes unknown
// fields, a field given twice, null and trailing data for granted, its errors name Go types instead of
// the client's fields, and it needs a request, which the data of a socket's event is not.
func unmarshal(body []byte, v any) error {
	return invalid(v, parse(body, v, noNull), check(v))
}

// parse decodes one JSON value.
func parse(body []byte, v any, by ...*json.Unmarshalers) error {
	if len(body) == 0 {
		return malformed("", "The body is empty; it must be a JSON object.")
	}
	by = append(by, json.UnmarshalFromFunc(wholeNumber[int]), json.UnmarshalFromFunc(wholeNumber[int64]))
	strict := json.JoinOptions(json.WithUnmarshalers(json.JoinUnmarshalers(by...)), json.RejectUnknownMembers(true))
	err := json.Unmarshal(body, v, strict)
	if mismatch, ok := errors.AsType[*json.SemanticError](err); ok && mismatch.JSONPointer != "" {
		all := mismatches{strict: strict}
		all.decode("", body, reflect.ValueOf(v).Elem())
		return all.found.Err()
	}
	if err != nil {
		return explainJSON(err)
	}
	if bytes.Contains(body, []byte(`\u0000`)) {
		return checkNUL(body)
	}
	return nil
}

var errNull = errors.New("null")

// noNull refuses null, which Go would take for a field that is not there, or for
// an empty string. Where any JSON is welcome, so is null.
var noNull = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
	switch v.(type) {
	case *any, *jsontext.Value:
		return errors.ErrUnsupported // go on as usual
	}
	if dec.PeekKind() == jsontext.KindNull {
		return errNull
	}
	return errors.ErrUnsupported
})

// wholeNumber takes 1.0 and 1e2 for the integers that they are (JSON Schema 2020-12, section 6.1.1 of validation).
func wholeNumber[T int | int64](dec *jsontext.Decoder, v *T) error {
	if dec.PeekKind() != jsontext.KindNumber {
		return errors.ErrUnsupported
	}
	number, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if !bytes.ContainsAny(number, ".eE") {
		n, err := strconv.ParseInt(string(number), 10, 64)
		*v = T(n)
		return err
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return errNotWhole
	}
	*v = T(f)
	return nil
}

var errNotWhole = errors.New("not a whole number")

// explainJSON says in the client's words what the decoder found.
func explainJSON(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		field := fieldName(syntax.JSONPointer)
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return malformed(field, "is there more than once; give it once")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return malformed("", "The body ends before its JSON does.")
		}
		return malformed("", fmt.Sprintf("The body is not JSON: the error is at byte %d. Names and texts are in double quotes; there are no comments, and no comma after the last entry.", syntax.ByteOffset))
	}
	return malformed("", "The body must be a JSON object.")
}

func malformed(field, message string) error {
	if field == "" {
		return &models.Error{Code: codeMalformed, Message: message}
	}
	return &models.Error{Code: codeMalformed, Message: field + " " + message + ".", Fields: []models.FieldError{{Field: field, Message: message}}}
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
		return "a whole number, not too large"
	case reflect.Slice:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "of another type"
	}
}

// fieldName turns a JSON pointer (RFC 6901) into the way people write fields:
// /items/2/quantity is items[2].quantity.
func fieldName(pointer jsontext.Pointer) string {
	var name strings.Builder
	for token := range pointer.Tokens() {
		if _, err := strconv.Atoi(token); err == nil && name.Len() > 0 {
			name.WriteString("[" + token + "]")
			continue
		}
		if name.Len() > 0 {
			name.WriteByte('.')
		}
		name.WriteString(cmp.Or(token, `""`))
	}
	return clip(name.String(), 200)
}

// checkNUL refuses strings that have a NUL in them. SQLite's and C's strings end
// there, so what was stored would not be what was sent.
func checkNUL(body []byte) error {
	var found models.FieldErrors
	for dec := jsontext.NewDecoder(bytes.NewReader(body)); !found.Full(); {
		token, err := dec.ReadToken()
		if err != nil {
			break
		}
		field := strings.ReplaceAll(fieldName(dec.StackPointer()), "\x00", "")
		if token.Kind() == '"' && strings.ContainsRune(token.String(), 0) && !names(found, field) {
			found.Addf(field, "must not contain the character NUL (U+0000)")
		}
	}
	return found.Err()
}

var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	return v
}

// check holds a decoded request against its validate tags.
func check(v any) error {
	err := validate.Struct(v)
	var wrong validator.ValidationErrors
	if !errors.As(err, &wrong) {
		return err
	}
	fields := make([]models.FieldError, len(wrong))
	for i, w := range wrong {
		_, name, _ := strings.Cut(w.Namespace(), ".") // without the struct's name
		name = strings.TrimPrefix(name, "callback.")  // which is embedded: its fields are the request's
		fields[i] = models.FieldError{Field: clip(name, 200), Message: ruleText(w)}
	}
	return models.InvalidFields(fields...)
}

// ruleText says what a rule wants.
func ruleText(w validator.FieldError) string {
	unit := map[reflect.Kind]string{reflect.String: " characters long", reflect.Slice: " entries long", reflect.Map: " entries long"}[w.Kind()]
	switch w.Tag() {
	case "required":
		if w.Kind() == reflect.Int64 {
			return "is required, and must not be 0"
		}
		return "is required"
	case "min":
		return "must be at least " + w.Param() + unit
	case "max":
		return "must be at most " + w.Param() + unit
	case "oneof":
		return "must be one of " + strings.ReplaceAll(w.Param(), " ", ", ")
	case "unique":
		return "must not have the same entry twice"
	case "iso4217":
		return "must be a currency's code, such as USD (ISO 4217)"
	}
	return "is not valid"
}

// clip shortens s to at most n bytes of whole characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
