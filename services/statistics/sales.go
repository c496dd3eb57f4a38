package statistics

import (
	"cmp"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"petstore/models"
	"petstore/services/report"
)

// sales counts orders by day, product and category. Money of different
// currencies is never added up.
type sales struct {
	orders     int64
	failed     int64
	units      int64
	totals     *groups[saleKey, tally] // by currency
	days       *groups[saleKey, tally]
	products   *groups[saleKey, tally]
	categories *groups[saleKey, tally]
	names      map[string]string // of products, by slug: the latest
}

// saleKey is what is counted together.
type saleKey struct{ name, currency string }

// tally is what was counted. Units and revenue are of completed orders only.
type tally struct {
	orders, failed, units int64
	revenue               big.Int // a sum of many int64
	last                  string  // the order that was counted last
}

func (t *tally) add(s *models.Sale) {
	if t.last != s.OrderID { // the lines of an order follow one another
		t.last = s.OrderID
		t.orders++
		if s.Status == models.StatusFailed {
			t.failed++
		}
	}
	if s.Status == models.StatusCompleted {
		t.units += s.Quantity
		t.revenue.Add(&t.revenue, big.NewInt(s.Quantity*s.Price))
	}
}

// Sales counts the orders of a period, by day, product and category.
func Sales(db *gorm.DB, d *report.Document, tell Step) error {
	p, err := period(d)
	if err != nil {
		return err
	}
	s := &sales{
		totals: newGroups[saleKey, tally](), days: newGroups[saleKey, tally](),
		products: newGroups[saleKey, tally](), categories: newGroups[saleKey, tally](), names: map[string]string{},
	}
	err = eachSpan(db, models.OrderRows, p, tell, func(span models.Span) error {
		return models.EachSale(db, p, span, s.add)
	})
	if err != nil {
		return err
	}
	s.write(d)
	return nil
}

func (s *sales) add(sale *models.Sale) {
	s.totals.at(saleKey{"", sale.Currency}).add(sale)
	s.days.at(saleKey{sale.Day, sale.Currency}).add(sale)
	s.categories.at(saleKey{sale.Category, sale.Currency}).add(sale)
	s.products.at(saleKey{sale.Slug, sale.Currency}).add(sale)
	if _, known := s.names[sale.Slug]; known || len(s.names) < maxGroups {
		s.names[sale.Slug] = sale.Name
	}
}

func (s *sales) write(d *report.Document) {
	d.Title = "Sales"
	totals := s.totals.sorted(func(a, b saleGroup) int {
		return cmp.Or(descending(a.value.orders, b.value.orders), cmp.Compare(a.key.currency, b.key.currency))
	})
	for _, total := range totals { // an order is in one currency
		s.orders += total.value.orders
		s.failed += total.value.failed
		s.units += total.value.units
	}
	days := s.days.sorted(func(a, b saleGroup) int {
		return cmp.Or(cmp.Compare(a.key.name, b.key.name), cmp.Compare(a.key.currency, b.key.currency))
	})
	products := s.products.sorted(byRevenue)
	categories := s.categories.sorted(byRevenue)
	d.Summary = s.summary(d, totals, products)
	d.Figures = s.figures(totals)
	d.Tables = []report.Table{
		s.table("totals", "Totals", nil, totals, nil),
		s.table("by_day", "By day", []report.Column{{Name: "day", Title: "Day", Kind: report.Text}}, days, s.days.others),
		s.table("by_product", "By product", []report.Column{
			{Name: "product", Title: "Product", Kind: report.Text}, {Name: "name", Title: "Name", Kind: report.Text},
		}, products, s.products.others),
		s.table("by_category", "By category", []report.Column{{Name: "category", Title: "Category", Kind: report.Text}}, categories, s.categories.others),
	}
	d.Notes = s.notes()
	if len(totals) > 0 {
		d.Charts = s.charts(totals[0].key.currency, days, products, categories)
	}
}

type saleGroup = group[saleKey, tally]

// byRevenue puts the highest revenue first, currency by currency: amounts of
// different ones cannot be compared.
func byRevenue(a, b saleGroup) int {
	return cmp.Or(
		cmp.Compare(a.key.currency, b.key.currency),
		b.value.revenue.Cmp(&a.value.revenue),
		descending(a.value.orders, b.value.orders),
		cmp.Compare(a.key.name, b.key.name),
	)
}

