// Package dataset profiles data that somebody hands over without a word about
// it: which columns it has, of which type, and what is in them. It reads CSV
// (with commas, semicolons, tabs or bars), JSON (an array, an object, or one
// object a line), and takes anything else for lines of text.
package dataset

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxColumns is how many columns a dataset can have.
const MaxColumns = 1000

// Formats of a dataset.
const (
	CSV       = "csv"
	JSON      = "json"
	PlainText = "text"
)

// MalformedError says, in words for whoever sent the data, why it cannot be read.
type MalformedError struct{ Message string }

func (e *MalformedError) Error() string { return e.Message }

func malformed(format string, args ...any) *MalformedError {
	return &MalformedError{Message: fmt.Sprintf(format, args...)}
}

// Dataset is data that has been read once, and is known to be well formed.
type Dataset struct {
	Format string
	Rows   int64
	each   iter.Seq2[row, error]
}

// row is the cells that a row has. It may be used again for the next one.
type row []cell

// cell is one value.
type cell struct {
	name string // of its column
	kind string // "" for a missing value
	text string
}

// errOtherFormat says that data is not of the format that was tried.
var errOtherFormat = errors.New("another format")

// Read finds out what data is. The error is a *MalformedError.
func Read(data string) (*Dataset, error) {
	data = strings.TrimPrefix(data, "\ufeff") // a byte order mark
	d, err := readJSON(data)
	if errors.Is(err, errOtherFormat) {
		d, err = readCSV(data)
	}
	if errors.Is(err, errOtherFormat) {
		d, err = &Dataset{Format: PlainText, each: lines(data)}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, err := range d.each {
		if err != nil {
			return nil, err
		}
		d.Rows++
	}
	return d, nil
}

// lines reads text: each line is a row with its length in words and characters.
func lines(data string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		data := strings.TrimRight(data, "\r\n")
		if data == "" {
			return
		}
		for line := range strings.SplitSeq(data, "\n") {
			line = strings.TrimSuffix(line, "\r")
			text := cell{name: "line", kind: Text, text: line}
			if strings.TrimFunc(line, unicode.IsSpace) == "" {
				text.kind = ""
			}
			if !yield(row{
				text,
				{name: "words", kind: Integer, text: fmt.Sprint(len(strings.Fields(line)))},
				{name: "characters", kind: Integer, text: fmt.Sprint(utf8.RuneCountInString(line))},
			}, nil) {
				return
			}
		}
	}
}
