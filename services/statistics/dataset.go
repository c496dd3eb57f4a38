package statistics

import (
	"context"
	"fmt"
	"strconv"

	"petstore/services/dataset"
	"petstore/services/report"
)

// cellLength is how many characters of a value a report shows.
const cellLength = 100

// Dataset says what is in data that a client gave. A *dataset.MalformedError says why
// it cannot be read.
func Dataset(ctx context.Context, text string, d *report.Document, tell Step) error {
	data, err := dataset.Read(text)
	if err != nil {
		return err
	}
	steps := newSteps(data.Rows, tell)
	columns, err := data.Profile(steps.batch, func(done int64) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return steps.tell(done)
	})
	if err != nil {
		return err
	}
	writeProfile(d, data, columns)
	return nil
}

func writeProfile(d *report.Document, data *dataset.Dataset, columns []dataset.Column) {
	d.Title = "Dataset"
	var values, missing int64
	for _, c := range columns {
		values += c.Count
		missing += c.Missing
	}
	d.Summary = profileSummary(data, columns, missing)
	d.Figures = []report.Figure{
		{Title: "Format", Value: data.Format},
		{Title: "Rows", Value: report.Count(data.Rows)},
		{Title: "Columns", Value: report.Count(int64(len(columns)))},
		{Title: "Missing values", Value: report.Percentage(missing, values+missing)},
	}
	d.Tables = []report.Table{columnTable(columns)}
	if len(columns) > 0 {
		d.Charts = []report.Chart{distinctBars(columns)}
	}
}

func profileSummary(data *dataset.Dataset, columns []dataset.Column, missing int64) string {
	switch {
	case data.Rows == 0:
		return "The data is empty."
	case data.Format == dataset.PlainText:
		return fmt.Sprintf("Text of %s, %s and %s.", report.Plural(data.Rows, "line", "lines"),
			report.Plural(int64(columns[1].Sum), "word", "words"), report.Plural(int64(columns[2].Sum), "character", "characters"))
	}
	name := map[string]string{dataset.CSV: "CSV", dataset.JSON: "JSON"}[data.Format]
	text := fmt.Sprintf("%s of %s and %s", name, report.Plural(data.Rows, "row", "rows"), report.Plural(int64(len(columns)), "column", "columns"))
	if missing == 0 {
		return text + ", with no value missing."
	}
	return text + fmt.Sprintf(", with %s missing.", report.Plural(missing, "value", "values"))
}

func columnTable(columns []dataset.Column) report.Table {
	t := report.Table{Name: "columns", Title: "Columns", Columns: []report.Column{
		{Name: "column", Title: "Column", Kind: report.Text},
		{Name: "type", Title: "Type", Kind: report.Text},
		{Name: "values", Title: "Values", Kind: report.Integer},
		{Name: "missing", Title: "Missing", Kind: report.Integer},
		{Name: "distinct", Title: "Distinct", Kind: report.Integer},
		{Name: "min", Title: "Min", Kind: report.Text},
		{Name: "max", Title: "Max", Kind: report.Text},
		{Name: "mean", Title: "Mean", Kind: report.Decimal},
	}}
	for _, c := range columns {
		mean := ""
		if c.Numeric() {
			mean = report.Number(c.Mean)
		}
		t.Rows = append(t.Rows, []string{
			report.Clip(c.Name, cellLength), c.Type, strconv.FormatInt(c.Count, 10), strconv.FormatInt(c.Missing, 10),
			strconv.FormatInt(c.Distinct, 10), report.Clip(c.Min, cellLength), report.Clip(c.Max, cellLength), mean,
		})
	}
	return t
}

func distinctBars(columns []dataset.Column) report.Chart {
	return bars("Different values by column", 2*chartBars, columns,
		func(c dataset.Column) (string, []float64) { return c.Name, []float64{float64(c.Distinct)} }, "Different values")
}
