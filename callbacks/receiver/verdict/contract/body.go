package contract

import (
	"bytes"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"sync"

	"github.com/pb33f/jsonschema/v6"
)

// body is a body that is held against schemas. It is read once for all of them.
type body struct {
	raw         []byte
	contentType string
	mediaType   string // without parameters
	json        func() (any, error)
	fields      func() (url.Values, error) // of a form
}

func newBody(r Request) *body {
	contentType := r.Header.Get("Content-Type")
	mediaType, parameters, _ := mime.ParseMediaType(contentType) // What isn't one is not declared.
	return &body{
		raw: r.Body, contentType: contentType, mediaType: mediaType,
		json: sync.OnceValues(func() (any, error) {
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Body))
			if err != nil {
				err = fmt.Errorf("not JSON: %w", err)
			}
			return value, err
		}),
		fields: sync.OnceValues(func() (url.Values, error) {
			fields, err := readForm(mediaType, parameters["boundary"], r.Body)
			if err != nil {
				err = fmt.Errorf("not a form: %w", err)
			}
			return fields, err
		}),
	}
}

func (b *body) isJSON() bool { return strings.Contains(b.mediaType, "json") }

// value is what the body says, a form by its shape. It returns false for other media types than JSON and forms.
func (b *body) value(form *shape) (value any, readable bool, err error) {
	switch {
	case b.isJSON():
		value, err = b.json()
	case b.mediaType == urlEncoded || b.mediaType == multipartForm:
		var fields url.Values
		if fields, err = b.fields(); err == nil {
			value = form.form(fields)
		}
	default:
		return nil, false, nil
	}
	return value, true, err
}
