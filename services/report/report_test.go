package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// formulas are texts that a spreadsheet would run.
var formulas = []string{
	`=HYPERLINK("http://127.0.0.1/?"&A1)`, "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1", " =1+1", "\u00a0=1", "＝1+1",
}

// script is text that a page would run.
const script = `</text></svg><script>alert("x")</script><img src=http://127.0.0.1/x onerror=alert(1)>&amp;`

// sample is a document with everything in it, and hostile names.
func sample() Document {
	d := Document{
		ReportID: "rpt_1", Type: "sales", Title: "Sales", Summary: "Sold " + script, From: "2026-01-01", To: "2026-01-31",
		AsOf: time.Date(2026, 2, 3, 4, 5, 6, 7e6, time.UTC), Notes: []string{script},
		Figures: []Figure{{Title: "Orders", Value: "1,234"}},
		Tables: []Table{
			{Name: "by_name", Title: "By name", Columns: []Column{
				{Name: "name", Title: "Name", Kind: Text}, {Name: "orders", Title: "Orders", Kind: Integer},
				{Name: "share", Title: "Share", Kind: Percent}, {Name: "mean", Title: "Mean", Kind: Decimal},
				{Name: "revenue", Title: "Revenue", Kind: Money}, {Name: "currency", Title: "Currency", Kind: Text},
			}, Rows: [][]string{
				{"Rex", "1234", "0.125", "2.5", "123456", "USD"},
				{script, "0", "", "", "", ""},
				{"猫\x01", "-12", "1", "0.3333333333333333", "1234", "JPY"},
				{"large", "12345678901234567890", "0", "1e+308", "-5", "KWD"},
			}},
			{Name: "empty", Title: "Empty", Columns: []Column{{Name: "day", Title: "Day", Kind: Text}}},
		},
		Charts: []Chart{
			{Title: "Few " + script, Kind: Timeline, Labels: []string{"2026-01-01", script}, Series: []Series{{Name: script, Values: []float64{1, 2}}, {Name: "b", Values: []float64{0, 0}}}},
			{Title: "Bars", Kind: Bars, Labels: []string{script, "\x00\n猫"}, Series: []Series{{Name: "a", Values: []float64{0, 1e12}}}},
			{Title: "One day", Kind: Timeline, Labels: []string{"2026-01-01"}, Series: []Series{{Name: "a", Values: []float64{1}}}},
		},
	}
	many := Chart{Title: "Many", Kind: Timeline, Series: []Series{{Name: "a"}}}
	for i := range 365 {
		many.Labels = append(many.Labels, time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
		many.Series[0].Values = append(many.Series[0].Values, float64(i))
	}
	d.Charts = append(d.Charts, many)
	for _, formula := range formulas {
		d.Tables[0].Rows = append(d.Tables[0].Rows, []string{formula, "1", "", "", "", "USD"})
	}
	return d
}

// write writes the sample as a report is written: after it was stored.
func write(t *testing.T, format string) []byte {
	t.Helper()
	content, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	written, err := d.Write(format)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func TestJSON(t *testing.T) {
	t.Parallel()
	written := write(t, "json")
	var got struct {
		ReportID string                      `json:"report_id"`
		Summary  string                      `json:"summary"`
		AsOf     string                      `json:"as_of"`
		Tables   map[string][]map[string]any `json:"tables"`
	}
	dec := json.NewDecoder(bytes.NewReader(written))
	dec.UseNumber()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.ReportID != "rpt_1" || got.Summary != "Sold "+script || got.AsOf != "2026-02-03T04:05:06.007Z" {
		t.Errorf("got %+v", got)
	}
	rows := got.Tables["by_name"]
	if rows[0]["orders"] != json.Number("1234") || rows[0]["share"] != json.Number("0.125") || rows[0]["revenue"] != json.Number("123456") {
		t.Errorf("the first row is %v", rows[0])
	}
	if rows[1]["name"] != script || rows[1]["revenue"] != nil {
		t.Errorf("the second row is %v", rows[1])
	}
	if rows[3]["orders"] != json.Number("12345678901234567890") {
		t.Errorf("a large number has become %v", rows[3]["orders"])
	}
	if empty, there := got.Tables["empty"]; !there || empty == nil || len(empty) != 0 {
		t.Errorf("the empty table is %v", empty)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	written := write(t, "csv")
	if !bytes.HasPrefix(written, []byte("table,name,orders,share,mean,revenue,currency,day\r\nby_name,Rex,1234,0.125,2.5,1234.56,USD,\r\n")) {
		t.Errorf("begins with %.200s", written)
	}
	records, err := csv.NewReader(bytes.NewReader(written)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, money := range []string{"1234.56", "", "1234", "-0.005"} {
		if records[1+i][5] != money {
			t.Errorf("row %d has %q, want %q", i, records[1+i][5], money)
		}
	}
	if records[3][2] != "-12" {
		t.Errorf("a negative number has become %q", records[3][2])
	}
	for i, formula := range formulas {
		got := records[5+i][1]
		if want := strings.ReplaceAll(formula, "\r", ""); !strings.HasPrefix(got, "'") || strings.ReplaceAll(got[1:], "\r", "") != want {
			t.Errorf("%q is written as %q", formula, got)
		}
	}
}

func TestXLSX(t *testing.T) {
	t.Parallel()
	file, err := excelize.OpenReader(bytes.NewReader(write(t, "xlsx")))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := strings.Join(file.GetSheetList(), ","); got != "Summary,By name,Empty" {
		t.Errorf("sheets are %s", got)
	}
	cells := map[string]string{ // as a spreadsheet shows them
		"A2": "Rex", "B2": "1,234", "C2": "12.5%", "D2": "2.5", "E2": "1,234.56", "F2": "USD", "A3": script, "E3": "",
		"B4": "-12", "E4": "1,234", "B5": "12345678901234567890", "E5": "-0.005",
	}
	for at, want := range cells {
		got, err := file.GetCellValue("By name", at)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %q, want %q", at, got, want)
		}
	}
	for at, want := range map[string]excelize.CellType{"B2": excelize.CellTypeUnset, "E2": excelize.CellTypeUnset, "A2": excelize.CellTypeInlineString, "B5": excelize.CellTypeInlineString} {
		if got, err := file.GetCellType("By name", at); err != nil || got != want {
			t.Errorf("%s has type %v, want %v, %v", at, got, want, err)
		}
	}
	for i, formula := range formulas {
		at := "A" + strconv.Itoa(6+i)
		if code, err := file.GetCellFormula("By name", at); err != nil || code != "" {
			t.Errorf("%s is the formula %q, %v", at, code, err)
		}
		if got, err := file.GetCellValue("By name", at); err != nil || strings.TrimSpace(got) != strings.TrimSpace(formula) {
			t.Errorf("%s is %q, want %q, %v", at, got, formula, err)
		}
	}
	if summary, err := file.GetCellValue("Summary", "B2"); err != nil || summary != "Sold "+script {
		t.Errorf("the summary is %q, %v", summary, err)
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	page := string(write(t, "html"))
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") {
		t.Error("text of a client has become a part of the page")
	}
	for _, want := range []string{"<title>Sales: 1 January 2026 to 31 January 2026</title>", "default-src &#39;none&#39;", "1,234.56", "12.5%", "Nothing to show.", "0.3333"} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("the page has no %q", want)
		}
	}
	// Nothing is loaded from anywhere: a page's only ways to do so.
	if found := regexp.MustCompile(`(?i)<(link|iframe|object|embed|base|use|image)\b|\b(src|href|srcset|action|data)\s*=\s*["'][^"']|url\(|@import`).FindString(noText(page)); found != "" {
		t.Errorf("the page has %q", found)
	}
	charts := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	if len(charts) != 3 { // one day is not drawn
		t.Fatalf("the page has %d charts", len(charts))
	}
	for _, chart := range charts {
		dec := xml.NewDecoder(strings.NewReader(chart))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("a chart is no XML: %v", err)
			}
		}
	}
}

