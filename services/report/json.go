package report

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// json writes each row as an object and each table as an array of them. Numbers
// are numbers, money is in the smallest unit as everywhere in the API, and an
// empty cell is null. Members keep the order of the columns.
func (d Document) json() ([]byte, error) {
	var out bytes.Buffer
	w := jsonWriter{enc: jsontext.NewEncoder(&out, jsontext.WithIndent("  "))}
	w.token(jsontext.BeginObject)
	w.text("report_id", d.ReportID)
	w.text("type", d.Type)
	w.text("title", d.Title)
	w.text("summary", d.Summary)
	w.optional("from", d.From)
	w.optional("to", d.To)
	w.text("as_of", d.AsOf.UTC().Format(time.RFC3339Nano))
	w.name("notes")
	w.token(jsontext.BeginArray)
	for _, note := range d.Notes {
		w.token(jsontext.String(note))
	}
	w.token(jsontext.EndArray)
	w.name("tables")
	w.token(jsontext.BeginObject)
	for _, table := range d.Tables {
		w.table(table)
	}
	w.token(jsontext.EndObject)
	w.token(jsontext.EndObject)
	if w.err != nil {
		return nil, fmt.Errorf("writing the report as JSON: %w", w.err)
	}
	return out.Bytes(), nil
}

// jsonWriter keeps the first error.
type jsonWriter struct {
	enc *jsontext.Encoder
	err error
}

func (w *jsonWriter) token(t jsontext.Token) {
	if w.err == nil {
		w.err = w.enc.WriteToken(t)
	}
}

func (w *jsonWriter) name(name string) { w.token(jsontext.String(name)) }

func (w *jsonWriter) text(name, value string) {
	w.name(name)
	w.token(jsontext.String(value))
}

func (w *jsonWriter) optional(name, value string) {
	if value != "" {
		w.text(name, value)
		return
	}
	w.name(name)
	w.token(jsontext.Null)
}

func (w *jsonWriter) table(t Table) {
	w.name(t.Name)
	w.token(jsontext.BeginArray)
	for _, row := range t.Rows {
		w.token(jsontext.BeginObject)
		for i, column := range t.Columns {
			w.cell(column, row[i])
		}
		w.token(jsontext.EndObject)
	}
	w.token(jsontext.EndArray)
}

func (w *jsonWriter) cell(c Column, value string) {
	if c.Kind == Text || value == "" {
		w.optional(c.Name, value)
		return
	}
	w.name(c.Name)
	if w.err == nil {
		w.err = w.enc.WriteValue(jsontext.Value(value))
	}
}
