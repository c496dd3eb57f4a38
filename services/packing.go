package services

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

const kindOrder = "order"

// CodeOutOfStock is the code of an order for more than there is.
const CodeOutOfStock = "OUT_OF_STOCK"

// Packing is the operation that processes an order: it takes the items from the
// stock, packs them one by one, and gives them back should the order not
// complete.
type Packing struct {
	store *models.Store
	step  time.Duration // how long it takes to pack one item
}

// NewPacking returns the operation for orders.
func NewPacking(store *models.Store, step time.Duration) Operation {
	p := &Packing{store: store, step: step}
	return Operation{
		Kind:  kindOrder,
		SetID: func(u *callbacks.Update, id string) { u.OrderID = id },
		Run:   p.run,
		Ended: p.ended,
	}
}

// packed is the result of an order.
type packed struct {
	Summary  string `json:"summary"`
	Items    int64  `json:"items"`
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

func (p *Packing) run(ctx context.Context, task *models.Task, report Report) (any, error) {
	order, ok := task.Resource.(models.Order)
	var err error
	if !ok {
		if order, err = models.FindOrderToPack(p.store.Read(ctx), task.ResourceID); err != nil {
			return nil, err
		}
	}
	var count int64
	for i, item := range order.Items {
		message := fmt.Sprintf("Packing item %d of %d", i+1, len(order.Items))
		progress := min(100*(i+1)/len(order.Items), 95)
		if reserved(task.Sequence) {
			err = report(progress, message)
		} else {
			err = report(progress, message, func(tx *models.Tx) error {
				// Another server may have taken this run for dead, and made one of its own.
				taken, err := models.ToldMeanwhile(tx, *task)
				if err != nil || taken {
					return err
				}
				return reserve(tx, order)
			})
		}
		if err == nil {
			err = pause(ctx, p.step)
		}
		if err != nil {
			return nil, err
		}
		count += item.Quantity
	}
	return packed{
		Summary: fmt.Sprintf("%s, %s: your order is ready", plural(count, "item"), money(order.Total, order.Currency)),
		Items:   count, Total: order.Total, Currency: order.Currency,
	}, nil
}

// reserved reports whether an order that has told so many updates has its items.
// The first of them says that it exists. The second is stored in the same
// transaction that takes the items, so a run after a crash knows it, too.
func reserved(told int64) bool { return told > 1 }

// reserve takes all items of an order from the stock, or none: a *Failure rolls
// the transaction back.
func reserve(tx *models.Tx, order models.Order) error {
	for _, item := range byProduct(order.Items) {
		ok, err := models.TakeStock(tx, item.ProductID, item.Quantity)
		if err != nil {
			return err
		}
		if !ok {
			return &Failure{Code: CodeOutOfStock, Message: fmt.Sprintf("There are not %d of %s in stock", item.Quantity, item.Slug)}
		}
	}
	return nil
}

// ended gives the stock back unless the order completed.
func (p *Packing) ended(tx *models.Tx, task *models.Task) error {
	toldBefore := task.Sequence - 1
	if task.Status == models.StatusCompleted || !reserved(toldBefore) {
		return nil
	}
	order, err := models.FindOrderToPack(tx.DB, task.ResourceID)
	if err != nil {
		return err
	}
	for _, item := range byProduct(order.Items) {
		if err := models.ReturnStock(tx, item.ProductID, item.Quantity); err != nil {
			return err
		}
	}
	return nil
}

// byProduct puts items into an order that all orders share. On PostgreSQL an order
// holds the products that it has taken from until it is stored, and two that took
// them crosswise would wait for each other.
func byProduct(items []models.OrderItem) []models.OrderItem {
	return slices.SortedFunc(slices.Values(items), func(a, b models.OrderItem) int { return strings.Compare(a.ProductID, b.ProductID) })
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func plural(n int64, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
