package models

import (
	"fmt"
	"slices"
	"time"

	"petstore/callbacks"

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
	// ReservedAt is when its items were taken from the stock, nil while they are not.
	ReservedAt *time.Time
	Packing    int // the item that is being packed, from 1; 0 before the first
	CreatedAt  time.Time
	UpdatedAt  time.Time
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
	Lines []OrderLine
	Task  Task // whom to tell
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
	_, err := tx.Write("INSERT INTO orders (id, task_id, total, currency, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
		o.ID, o.TaskID, o.Total, o.Currency, o.CreatedAt, o.UpdatedAt)
	if err != nil {
		return fmt.Errorf("storing order %s: %w", o.ID, err)
	}
	for _, i := range o.Items {
		_, err := tx.Write("INSERT INTO order_items (order_id, position, product_id, slug, name, category, quantity, price) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			o.ID, i.Position, i.ProductID, i.Slug, i.Name, i.Category, i.Quantity, i.Price)
		if err != nil {
			return fmt.Errorf("storing item %d of order %s: %w", i.Position, o.ID, err)
		}
	}
	return nil
}

// FindOrderToPack finds what packing needs to know of an order, in one query: where two
// servers share a database, half of the orders are packed by the one that did not take them.
func FindOrderToPack(db *gorm.DB, id string) (Order, error) {
	o, i := Order{ID: id}, OrderItem{}
	err := each(db.Raw(`SELECT o.total, o.currency, o.reserved_at, o.packing, i.product_id, i.slug, i.quantity
		FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.id = ? ORDER BY i.position`, id),
		func() { o.Items = append(o.Items, i) },
		&o.Total, &o.Currency, &o.ReservedAt, &o.Packing, &i.ProductID, &i.Slug, &i.Quantity)
	if err == nil && len(o.Items) == 0 {
		err = gorm.ErrRecordNotFound
	}
	return o, notFound(err, "order", id)
}

// FindOrder finds an order with its items and its task.
func FindOrder(db *gorm.DB, id string) (Order, error) {
	return take[Order](db.Joins("Task").Preload("Items", inOrder).Where("orders.id = ?", id), "order", id)
}

// LockOrder is FindOrder for changes that depend on what it finds: others wait
// until this transaction has ended.
func LockOrder(tx *Tx, id string) (Order, error) {
	if err := tx.Lock("orders", id); err != nil {
		return Order{}, err
	}
	return FindOrder(tx.DB, id)
}

// ReserveOrder notes that an order's items are taken from the stock and that its
// first one is being packed, and reports false if that was noted before.
func ReserveOrder(tx *Tx, id string) (bool, error) {
	noted, err := tx.Write("UPDATE orders SET reserved_at = ?, packing = 1 WHERE id = ? AND reserved_at IS NULL", Now(), id)
	return noted == 1, wrap(err, "reserving for order %s", id)
}

// UnreserveOrder notes that an order's items are given back, and reports false if
// it has none.
func UnreserveOrder(tx *Tx, id string) (bool, error) {
	noted, err := tx.Write("UPDATE orders SET reserved_at = NULL WHERE id = ? AND reserved_at IS NOT NULL", id)
	return noted == 1, wrap(err, "giving back the items of order %s", id)
}

// SetPacking notes which item of an order is being packed.
func SetPacking(tx *Tx, id string, item int) error {
	if _, err := tx.Write("UPDATE orders SET packing = ? WHERE id = ?", item, id); err != nil {
		return fmt.Errorf("noting what is packed of order %s: %w", id, err)
	}
	return nil
}

// SetOutcome notes at the items of an order how it ended, unless it completed:
// lists by product and status find it there.
func SetOutcome(tx *Tx, id, status string) error {
	if _, err := tx.Write("UPDATE order_items SET outcome = ? WHERE order_id = ?", status, id); err != nil {
		return fmt.Errorf("noting how order %s ended: %w", id, err)
	}
	return nil
}

// ListOrders lists orders with their items and tasks, newest first.
func ListOrders(db *gorm.DB, f OrderFilter, page Page) (List[Order], error) {
	scans, err := f.scans(db)
	if err != nil {
		return List[Order]{}, err
	}
	q, err := unionOf(db.Joins("Task").Preload("Items", inOrder), "orders.id", page, scans)
	if err != nil {
		return List[Order]{}, err
	}
	return find(q, page, "orders.id", func(o Order) string { return o.ID })
}

// scans are walks along indexes that together find the orders that f picks, newest first.
func (f OrderFilter) scans(db *gorm.DB) ([]indexScan, error) {
	switch {
	case f.Product == "" && f.Status == "":
		return nil, nil
	case f.Product == "":
		return []indexScan{byStatus(callbacks.KindOrder, f.Status, "")}, nil
	}
	slugs, product, err := slugsOf(db, f.Product)
	if err != nil {
		return nil, err
	}
	outcomes := []string{"", StatusFailed, StatusCancelled}
	switch f.Status {
	case StatusFailed, StatusCancelled:
		outcomes = []string{f.Status}
	case StatusCompleted:
		outcomes = []string{""} // among these, those that are processing are few
	}
	var scans []indexScan
	for _, slug := range slugs {
		contains, args := "i.slug = ?", []any{slug}
		if product != "" {
			contains, args = contains+" AND i.product_id = ?", append(args, product)
		}
		if f.Status == StatusProcessing { // few, so that looking at each is quick
			scans = append(scans, byStatus(callbacks.KindOrder, f.Status, " AND EXISTS (SELECT 1 FROM order_items i WHERE i.order_id = r.id AND i.slug || '' = ? AND (? = '' OR i.product_id = ?))", slug, product, product))
			continue
		}
		for _, outcome := range outcomes {
			a := indexScan{from: "order_items i", id: "i.order_id", where: contains + " AND i.outcome = ?", args: append(slices.Clone(args), outcome)}
			if f.Status == StatusCompleted {
				a.where += " AND EXISTS (SELECT 1 FROM orders o JOIN tasks t ON t.id = o.task_id WHERE o.id = i.order_id AND t.status = 'completed')"
			}
			scans = append(scans, a)
		}
	}
	return scans, nil
}

// slugsOf are the slugs under which orders may hold a product. product is its id,
// if that is what was asked for.
func slugsOf(db *gorm.DB, slugOrID string) (slugs []string, product string, err error) {
	err = db.Table("product_slugs").Where("product_id = ?", slugOrID).Pluck("slug", &slugs).Error
	if err != nil {
		return nil, "", fmt.Errorf("finding the slugs of %s: %w", slugOrID, err)
	}
	if len(slugs) > 0 {
		return slugs, slugOrID, nil
	}
	return []string{slugOrID}, "", nil
}