// noText leaves only the tags of a page.
func noText(page string) string {
	return strings.Join(regexp.MustCompile(`<[^>]*>`).FindAllString(page, -1), "\n")
}

func TestOtherFormat(t *testing.T) {
	t.Parallel()
	if _, err := sample().Write("pdf"); err == nil {
		t.Error("no error")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		Count(0): "0", Count(-1234): "-1,234", Count(999): "999", Count(1234567): "1,234,567",
		Plural(1, "order", "orders"): "1 order", Plural(2000, "order", "orders"): "2,000 orders",
		Amount("0", "USD"): "0.00 USD", Amount("7", "USD"): "0.07 USD", Amount("-123456", "EUR"): "-1,234.56 EUR",
		Amount("1234567", "JPY"): "1,234,567 JPY", Amount("1234567", "KWD"): "1,234.567 KWD", Amount("123", "???"): "1.23 ???",
		Amount("123456789012345678901234567890", "USD"): "1,234,567,890,123,456,789,012,345,678.90 USD",
		Percentage(0, 0): "–", Percentage(1, 8): "12.5%", Percentage(999_999, 1_000_000): "99.9%", Percentage(1, 1_000_000): "0.1%",
		Percentage(5, 5): "100.0%", Percentage(0, 5): "0.0%", Share(1, 3): "0.333333", Share(1, 0): "",
		Number(1.0 / 3): "0.3333333333333333", Number(1e308): "1e+308", Number(2): "2",
		Clip("a\nb", 5): "a b", Clip("猫猫猫猫", 3): "猫猫…", Clip("猫猫猫", 3): "猫猫猫",
		short(950): "950", short(1234): "1.2k", short(-3_400_000): "-3.4M", short(0.256): "0.26", short(2e13): "20T",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestHarmlessNumbers is faults 27: a number is no formula.
func TestHarmlessNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"-12.5": "-12.5", "+1": "+1", "-1e-7": "-1e-7", "-1+1": "'-1+1", "-1;=2": "'-1;'=2", "-inf": "'-inf", "a;=1+1": "a;'=1+1", "a\t@b": "a\t'@b", "a; -b": "a; '-b", "a-b;c": "a-b;c", // security 11
		"-": "'-", "-1\n": "'-1\n",
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q has become %q", text, got)
		}
	}
}

