package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// sampleSize is how many records are looked at to tell CSV from text.
const sampleSize = 20

// readCSV returns errOtherFormat if data does not look like CSV: at least two records, all
// of as many fields, and at least two of these.
func readCSV(data string) (*Dataset, error) {
	delimiter, fields := ',', 1
	for _, candidate := range ",;\t|" {
		if n := sample(data, candidate); n > fields {
			delimiter, fields = candidate, n
		}
	}
	if fields < 2 {
		return nil, errOtherFormat
	}
	if fields > MaxColumns {
		return nil, malformed("The CSV has %d columns; at most %d can be profiled.", fields, MaxColumns)
	}
	first, err := newReader(data, delimiter).Read()
	if err != nil {
		return nil, explainCSV(err)
	}
	names, hasHeader := header(slices.Clone(first))
	return &Dataset{Format: CSV, each: records(data, delimiter, names, hasHeader)}, nil
}

// sample is how many fields the first records have in common, 0 if they differ.
func sample(data string, delimiter rune) (fields int) {
	r := newReader(data, delimiter)
	for i := range sampleSize {
		record, err := r.Read()
		if errors.Is(err, io.EOF) && i > 1 {
			return fields
		}
		if err != nil {
			return 0
		}
		fields = len(record)
	}
	return fields
}

func newReader(data string, delimiter rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(data))
	r.Comma = delimiter
	r.ReuseRecord = true
	// A leading tab may be an empty field, so only the others are trimmed.
	r.TrimLeadingSpace = delimiter != '\t'
	return r
}

// header takes the first record for names unless there is a value in it that no
// column would be called by.
func header(first []string) (names []string, hasHeader bool) {
	hasHeader = true
	for _, field := range first {
		if kind := classify(field); kind != Text && kind != "" {
			hasHeader = false
		}
	}
	seen := map[string]int{}
	for i, field := range first {
		name := strings.TrimSpace(field)
		if !hasHeader || name == "" {
			name = fmt.Sprintf("column %d", i+1)
		}
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		names = append(names, name)
	}
	return names, hasHeader
}

func records(data string, delimiter rune, names []string, hasHeader bool) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		r := newReader(data, delimiter)
		cells := make(row, len(names))
		for first := true; ; first = false {
			record, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, explainCSV(err))
				return
			}
			if first && hasHeader {
				continue
			}
			for i, field := range record {
				cells[i] = cell{name: names[i], kind: classify(field), text: strings.TrimSpace(field)}
			}
			if !yield(cells, nil) {
				return
			}
		}
	}
}

func explainCSV(err error) error {
	var parse *csv.ParseError
	switch {
	case !errors.As(err, &parse):
		return malformed("The CSV cannot be read.")
	case errors.Is(err, csv.ErrFieldCount):
		return malformed("The CSV has another number of fields in line %d than in the lines before.", parse.StartLine)
	}
	return malformed("The CSV has a quote in the wrong place in line %d.", parse.Line)
}
