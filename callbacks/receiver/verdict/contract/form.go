package contract

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"

	"github.com/pb33f/jsonschema/v6"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
)

// The media types of forms.
const (
	urlEncoded    = "application/x-www-form-urlencoded"
	multipartForm = "multipart/form-data"
)

// readForm reads the fields of a form. Of a file it takes the content.
func readForm(mediaType, boundary string, body []byte) (url.Values, error) {
	if mediaType == urlEncoded {
		return url.ParseQuery(string(body))
	}
	fields := url.Values{}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		fields.Add(part.FormName(), string(text))
	}
}

// shape is how texts, which is all that headers and forms have, become what a schema is about.
type shape struct {
	types     []string          // of the value; none for text
	items     *shape            // of an array
	separator string            // of the items in one text; "" if each has one of its own
	members   map[string]*shape // of a form, or of a deep object
	deep      bool              // an object whose members come as name[member]
}

// value is what texts mean. A text that is not of the right type is left as it is: the schema has something against that.
func (s *shape) value(texts []string) any {
	if s == nil || !slices.Contains(s.types, "array") {
		if len(texts) == 1 {
			return s.scalar(texts[0])
		}
		s = &shape{}
	}
	if s.separator != "" {
		texts = strings.Split(strings.Join(texts, s.separator), s.separator)
	}
	items := []any{}
	for _, text := range texts {
		items = append(items, s.items.scalar(text))
	}
	return items
}

func (s *shape) scalar(text string) any {
	if s == nil {
		return text
	}
	for _, name := range s.types {
		switch name {
		case "integer", "number", "object": // An object comes as JSON, if nothing else is said (Encoding Object, contentType).
			if value, err := jsonschema.UnmarshalJSON(strings.NewReader(text)); err == nil && !deeper([]byte(text), maxDepth) {
				return value
			}
		case "boolean":
			if text == "true" || text == "false" {
				return text == "true"
			}
		}
	}
	return text
}

// form is the object that fields are.
func (s *shape) form(fields url.Values) map[string]any {
	object := map[string]any{}
	for name, texts := range fields {
		outer, inner, isMember := strings.Cut(strings.TrimSuffix(name, "]"), "[")
		if of := s.members[outer]; isMember && of != nil && of.deep {
			nested, _ := object[outer].(map[string]any)
			if nested == nil {
				nested = map[string]any{}
				object[outer] = nested
			}
			nested[inner] = of.members[inner].value(texts)
			continue
		}
		object[name] = s.members[name].value(texts)
	}
	return object
}

// shapeOf is the shape of a header, an item or a field of a form.
func shapeOf(proxy *base.SchemaProxy, how *v3.Encoding) *shape {
	s := &shape{types: typesOf(proxy), separator: separatorOf(how)}
	for _, schema := range alternatives(proxy) {
		if schema.Items != nil && schema.Items.IsA() {
			s.items = &shape{types: typesOf(schema.Items.A)}
		}
	}
	switch {
	case how.Style == "deepObject":
		s.deep, s.members = true, formOf(proxy, nil).members
	case strings.Contains(how.ContentType, "json"):
		s.types = []string{"object"} // or any other value that JSON has
	}
	return s
}

func typesOf(proxy *base.SchemaProxy) (types []string) {
	for _, schema := range alternatives(proxy) {
		types = append(types, schema.Type...)
	}
	return types
}

// formOf is the shape of a form, whose fields may have encodings.
func formOf(proxy *base.SchemaProxy, encodings *orderedmap.Map[string, *v3.Encoding]) *shape {
	s := &shape{members: map[string]*shape{}}
	for _, schema := range alternatives(proxy) {
		for name, property := range schema.Properties.FromOldest() {
			how := &v3.Encoding{}
			if encodings != nil {
				how = cmp.Or(encodings.GetOrZero(name), how)
			}
			s.members[name] = shapeOf(property, how)
		}
	}
	return s
}

// separatorOf is what stands between the items of an array ("Style Values"); "" if each is a field of its own.
func separatorOf(how *v3.Encoding) string {
	separator := map[string]string{"spaceDelimited": " ", "pipeDelimited": "|"}[how.Style]
	if separator == "" && how.Explode != nil && !*how.Explode {
		separator = ","
	}
	return separator
}

// alternatives are a schema and those that it is made of, 100 at most.
func alternatives(proxy *base.SchemaProxy) []*base.Schema {
	var all []*base.Schema
	for next := []*base.SchemaProxy{proxy}; len(next) > 0 && len(all) < 100; next = next[1:] {
		if schema := next[0].Schema(); schema != nil {
			all = append(all, schema)
			next = slices.Concat(next, schema.AllOf, schema.AnyOf, schema.OneOf)
		}
	}
	return all
}
