package statistics

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"petstore/models"
	"petstore/services/report"
)

// LowStock is the stock from which on a product should be ordered.
const LowStock = 20

// inventory counts what is in stock.
type inventory struct {
	products   int64
	units      int64
	low, out   int64
	totals     *groups[string, stocked] // by currency
	categories *groups[saleKey, stocked]
	items      []models.StockItem // the first maxGroups
}

// stocked is what is there of one category in one currency.
type stocked struct {
	products, units, out int64
	value                big.Int
}

// Inventory counts what is in stock, and what it is worth.
func Inventory(db *gorm.DB, d *report.Document, tell Step) error {
	v := &inventory{totals: newGroups[string, stocked](), categories: newGroups[saleKey, stocked]()}
	err := eachSpan(db, models.ProductRows, models.Period{}, tell, func(span models.Span) error {
		return models.EachStockItem(db, span, v.add)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(v.items, func(a, b models.StockItem) int { return cmp.Compare(a.Slug, b.Slug) })
	v.write(d)
	return nil
}

func (v *inventory) add(item models.StockItem) {
	v.products++
	v.units += item.Stock
	switch {
	case item.Stock == 0:
		v.out++
	case item.Stock <= LowStock:
		v.low++
	}
	v.totals.at(item.Currency).add(item)
	v.categories.at(saleKey{item.Category, item.Currency}).add(item)
	if len(v.items) < maxGroups {
		v.items = append(v.items, item)
	}
}

func (s *stocked) add(item models.StockItem) {
	s.products++
	s.units += item.Stock
	s.value.Add(&s.value, stockValue(item))
	if item.Stock == 0 {
		s.out++
	}
}

// stockValue is price × stock, which together may be more than an int64 holds.
func stockValue(item models.StockItem) *big.Int {
	return new(big.Int).Mul(big.NewInt(item.Price), big.NewInt(item.Stock))
}

func (v *inventory) write(d *report.Document) {
	d.Title = "Inventory"
	categories := v.categories.sorted(func(a, b group[saleKey, stocked]) int {
		return cmp.Or(cmp.Compare(a.key.currency, b.key.currency), b.value.value.Cmp(&a.value.value), cmp.Compare(a.key.name, b.key.name))
	})
	// The currency of most products comes first.
	totals := v.totals.sorted(func(a, b group[string, stocked]) int {
		return cmp.Or(descending(a.value.products, b.value.products), cmp.Compare(a.key, b.key))
	})
	var amounts []string
	for _, total := range totals {
		amounts = append(amounts, report.Amount(total.value.value.String(), total.key))
	}
	d.Summary = v.summary(amounts)
	d.Figures = []report.Figure{
		{Title: "Products", Value: report.Count(v.products)}, {Title: "Units in stock", Value: report.Count(v.units)},
		{Title: "Low", Value: report.Count(v.low)}, {Title: "Out of stock", Value: report.Count(v.out)},
	}
	for _, amount := range amounts[:min(len(amounts), 3)] {
		d.Figures = append(d.Figures, report.Figure{Title: "Value", Value: amount})
	}
	d.Notes = []string{fmt.Sprintf("A product is low with %d units or fewer. Value is price times units.", LowStock)}
	if left := v.products - int64(len(v.items)); left > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("%s more are counted, but not listed.", report.Plural(left, "product", "products")))
	}
	d.Tables = []report.Table{v.categoryTable(categories), v.productTable()}
	if v.products > 0 {
		d.Charts = []report.Chart{v.lowest(), largest(categories, totals[0].key)}
	}
}

func (v *inventory) summary(amounts []string) string {
	if v.products == 0 {
		return "The catalogue has no products."
	}
	text := fmt.Sprintf("%s with %s in stock, worth %s", report.Plural(v.products, "product", "products"),
		report.Plural(v.units, "unit", "units"), list(amounts, 3))
	switch {
	case v.out == 0 && v.low == 0:
		return text + "; nothing is low or out of stock."
	case v.out == 0:
		return text + fmt.Sprintf("; %s low on stock.", isAre(v.low))
	case v.low == 0:
		return text + fmt.Sprintf("; %s out of stock.", isAre(v.out))
	}
	return text + fmt.Sprintf("; %s low and %s out of stock.", isAre(v.low), isAre(v.out))
}

func isAre(n int64) string {
	if n == 1 {
		return "1 is"
	}
	return report.Count(n) + " are"
}

func (v *inventory) categoryTable(rows []group[saleKey, stocked]) report.Table {
	t := report.Table{Name: "by_category", Title: "By category", Columns: []report.Column{
		{Name: "category", Title: "Category", Kind: report.Text},
		{Name: "products", Title: "Products", Kind: report.Integer},
		{Name: "out_of_stock", Title: "Out of stock", Kind: report.Integer},
		{Name: "units", Title: "Units", Kind: report.Integer},
		{Name: "value", Title: "Value", Kind: report.Money},
		{Name: "currency", Title: "Currency", Kind: report.Text},
	}}
	for _, row := range rows {
		t.Rows = append(t.Rows, row.value.cells(row.key.name, row.key.currency))
	}
	if others := v.categories.others; others != nil {
		cells := others.cells("(others)", "")
		cells[4] = "" // of several currencies
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func (s *stocked) cells(name, currency string) []string {
	return []string{
		name, strconv.FormatInt(s.products, 10), strconv.FormatInt(s.out, 10),
		strconv.FormatInt(s.units, 10), s.value.String(), currency,
	}
}

func (v *inventory) productTable() report.Table {
	t := report.Table{Name: "products", Title: "Products", Columns: []report.Column{
		{Name: "product", Title: "Product", Kind: report.Text},
		{Name: "name", Title: "Name", Kind: report.Text},
		{Name: "category", Title: "Category", Kind: report.Text},
		{Name: "stock", Title: "Stock", Kind: report.Text},
		{Name: "units", Title: "Units", Kind: report.Integer},
		{Name: "price", Title: "Price", Kind: report.Money},
		{Name: "value", Title: "Value", Kind: report.Money},
		{Name: "currency", Title: "Currency", Kind: report.Text},
	}}
	for _, item := range v.items {
		state := "ok"
		if item.Stock == 0 {
			state = "out"
		} else if item.Stock <= LowStock {
			state = "low"
		}
		t.Rows = append(t.Rows, []string{
			item.Slug, item.Name, item.Category, state, strconv.FormatInt(item.Stock, 10),
			strconv.FormatInt(item.Price, 10), stockValue(item).String(), item.Currency,
		})
	}
	return t
}

// lowest draws the products of which there is least.
func (v *inventory) lowest() report.Chart {
	items := slices.Clone(v.items)
	slices.SortStableFunc(items, func(a, b models.StockItem) int { return cmp.Compare(a.Stock, b.Stock) })
	return bars("Units of the products with the lowest stock", chartBars, items,
		func(item models.StockItem) (string, []float64) { return item.Name, []float64{float64(item.Stock)} }, "Units")
}

// largest draws the categories worth most in a currency.
func largest(rows []group[saleKey, stocked], currency string) report.Chart {
	return bars("Value by category in "+currency, chartBars, inCurrency(rows, currency),
		func(row group[saleKey, stocked]) (string, []float64) {
			return row.key.name, []float64{major(&row.value.value, currency)}
		}, "Value")
}
