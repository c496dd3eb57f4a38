package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
)

const (
	// sampleSize is how many records are looked at to tell CSV from text.
	sampleSize = 20
	// maxShort is the part of them that may have fewer fields than the first, and maxShortValues if there are values
	// among them, which prose with commas has not.
	maxShort, maxShortValues = 0.2, 0.4
)

// readCSV returns errOtherFormat if data does not look like CSV: at least two records, with at
// least two fields, and nearly all with as many; or one column of values below a name.
func readCSV(data string) (*Dataset, error) {
	delimiter, fields := ',', 1
	for _, candidate := range ",;\t|" {
		if n := sample(data, candidate); n > fields {
			delimiter, fields = candidate, n
		}
	}
	if fields < 2 && !isColumn(data) {
		return nil, errOtherFormat
	}
	if fields > MaxColumns {
		return nil, malformed("The CSV has %d columns; at most %d can be profiled.", fields, MaxColumns)
	}
	r := newReader(data, delimiter)
	first, err := r.Read()
	if err != nil {
		return nil, explainCSV(err)
	}
	first = slices.Clone(first)
	second, _ := r.Read() // sample has read it
	names, hasHeader := header(first, second)
	return &Dataset{Format: CSV, each: records(data, delimiter, names, hasHeader)}, nil
}

// sample is how many fields the first record has, 0 if the next ones say that this is no CSV.
func sample(data string, delimiter rune) (fields int) {
	r := newReader(data, delimiter)
	read, short, most := 0, 0, maxShort
	for ; read < sampleSize; read++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0
		}
		if read == 0 {
			fields = len(record)
		} else if slices.ContainsFunc(record, isValue) {
			most = maxShortValues
		}
		switch {
		case len(record) > fields:
			return 0
		case len(record) < fields:
			short++
		}
	}
	if read < 2 || float64(short) > most*float64(read) {
		return 0
	}
	return fields
}

// isColumn reports whether the first lines are a name, and below it nothing but values, at least two.
func isColumn(data string) bool {
	lines := strings.SplitN(strings.TrimSpace(data), "\n", sampleSize+1)
	if len(lines) < 3 || isValue(lines[0]) {
		return false
	}
	return !slices.ContainsFunc(lines[1:min(len(lines), sampleSize)], func(line string) bool { return !isValue(line) })
}

func newReader(data string, delimiter rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(data))
	r.Comma = delimiter
	r.ReuseRecord = true
	r.FieldsPerRecord = -1 // records tells what to make of short ones
	// A leading tab may be an empty field, so only the others are trimmed.
	r.TrimLeadingSpace = delimiter != '\t'
	return r
}

// header takes the first record for names unless there is a value in it that no
// column would be called by. Years are both: they are names above what is no year.
func header(first, second []string) (names []string, hasHeader bool) {
	hasHeader = !slices.ContainsFunc(first, isValue) || areYears(first) && !areYears(second)
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

func isValue(field string) bool {
	kind := classify(field)
	return kind != Text && kind != ""
}

// areYears reports whether a record has years, each once, and beside them at most names.
func areYears(record []string) bool {
	years := map[string]bool{}
	for _, field := range record {
		field = strings.TrimSpace(field)
		year, err := strconv.Atoi(field)
		switch {
		case err == nil && 1000 <= year && year <= 2999 && !years[field]:
			years[field] = true
		case isValue(field):
			return false
		}
	}
	return len(years) > 0
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
			if len(record) > len(names) {
				line, _ := r.FieldPos(0)
				yield(nil, malformed("The CSV has more fields in line %d than in its first line.", line))
				return
			}
			fill(cells, names, record)
			if !yield(cells, nil) {
				return
			}
		}
	}
}

// fill makes the cells of a record. One that is too short lacks its last values.
func fill(cells row, names, record []string) {
	for i, name := range names {
		cells[i] = cell{name: name}
		if i < len(record) {
			cells[i] = cell{name: name, kind: classify(record[i]), text: strings.TrimSpace(record[i])}
		}
	}
}

func explainCSV(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return malformed("The CSV cannot be read.")
	}
	return malformed("The CSV has a quote in the wrong place in line %d.", parse.Line)
}