// FuzzHarmless holds that no text is left that begins like a formula.
func FuzzHarmless(f *testing.F) {
	for _, formula := range formulas {
		f.Add(formula)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := harmless(text)
		if strings.ReplaceAll(got, "'", "") != strings.ReplaceAll(text, "'", "") {
			t.Errorf("%q has become %q", text, got)
		}
		if got != "" && strings.ContainsAny(got[:1], "=+-@\t\r\n") && !plainNumber.MatchString(got) {
			t.Errorf("%q is left as %q", text, got)
		}
	})
}

// TestFailuresHaveTheirColour is faults 29; a line through many days is another instance.
func TestFailuresHaveTheirColour(t *testing.T) {
	for name, chart := range map[string]Chart{
		"bars": {Kind: Bars, Labels: []string{"a", "b"}}, "columns": {Kind: Timeline, Labels: []string{"a", "b"}},
		"line": {Kind: Timeline, Labels: slices.Repeat([]string{"a", "b"}, fewColumns)},
	} {
		values := make([]float64, len(chart.Labels))
		chart.Title, chart.Series = "x", []Series{{Name: "Delivered", Values: values}, {Name: "Failed", Values: values, Failures: true}}
		values[0], values[1] = 3, 4
		svg, err := chart.svg()
		if red := strings.Count(string(svg), "rgb(197,48,48)"); err != nil || red < 2 || red == strings.Count(string(svg), "rgb(") {
			t.Errorf("%s: %v\n%s", name, err, svg)
		}
	}
}
