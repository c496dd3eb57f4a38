package models

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Order is what a client buys. How far it has come is told by its task.
type Order struct {
	ID        string
	TaskID    string
	Task      Task
	Items     []OrderItem
	Total     int64  // sum of price × quantity, in the currency's smallest unit
	Currency  string // of all items
	PaymentID string // that paid it, "" while nobody has
	CreatedAt time.Time
	UpdatedAt time.Time
}

// OrderItem is one line of an order. Name and price are copies, made when the
// order was placed: what a customer agreed to does not change with the catalogue.
type OrderItem struct {
	OrderID   string `gorm:"primaryKey"`
	Position  int    `gorm:"primaryKey;autoIncrement:false"`
	ProductID string
	Slug      string
	Name      string
	Category  string
	Quantity  int64
	Price     int64 // of one, in the order's currency
}

// NewOrder is what a client asks for.
type NewOrder struct {
	Lines       []OrderLine
	CallbackURL string
	Metadata    Metadata
}

// OrderLine is one product and how many of it. Field is where the request named
// the product, for error messages.
type OrderLine struct {
	Product  string // slug or id
	Quantity int64
	Field    string
}

// OrderFilter narrows a list of orders; zero values narrow nothing.
type OrderFilter struct {
	Status  string
	Product string // slug or id of a product in it
}

// CreateOrder stores a new order and its items.
func CreateOrder(tx *Tx, o *Order) error {
	_, err := tx.exec("INSERT INTO orders (id, task_id, total, currency, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
		o.ID, o.TaskID, o.Total, o.Currency, o.CreatedAt, o.UpdatedAt)
	if err != nil {
		return fmt.Errorf("storing order %s: %w", o.ID, err)
	}
	for _, i := range o.Items {
		_, err := tx.exec("INSERT INTO order_items (order_id, position, product_id, slug, name, category, quantity, price) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			o.ID, i.Position, i.ProductID, i.Slug, i.Name, i.Category, i.Quantity, i.Price)
		if err != nil {
			return fmt.Errorf("storing item %d of order %s: %w", i.Position, o.ID, err)
		}
	}
	return nil
}

// FindOrderToPack finds what packing needs to know of an order.
func FindOrderToPack(db *gorm.DB, id string) (Order, error) {
	o := Order{ID: id}
	rows, err := queryRows(db, `SELECT o.total, o.currency, i.product_id, i.slug, i.quantity
		FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.id = ? ORDER BY i.position`, id)
	if err != nil {
		return o, notFound(err, "order", id)
	}
	defer rows.Close()
	for rows.Next() {
		var i OrderItem
		if err := rows.Scan(&o.Total, &o.Currency, &i.ProductID, &i.Slug, &i.Quantity); err != nil {
			return o, fmt.Errorf("reading order %s: %w", id, err)
		}
		o.Items = append(o.Items, i)
	}
	if err := rows.Err(); err != nil {
		return o, fmt.Errorf("reading order %s: %w", id, err)
	}
	if len(o.Items) == 0 {
		return o, NotFound("order", id)
	}
	return o, nil
}

// FindOrder finds an order with its items and its task.
func FindOrder(db *gorm.DB, id string) (Order, error) {
	var o Order
	err := db.Joins("Task").Preload("Items", inOrder).Where("orders.id = ?", id).Take(&o).Error
	return o, notFound(err, "order", id)
}

// LockOrder is FindOrder for changes that depend on what it finds: others wait
// until this transaction has ended.
func LockOrder(tx *Tx, id string) (Order, error) {
	if err := tx.lock("orders", id); err != nil {
		return Order{}, err
	}
	return FindOrder(tx.DB, id)
}

// ListOrders lists orders with their items and tasks, newest first.
func ListOrders(db *gorm.DB, f OrderFilter, page Page) (List[Order], error) {
	q := db.Joins("Task").Preload("Items", inOrder)
	if f.Status != "" {
		q = q.Where(`"Task"."status" = ?`, f.Status)
	}
	if f.Product != "" {
		q = q.Where("orders.id IN (?)", db.Model(&OrderItem{}).Select("order_id").
			Where("slug = ? OR product_id = ?", f.Product, f.Product))
	}
	return find(q, page, "orders.id", func(o Order) string { return o.ID })
}

// DeleteOrder removes an order and its items. Its task stays, with the updates
// and deliveries: what was promised to a client is still delivered.
func DeleteOrder(tx *Tx, id string) error {
	if err := tx.Delete(&Order{ID: id}).Error; err != nil {
		return fmt.Errorf("deleting order %s: %w", id, err)
	}
	return nil
}
