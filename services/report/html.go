package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"time"

	"petstore/services/money"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// view is a document as the page shows it.
type view struct {
	Document
	Period string
	AsOf   string
	Charts []drawing
	Tables []viewTable
}

type drawing struct {
	Title string
	SVG   template.HTML
}

type viewTable struct {
	Title   string
	Columns []viewColumn
	Rows    [][]string
}

type viewColumn struct {
	Title   string
	Numeric bool
}

// html writes a page that loads nothing and runs nothing, and says so to the
// browser, because names in it come from clients.
func (d Document) html() ([]byte, error) {
	v := view{Document: d, Period: d.period(), AsOf: d.AsOf.UTC().Format("2 January 2006, 15:04:05 UTC")}
	for _, chart := range d.Charts {
		if chart.Kind == Timeline && len(chart.Labels) < 2 {
			continue // one day is a figure, not a picture
		}
		svg, err := chart.svg()
		if err != nil {
			return nil, err
		}
		v.Charts = append(v.Charts, drawing{Title: chart.Title, SVG: svg})
	}
	for _, table := range d.Tables {
		v.Tables = append(v.Tables, table.view())
	}
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("writing the report as HTML: %w", err)
	}
	return out.Bytes(), nil
}

func (t Table) view() viewTable {
	v := viewTable{Title: t.Title, Rows: make([][]string, len(t.Rows))}
	for i, column := range t.Columns {
		v.Columns = append(v.Columns, viewColumn{Title: column.Title, Numeric: column.Kind != Text && i > 0})
	}
	for i, row := range t.Rows {
		v.Rows[i] = make([]string, len(row))
		for j, column := range t.Columns {
			v.Rows[i][j] = readable(column.Kind, row[j], t.currency(row))
		}
	}
	return v
}

// readable is a cell as people read it.
func readable(kind Kind, value, currency string) string {
	if kind == Text || value == "" {
		return value
	}
	switch kind {
	case Integer:
		return group(value)
	case Money:
		return group(money.Major(value, currency))
	default:
	}
	x, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil:
		return value
	case kind == Percent:
		return percent(x)
	case math.Abs(x) < 1 || math.Abs(x) >= 1e15:
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return group(strconv.FormatFloat(math.Round(x*1000)/1000, 'f', -1, 64))
}

// period is the time that the report covers, in words.
func (d Document) period() string {
	switch {
	case d.From == "" && d.To == "":
		return "all time"
	case d.From == "":
		return "until " + day(d.To)
	case d.To == "":
		return "since " + day(d.From)
	case d.From == d.To:
		return day(d.From)
	}
	return day(d.From) + " to " + day(d.To)
}

func day(iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return iso
	}
	return t.Format("2 January 2006")
}