func (s *sales) summary(d *report.Document, totals, products []saleGroup) string {
	if s.orders == 0 {
		return "No orders were placed " + inPeriod(d) + "."
	}
	var amounts []string
	for _, total := range totals {
		if total.value.revenue.Sign() > 0 {
			amounts = append(amounts, report.Amount(total.value.revenue.String(), total.key.currency))
		}
	}
	text := report.Plural(s.orders, "order", "orders") + " " + inPeriod(d)
	if len(amounts) > 0 {
		text += fmt.Sprintf(": %s sold for %s", report.Plural(s.units, "item", "items"), list(amounts, 3))
	}
	if s.failed > 0 {
		text += fmt.Sprintf("; %s failed (%s)", report.Plural(s.failed, "order", "orders"), report.Percentage(s.failed, s.orders))
	}
	if best := bestseller(products); best != nil {
		text += fmt.Sprintf(". Best seller: %s, %s", s.names[best.key.name], report.Plural(best.value.units, "item", "items"))
	}
	return text + "."
}

func bestseller(products []saleGroup) *saleGroup {
	var best *saleGroup
	for i := range products {
		if units := products[i].value.units; units > 0 && (best == nil || units > best.value.units) {
			best = &products[i]
		}
	}
	return best
}

func (s *sales) figures(totals []saleGroup) []report.Figure {
	figures := []report.Figure{
		{Title: "Orders", Value: report.Count(s.orders)},
		{Title: "Failed", Value: report.Percentage(s.failed, s.orders)},
		{Title: "Items sold", Value: report.Count(s.units)},
	}
	for _, total := range totals[:min(len(totals), 3)] {
		figures = append(figures, report.Figure{Title: "Revenue", Value: report.Amount(total.value.revenue.String(), total.key.currency)})
	}
	return figures
}

// table makes rows of groups, which the first columns name.
func (s *sales) table(name, title string, columns []report.Column, rows []saleGroup, others *tally) report.Table {
	t := report.Table{Name: name, Title: title, Columns: append(columns,
		report.Column{Name: "orders", Title: "Orders", Kind: report.Integer},
		report.Column{Name: "failed", Title: "Failed", Kind: report.Integer},
		report.Column{Name: "units", Title: "Units", Kind: report.Integer},
		report.Column{Name: "revenue", Title: "Revenue", Kind: report.Money},
		report.Column{Name: "currency", Title: "Currency", Kind: report.Text},
	)}
	for _, row := range rows {
		cells := []string{row.key.name, s.names[row.key.name]}[:len(columns)]
		t.Rows = append(t.Rows, append(cells, row.value.cells(row.key.currency)...))
	}
	if others != nil {
		cells := []string{"(others)", ""}[:len(columns)]
		t.Rows = append(t.Rows, append(cells, others.cells("")...))
	}
	return t
}

func (t *tally) cells(currency string) []string {
	revenue := t.revenue.String()
	if currency == "" {
		revenue = "" // of several currencies
	}
	return []string{strconv.FormatInt(t.orders, 10), strconv.FormatInt(t.failed, 10), strconv.FormatInt(t.units, 10), revenue, currency}
}

func (s *sales) notes() []string {
	notes := []string{"Units and revenue are those of completed orders. Days are days in UTC."}
	if s.days.others != nil || s.products.others != nil || s.categories.others != nil {
		notes = append(notes, fmt.Sprintf("There was more to tell apart than %s; the rest stands together under (others).", report.Count(maxGroups)))
	}
	return notes
}

// inPeriod says when, in the middle of a sentence.
func inPeriod(d *report.Document) string {
	switch {
	case d.From == "" && d.To == "":
		return "so far"
	case d.From == "":
		return "until " + d.To
	case d.To == "":
		return "since " + d.From
	case d.From == d.To:
		return "on " + d.From
	}
	return "from " + d.From + " to " + d.To
}

// list joins words as in a sentence, the first n of them.
func list(words []string, n int) string {
	if more := len(words) - n; more > 0 {
		return strings.Join(words[:n], ", ") + fmt.Sprintf(" and %d more", more)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
