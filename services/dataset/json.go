package dataset

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// mayBeJSON is how a JSON array or object begins, isJSON how no text does. Text
// may begin with a bracket ("[draft] …"), so what only may be JSON and is none
// is taken for text, while a mistake in what must be JSON is told.
var (
	mayBeJSON = regexp.MustCompile(`^\s*[\[{]`)
	isJSON    = regexp.MustCompile(`^\s*(\{\s*"|\[\s*[{\[])`)
)

// readJSON returns errOtherFormat if data is no JSON array or object.
func readJSON(data string) (*Dataset, error) {
	if !mayBeJSON.MatchString(data) {
		return nil, errOtherFormat
	}
	d := &Dataset{Format: JSON, each: values(data)}
	if isJSON.MatchString(data) {
		return d, nil
	}
	for _, err := range d.each {
		if err != nil {
			return nil, errOtherFormat
		}
	}
	return d, nil
}

// values reads the elements of an array, or else all values that follow one
// another, each as a row.
func values(data string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		dec := jsontext.NewDecoder(strings.NewReader(data))
		err := readRows(dec, func(r row) bool { return yield(r, nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, explainJSON(err))
		}
	}
}

// errStopped says that whoever reads the rows has seen enough.
var errStopped = errors.New("stopped")

func readRows(dec *jsontext.Decoder, yield func(row) bool) error {
	isArray := dec.PeekKind() == '['
	if isArray {
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
	}
	for {
		switch dec.PeekKind() {
		case ']':
			if _, err := dec.ReadToken(); err != nil {
				return err
			}
			return atEnd(dec)
		case jsontext.KindInvalid: // an error, or the end
			if _, err := dec.ReadToken(); isArray || !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		default:
		}
		r, err := readRow(dec)
		if err != nil {
			return err
		}
		if !yield(r) {
			return errStopped
		}
	}
}

func atEnd(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return malformed("The JSON goes on after the array that it begins with.")
	}
	return nil
}

// readRow reads an object by its names, an array by its places, and any other
// value as the only one of its row.
func readRow(dec *jsontext.Decoder) (row, error) {
	kind := dec.PeekKind()
	if kind != '{' && kind != '[' {
		c, err := readCell(dec, cell{name: "value"})
		return row{c}, err
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var r row
	for i := 0; dec.PeekKind() != '}' && dec.PeekKind() != ']'; i++ {
		next := cell{name: fmt.Sprintf("column %d", i+1)}
		if kind == '{' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			next = cell{name: name.String()}
		}
		c, err := readCell(dec, next)
		if err != nil {
			return nil, err
		}
		r = append(r, c)
	}
	_, err := dec.ReadToken()
	return r, err
}

func readCell(dec *jsontext.Decoder, c cell) (cell, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return c, err
	}
	c.text = string(value)
	switch value.Kind() {
	case 'n':
		c.kind = ""
	case 't', 'f':
		c.kind = Boolean
	case '0':
		c.kind = numberKind(c.text)
	case '{':
		c.kind = Object
	case '[':
		c.kind = Array
	default:
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return c, err
		}
		c.text = string(text)
		c.kind = Text
		if isDate(c.text) {
			c.kind = Date
		}
	}
	return c, nil
}

func explainJSON(err error) error {
	if known, ok := errors.AsType[*MalformedError](err); ok {
		return known
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return malformed("The JSON has an object with the same name twice.")
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("The data begins like JSON, but is not: the error is at byte %d.", syntax.ByteOffset)
	}
	return malformed("The data begins like JSON, and ends before it is complete.")
}
