package models

import (
	"time"

	"petstore/callbacks"

	"gorm.io/gorm"
)

// Types of reports.
const (
	ReportSales     = "sales"     // orders by day, product and category
	ReportInventory = "inventory" // what is in stock, and what it is worth
	ReportCallbacks = "callbacks" // how deliveries went
	ReportDataset   = "dataset"   // a profile of data that the client gives
)

// Report is a report that a client asked for. How far it has come is told by its
// task; what it says is in a column of its own, see ReportContent.
type Report struct {
	ID        string
	TaskID    string
	Task      Task
	Type      string
	FromDay   string // first day that it covers, "" for the beginning: 2026-01-31, in UTC
	ToDay     string // last day, "" for today
	CreatedAt time.Time
	UpdatedAt time.Time
	Data      string // what a dataset report profiles; only Create and ReportData touch it
}

// ReportFilter narrows a list of reports; zero values narrow nothing.
type ReportFilter struct {
	Type   string
	Status string
}

// FindReport finds a report with its task, and without its data.
func FindReport(db *gorm.DB, id string) (Report, error) {
	return take[Report](db.Omit("Data").Joins("Task").Where("reports.id = ?", id), "report", id)
}

// ListReports lists reports with their tasks and without their data, newest first.
func ListReports(db *gorm.DB, f ReportFilter, page Page) (List[Report], error) {
	q := db.Omit("Data").Joins("Task")
	return findResources(q, callbacks.KindReport, f.Status, "type", f.Type, page, func(r Report) string { return r.ID })
}

// ReportData is the data that a dataset report profiles.
func ReportData(db *gorm.DB, id string) (string, error) {
	var data string
	err := db.Raw("SELECT data FROM reports WHERE id = ?", id).Row().Scan(&data)
	return data, wrap(err, "reading the data of report %s", id)
}

// ReportContent is what a report says, nil as long as it is not finished.
func ReportContent(db *gorm.DB, id string) ([]byte, error) {
	var content []byte
	err := db.Raw("SELECT content FROM reports WHERE id = ?", id).Row().Scan(&content)
	return content, wrap(err, "reading the content of report %s", id)
}

// SaveReportContent stores what a report says.
func SaveReportContent(tx *Tx, id string, content []byte) error {
	err := tx.Exec("UPDATE reports SET content = ?, updated_at = ? WHERE id = ?", content, Now(), id).Error
	return wrap(err, "storing the content of report %s", id)
}

// Sale is one line of an order, as a sales report reads it.
type Sale struct {
	OrderID  string
	Day      string // that it was placed on, in UTC: 2026-01-31
	Status   string // of the order
	Currency string
	Slug     string
	Name     string
	Category string
	Quantity int64
	Price    int64 // of one, in the currency's smallest unit
}

// EachSale reads the lines of the orders in a span, in the order of their ids.
func EachSale(db *gorm.DB, p Period, s Span, fn func(*Sale)) error {
	q := db.Table("orders").Select("orders.id, " + dayOf(db, "orders.created_at") + ", tasks.status, orders.currency, " +
		"i.slug, i.name, i.category, i.quantity, i.price").
		Joins("JOIN tasks ON tasks.id = orders.task_id").
		Joins("JOIN order_items i ON i.order_id = orders.id").
		Order("orders.id")
	var sale Sale
	err := each(OrderRows.span(q, p, s), func() { fn(&sale) }, &sale.OrderID, &sale.Day, &sale.Status, &sale.Currency,
		&sale.Slug, &sale.Name, &sale.Category, &sale.Quantity, &sale.Price)
	return wrap(err, "reading sales")
}

// StockItem is a product, as an inventory report reads it.
type StockItem struct {
	Slug     string
	Name     string
	Category string
	Currency string
	Price    int64 // of one, in the currency's smallest unit
	Stock    int64
}

// EachStockItem reads the products in a span.
func EachStockItem(db *gorm.DB, s Span, fn func(StockItem)) error {
	q := db.Table("products").Select("slug, name, category, currency, price, stock").Order("id")
	var item StockItem
	err := each(ProductRows.span(q, Period{}, s), func() { fn(item) },
		&item.Slug, &item.Name, &item.Category, &item.Currency, &item.Price, &item.Stock)
	return wrap(err, "reading the stock")
}

// Sent is a delivery, as a report on callbacks reads it.
type Sent struct {
	Day         string // that it was created on, in UTC: 2026-01-31
	URL         string
	Status      string
	Attempts    int64
	CreatedAt   time.Time
	DeliveredAt *time.Time
}

// EachSent reads the deliveries in a span.
func EachSent(db *gorm.DB, p Period, s Span, fn func(*Sent)) error {
	q := db.Table("deliveries").Select(dayOf(db, "created_at") + ", url, status, attempts, created_at, delivered_at").Order("id")
	var sent Sent
	err := each(DeliveryRows.span(q, p, s), func() { fn(&sent) },
		&sent.Day, &sent.URL, &sent.Status, &sent.Attempts, &sent.CreatedAt, &sent.DeliveredAt)
	return wrap(err, "reading deliveries")
}
