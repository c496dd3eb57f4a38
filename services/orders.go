package services

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/text/currency"

	"petstore/models"
)

// Orders takes orders and lets clients look after them. How an order is
// processed is in packing.go.
type Orders struct {
	store *models.Store
	tasks *Tasks
}

// NewOrders returns the orders that store holds, processed by tasks.
func NewOrders(store *models.Store, tasks *Tasks) *Orders { return &Orders{store: store, tasks: tasks} }

// Create stores an order, its task, its first update and its job, in one
// transaction: an order that was accepted is processed, whatever happens to the
// server.
func (s *Orders) Create(ctx context.Context, n models.NewOrder) (models.Order, error) {
	order, err := s.price(ctx, n.Lines)
	if err != nil {
		return models.Order{}, err
	}
	err = s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		order.Task, err = s.tasks.Begin(tx, kindOrder, Request{
			ResourceID: order.ID, CallbackURL: n.CallbackURL, Metadata: n.Metadata, Message: "Order received", Resource: order,
		})
		if err != nil {
			return err
		}
		order.TaskID = order.Task.ID
		return models.CreateOrder(tx, &order)
	})
	return order, err
}

// price makes an order of today's names and prices.
func (s *Orders) price(ctx context.Context, lines []models.OrderLine) (models.Order, error) {
	names := make([]string, len(lines))
	for i, line := range lines {
		names[i] = line.Product
	}
	products, err := models.FindProducts(s.store.Read(ctx), names)
	if err != nil {
		return models.Order{}, err
	}
	order := models.Order{ID: models.NewID(models.PrefixOrder), CreatedAt: models.Now()}
	order.UpdatedAt = order.CreatedAt
	for i, line := range lines {
		p, ok := products[line.Product]
		if !ok {
			return models.Order{}, models.Invalid(line.Field, "names no product: there is no %q", line.Product)
		}
		if order.Currency != "" && order.Currency != p.Currency {
			return models.Order{}, models.Invalid(line.Field, "is sold in %s, and the other products in %s: order them apart", p.Currency, order.Currency)
		}
		order.Currency = p.Currency
		order.Total += p.Price * line.Quantity
		order.Items = append(order.Items, models.OrderItem{
			OrderID: order.ID, Position: i, ProductID: p.ID, Slug: p.Slug, Name: p.Name, Category: p.Category,
			Quantity: line.Quantity, Price: p.Price,
		})
	}
	return order, nil
}

// Get finds an order.
func (s *Orders) Get(ctx context.Context, id string) (models.Order, error) {
	return models.FindOrder(s.store.Read(ctx), id)
}

// List lists orders, newest first.
func (s *Orders) List(ctx context.Context, f models.OrderFilter, page models.Page) (models.List[models.Order], error) {
	return models.ListOrders(s.store.Read(ctx), f, page)
}

// Change lets edit change whom a processing order calls back, and what it tells
// them. An order that has ended has told everything, and doesn't change.
func (s *Orders) Change(ctx context.Context, id string, edit func(task *models.Task) error) (models.Order, error) {
	var order models.Order
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if order, err = models.FindOrder(tx.DB, id); err != nil {
			return err
		}
		if order.Task, err = models.FindTask(tx.ForUpdate(), order.TaskID); err != nil {
			return err
		}
		if order.Task.Ended() {
			return models.Conflict("The order is %s; only an order that is processing can be changed.", order.Task.Status)
		}
		if err = edit(&order.Task); err != nil {
			return err
		}
		return models.ChangeTask(tx, order.TaskID, order.Task.CallbackURL, order.Task.Metadata)
	})
	return order, err
}

// Cancel ends an order that is processing, and gives back its stock.
func (s *Orders) Cancel(ctx context.Context, id string) (models.Order, error) {
	order, err := s.Get(ctx, id)
	if err != nil {
		return order, err
	}
	order.Task, err = s.tasks.Cancel(ctx, order.TaskID, func(tx *models.Tx) error {
		if _, err := models.LockOrder(tx, id); err != nil { // after the task: see Tx.lock
			return err
		}
		return unpaid(tx, id)
	})
	return order, err
}

// unpaid makes sure that nobody has paid an order, or is about to: who gives it up
// gives the money back first.
func unpaid(tx *models.Tx, id string) error {
	p, found, err := models.FindClaim(tx.DB, id)
	switch {
	case err != nil || !found:
		return err
	case p.Task.Status == models.StatusProcessing:
		return models.Conflict("The order is being paid, by payment %s: wait for that, and refund it first.", p.ID)
	case p.Task.Status == models.StatusCompleted:
		return models.Conflict("The order is paid, by payment %s: refund it first.", p.ID)
	}
	return models.Conflict("Payment %s of the order may have been charged, and what was charged is being given back: wait for that.", p.ID)
}

// Delete removes an order that has ended, unless it took money for nothing. Its
// task, updates and deliveries stay.
func (s *Orders) Delete(ctx context.Context, id string) error {
	return s.store.InTx(ctx, func(tx *models.Tx) error {
		order, err := models.LockOrder(tx, id)
		if err != nil {
			return err
		}
		if !order.Task.Ended() {
			return models.Conflict("The order is processing: cancel it first.")
		}
		if order.PaymentID == "" || order.Task.Status != models.StatusCompleted {
			if err := unpaid(tx, id); err != nil {
				return err
			}
		}
		return models.DeleteOrder(tx, id)
	})
}

// money writes an amount of the smallest unit as people do: 24.99 USD, 100 JPY.
func money(amount int64, code string) string {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return fmt.Sprintf("%d %s", amount, code)
	}
	digits, _ := currency.Standard.Rounding(unit)
	if digits == 0 {
		return fmt.Sprintf("%d %s", amount, code)
	}
	whole := int64(math.Pow10(digits))
	return fmt.Sprintf("%d.%0*d %s", amount/whole, digits, amount%whole, code)
}
