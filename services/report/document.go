// Package report holds what a report says, and writes it as JSON, CSV, an XLSX
// workbook, and an HTML page that needs nothing from elsewhere.
package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Document is what a report says. Its tables hold what was counted; summary,
// figures and charts say the same to people.
type Document struct {
	ReportID string    `json:"report_id"`
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Summary  string    `json:"summary"` // one or two sentences
	From     string    `json:"from"`    // first day of the period, "" if it is open: 2026-01-31
	To       string    `json:"to"`      // last day
	AsOf     time.Time `json:"as_of"`   // the moment whose state it shows
	Notes    []string  `json:"notes"`   // what a reader should know, such as rows that were left out
	Figures  []Figure  `json:"figures"`
	Tables   []Table   `json:"tables"`
	Charts   []Chart   `json:"charts"`
}

// Figure is a number worth a headline, as people read it.
type Figure struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

// Table is rows of cells. A cell is a text that its column's kind explains; ""
// is an empty one.
type Table struct {
	Name    string     `json:"name"` // snake_case, for programs
	Title   string     `json:"title"`
	Columns []Column   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// Column is what the cells below it have in common.
type Column struct {
	Name  string `json:"name"` // snake_case, for programs
	Title string `json:"title"`
	Kind  Kind   `json:"kind"`
}

// Kind says how the text in a cell is meant.
type Kind string

// Kinds of cells.
const (
	Text    Kind = "text"
	Integer Kind = "integer" // 1234
	Decimal Kind = "decimal" // 12.5
	Percent Kind = "percent" // a share of one: 0.125
	Money   Kind = "money"   // in the smallest unit of the currency that the row's column "currency" names
)

// Chart is a picture of some of the numbers.
type Chart struct {
	Title  string    `json:"title"`
	Kind   ChartKind `json:"kind"`
	Labels []string  `json:"labels"` // one for each value of a series
	Series []Series  `json:"series"`
}

// Series is the numbers of one line, or of bars of one colour.
type Series struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
	// Failures says that these are failures, which have a colour of their own.
	Failures bool `json:"-"`
}

// ChartKind is the form of a chart.
type ChartKind string

// Forms of charts.
const (
	Timeline ChartKind = "timeline" // values by day or month
	Bars     ChartKind = "bars"     // lying bars, with room for long labels, first to last from above
)

// Encode makes bytes of a document, to be stored.
func (d Document) Encode() ([]byte, error) {
	content, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding the report: %w", err)
	}
	return content, nil
}

// Decode reads what Encode has written.
func Decode(content []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(content, &d); err != nil {
		return Document{}, fmt.Errorf("decoding the report: %w", err)
	}
	return d, nil
}

// Write writes a document in a format: json, csv, xlsx or html.
func (d Document) Write(format string) ([]byte, error) {
	switch format {
	case "json":
		return d.json()
	case "csv":
		return d.csv()
	case "xlsx":
		return d.xlsx()
	case "html":
		return d.html()
	}
	return nil, fmt.Errorf("a report has no format %q", format)
}

// index finds a column by its name, -1 if there is none.
func (t Table) index(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// currency is the currency of a row, "" if the table has none.
func (t Table) currency(row []string) string {
	if i := t.index("currency"); i >= 0 {
		return row[i]
	}
	return ""
}

// Clip shortens a text to n characters, and makes one line of it.
func Clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
