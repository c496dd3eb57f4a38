package handlers

import (
	"bytes"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"petstore/models"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// mismatches finds all of a JSON value that doesn't fit its Go type. The decoder stops at the first mismatch; so what it
// doesn't take as a whole is decoded part by part.
type mismatches struct {
	strict json.Options
	found  models.FieldErrors
}

// decode decodes the value at a place of the body, as far as it fits. What doesn't is empty, but not nil: it was given,
// so that no check takes it for missing.
func (m *mismatches) decode(at jsontext.Pointer, value jsontext.Value, into reflect.Value) {
	if m.found.Full() || len(value) == 0 || json.Unmarshal(value, into.Addr().Interface(), m.strict) == nil {
		return
	}
	kind := value.Kind()
	for into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	into.SetZero() // the parts that came before the mismatch are decoded again
	if into.Kind() == reflect.Slice {
		into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	}
	switch {
	case kind == jsontext.KindBeginObject && into.Kind() == reflect.Struct:
		m.decodeStruct(at, value, into)
	case kind == jsontext.KindBeginObject && into.Kind() == reflect.Map:
		for name, entry := range parts(value) { // a map with a mismatch is not looked at any further
			m.decode(at.AppendToken(name), entry, reflect.New(into.Type().Elem()).Elem())
		}
	case kind == jsontext.KindBeginArray && into.Kind() == reflect.Slice:
		for index, element := range parts(value) {
			decoded := reflect.New(into.Type().Elem()).Elem()
			m.decode(at.AppendToken(index), element, decoded)
			into.Set(reflect.Append(into, decoded))
		}
	case kind == jsontext.KindNull:
		m.found.Addf(fieldName(at), "must not be null; leave it out instead")
	default:
		m.found.Addf(fieldName(at), "must be %s", kindName(into.Type()))
	}
}

func (m *mismatches) decodeStruct(at jsontext.Pointer, object jsontext.Value, into reflect.Value) {
	fields := fieldsOf(into.Type())
	for name, value := range parts(object) {
		i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return jsonName(f) == name })
		switch {
		case m.found.Full():
			return
		case i < 0:
			m.found.Addf(fieldName(at.AppendToken(name)), "is not a field here; there are %s", strings.Join(namesOf(fields), ", "))
		default:
			m.decode(at.AppendToken(name), value, into.FieldByIndex(fields[i].Index))
		}
	}
}

// parts yields the members of an object by their names, or the elements of an array by their indexes. A part that is no
// JSON is the last, and empty.
func parts(whole jsontext.Value) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		dec := jsontext.NewDecoder(bytes.NewReader(whole))
		open, err := dec.ReadToken()
		for i := 0; err == nil; i++ {
			name := strconv.Itoa(i)
			if open.Kind() == jsontext.KindBeginObject {
				token, err := dec.ReadToken()
				if err != nil || token.Kind() != jsontext.KindString {
					return
				}
				name = token.String()
			} else if dec.PeekKind() == jsontext.KindEndArray {
				return
			}
			var value jsontext.Value
			value, err = dec.ReadValue()
			if !yield(name, value) {
				return
			}
		}
	}
}
