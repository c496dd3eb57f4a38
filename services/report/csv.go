package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"petstore/services/money"
)

// csv writes all tables as one (RFC 4180, UTF-8): the column "table" says which
// table a row is of, and the others are the columns of all tables, each once.
// Money is in the currency's main unit, as spreadsheets want it.
func (d Document) csv() ([]byte, error) {
	header := []string{"table"}
	for _, table := range d.Tables {
		for _, column := range table.Columns {
			if !slices.Contains(header, column.Name) {
				header = append(header, column.Name)
			}
		}
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	err := w.Write(header)
	for _, table := range d.Tables {
		for _, row := range table.Rows {
			record := make([]string, len(header))
			record[0] = table.Name
			for i, column := range table.Columns {
				record[slices.Index(header, column.Name)] = csvCell(column.Kind, row[i], table.currency(row))
			}
			if err == nil {
				err = w.Write(record)
			}
		}
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("writing the report as CSV: %w", err)
	}
	return out.Bytes(), nil
}

func csvCell(kind Kind, value, currency string) string {
	switch kind {
	case Text:
		return harmless(value)
	case Money:
		return money.Major(value, currency)
	default:
		return value
	}
}

// plainNumber is no formula, whatever its sign.
var plainNumber = regexp.MustCompile(`^[-+]?\d+(\.\d+)?([eE][-+]?\d+)?$`)

// afterSeparator finds what would be a formula if its cell began there.
var afterSeparator = regexp.MustCompile(`((?:[;|]|\S[\t\n\r])\s*)([=+\-@＝＋－＠])`)

// harmless puts an apostrophe before text that a spreadsheet would take for a
// formula and run. Blanks before it don't help: some programs skip them
// (https://owasp.org/www-community/attacks/CSV_Injection). Some take other characters
// than commas for separators, so that a cell may begin after each.
func harmless(text string) string {
	if plainNumber.MatchString(text) {
		return text
	}
	text = afterSeparator.ReplaceAllString(text, "$1'$2")
	first := strings.TrimLeftFunc(text, unicode.IsSpace)
	if first != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(first)[0]) {
		return "'" + text
	}
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") || strings.HasPrefix(text, "\n") {
		return "'" + text
	}
	return text
}
