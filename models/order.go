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
	Reserved  bool   // its items have been taken from the stock, and not given back
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
	err := tx.Omit("Task", "Items").Create(o).Error
	if err == nil {
		err = tx.Create(&o.Items).Error
	}
	if err != nil {
		return fmt.Errorf("storing order %s: %w", o.ID, err)
	}
	return nil
}

// FindOrder finds an order with its items and its task.
func FindOrder(db *gorm.DB, id string) (Order, error) {
	var o Order
	err := db.Joins("Task").Preload("Items", inOrder).Where("orders.id = ?", id).Take(&o).Error
	return o, notFound(err, "order", id)
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

// SetReserved notes whether the items of an order are taken from the stock.
func SetReserved(tx *Tx, orderID string, reserved bool) error {
	err := tx.Exec("UPDATE orders SET reserved = ?, updated_at = ? WHERE id = ?", reserved, Now(), orderID).Error
	if err != nil {
		return fmt.Errorf("noting the reservation of order %s: %w", orderID, err)
	}
	return nil
}

// DeleteOrder removes an order and its items. Its task stays, with the updates
// and deliveries: what was promised to a client is still delivered.
func DeleteOrder(tx *Tx, id string) error {
	if err := tx.Delete(&Order{ID: id}).Error; err != nil {
		return fmt.Errorf("deleting order %s: %w", id, err)
	}
	return nil
}
