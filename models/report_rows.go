package models

import (
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"
)

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
	err := each(OrderRows.span(q, p, s), func(rows *sql.Rows) error {
		err := rows.Scan(&sale.OrderID, &sale.Day, &sale.Status, &sale.Currency,
			&sale.Slug, &sale.Name, &sale.Category, &sale.Quantity, &sale.Price)
		if err == nil {
			fn(&sale)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading sales: %w", err)
	}
	return nil
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
	err := each(ProductRows.span(q, Period{}, s), func(rows *sql.Rows) error {
		var item StockItem
		err := rows.Scan(&item.Slug, &item.Name, &item.Category, &item.Currency, &item.Price, &item.Stock)
		if err == nil {
			fn(item)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the stock: %w", err)
	}
	return nil
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
	err := each(DeliveryRows.span(q, p, s), func(rows *sql.Rows) error {
		var sent Sent
		err := rows.Scan(&sent.Day, &sent.URL, &sent.Status, &sent.Attempts, &sent.CreatedAt, &sent.DeliveredAt)
		if err == nil {
			fn(&sent)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading deliveries: %w", err)
	}
	return nil
}
