package report

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"petstore/services/money"

	"github.com/xuri/excelize/v2"
)

// xlsx writes a workbook: a sheet with the summary, and one for each table,
// whose first row stays in sight and can be filtered by.
func (d Document) xlsx() (content []byte, err error) {
	file := excelize.NewFile()
	defer func() { err = errors.Join(err, file.Close()) }()
	w := &workbook{file: file, styles: map[string]int{}}
	w.summary(d)
	for _, table := range d.Tables {
		w.table(table)
	}
	var out bytes.Buffer
	if w.err == nil {
		w.err = file.SetDocProps(&excelize.DocProperties{Title: d.Title, Creator: "Petstore", Created: d.AsOf.UTC().Format(time.RFC3339)})
	}
	if w.err == nil {
		_, w.err = file.WriteTo(&out)
	}
	if w.err != nil {
		return nil, fmt.Errorf("writing the report as XLSX: %w", w.err)
	}
	return out.Bytes(), nil
}

// workbook keeps the first error.
type workbook struct {
	file   *excelize.File
	styles map[string]int // by number format
	err    error
}

// summarySheet is the name of the first sheet. A table with this title would
// have to have another one.
const summarySheet = "Summary"

func (w *workbook) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *workbook) summary(d Document) {
	w.do(w.file.SetSheetName(w.file.GetSheetName(0), summarySheet))
	sheet, err := w.file.NewStreamWriter(summarySheet)
	if w.do(err); w.err != nil {
		return
	}
	w.do(sheet.SetColWidth(1, 1, 26))
	w.do(sheet.SetColWidth(2, 2, 90))
	rows := [][2]string{{"Report", d.Title}, {"Summary", d.Summary}, {"Period", d.period()}, {"As of", d.AsOf.UTC().Format(time.RFC1123)}}
	for _, figure := range d.Figures {
		rows = append(rows, [2]string{figure.Title, figure.Value})
	}
	for _, note := range d.Notes {
		rows = append(rows, [2]string{"Note", note})
	}
	bold, wrapped := w.style("bold"), w.style("wrap")
	for i, row := range rows {
		w.do(sheet.SetRow("A"+strconv.Itoa(i+1), []any{
			excelize.Cell{StyleID: bold, Value: row[0]}, excelize.Cell{StyleID: wrapped, Value: row[1]},
		}))
	}
	w.do(sheet.Flush())
}

func (w *workbook) table(t Table) {
	_, err := w.file.NewSheet(t.Title)
	w.do(err)
	if w.err != nil {
		return
	}
	sheet, err := w.file.NewStreamWriter(t.Title)
	if w.do(err); w.err != nil {
		return
	}
	for i, column := range t.Columns {
		w.do(sheet.SetColWidth(i+1, i+1, t.width(i, column)))
	}
	w.do(sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	header := make([]any, len(t.Columns))
	for i, column := range t.Columns {
		header[i] = excelize.Cell{StyleID: w.style("bold"), Value: column.Title}
	}
	w.do(sheet.SetRow("A1", header))
	for i, row := range t.Rows {
		w.do(sheet.SetRow("A"+strconv.Itoa(i+2), w.cells(t, row)))
	}
	if len(t.Rows) > 0 { // a table needs a row
		last, err := excelize.CoordinatesToCellName(len(t.Columns), len(t.Rows)+1)
		w.do(err)
		w.do(sheet.AddTable(&excelize.Table{Range: "A1:" + last, Name: t.Name, StyleName: "TableStyleLight1"}))
	}
	w.do(sheet.Flush())
}

func (w *workbook) cells(t Table, row []string) []any {
	cells := make([]any, len(row))
	for i, column := range t.Columns {
		cells[i] = w.cell(column.Kind, row[i], t.currency(row))
	}
	return cells
}

// cell makes a number of what is one. Text stays text whatever it looks like:
// only a cell's Formula is ever computed.
func (w *workbook) cell(kind Kind, value, currency string) any {
	format := "#,##0"
	switch kind {
	case Text:
		return value
	case Integer:
	case Decimal:
		format = "#,##0.###"
	case Percent:
		format = "0.0%"
	case Money:
		if decimals := money.Decimals(currency); decimals > 0 {
			format += "." + strings.Repeat("0", decimals)
		}
		value = money.Major(value, currency)
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || significant(value) > maxDigits {
		return value
	}
	return excelize.Cell{StyleID: w.style(format), Value: number}
}

// maxDigits is how many digits a spreadsheet keeps of a number. Longer ones stay
// text rather than become wrong.
const maxDigits = 15

func significant(number string) int {
	return len(strings.TrimLeft(strings.ReplaceAll(strings.TrimPrefix(number, "-"), ".", ""), "0"))
}

// style is the id of a style, made when it is first asked for.
func (w *workbook) style(name string) int {
	if id, ok := w.styles[name]; ok {
		return id
	}
	style := &excelize.Style{}
	switch name {
	case "bold":
		style.Font = &excelize.Font{Bold: true}
	case "wrap":
		style.Alignment = &excelize.Alignment{WrapText: true, Vertical: "top"}
	default:
		style.CustomNumFmt = &name
	}
	id, err := w.file.NewStyle(style)
	w.do(err)
	w.styles[name] = id
	return id
}

// width fits a column to its first rows, in characters.
func (t Table) width(i int, c Column) float64 {
	width := len(c.Title)
	for _, row := range t.Rows[:min(len(t.Rows), 200)] {
		width = max(width, len([]rune(row[i])))
	}
	return float64(min(max(width, 8)+4, 60)) // 4 for the filter's button
}
