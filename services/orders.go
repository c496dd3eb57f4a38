package services

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
	"petstore/models"
	"petstore/services/money"
	"petstore/services/task"
)

// CodeOutOfStock is the code of an order for more than there is.
const CodeOutOfStock = "OUT_OF_STOCK"

// Orders takes orders and lets clients look after them. Packing processes them.
type Orders struct {
	store *models.Store
	tasks *task.Engine
}

// NewOrders returns the orders that store holds, processed by tasks.
func NewOrders(store *models.Store, tasks *task.Engine) *Orders {
	return &Orders{store: store, tasks: tasks}
}

// Create stores an order, its task and its first update in one transaction: an order that
// was accepted is processed, whatever happens to the server.
func (s *Orders) Create(ctx context.Context, n models.NewOrder) (models.Order, error) {
	order, err := s.price(ctx, n.Lines)
	if err != nil {
		return models.Order{}, err
	}
	t := n.Task
	t.Kind, t.ResourceID, t.Resource, t.Message = callbacks.KindOrder.Name, order.ID, order, "Order received"
	err = s.tasks.Create(ctx, t, func(tx *models.Tx, t models.Task) error {
		order.Task, order.TaskID = t, t.ID
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
	// Not to be cancelled: the driver would start a goroutine to wait for that, which costs
	// as much as the query.
	products, err := models.FindProducts(s.store.Read(context.WithoutCancel(ctx)), names)
	if err != nil {
		return models.Order{}, err
	}
	order := models.Order{ID: models.NewID(callbacks.KindOrder.Prefix), CreatedAt: models.Now()}
	order.UpdatedAt = order.CreatedAt
	if err := checkProducts(lines, products); err != nil {
		return models.Order{}, err
	}
	for i, line := range lines {
		p := products[line.Product]
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
	return order, checkTotal(order, lines)
}

// checkProducts refuses lines whose products there are not.
func checkProducts(lines []models.OrderLine, products map[string]models.Product) error {
	var unknown models.FieldErrors
	for _, line := range lines {
		if _, ok := products[line.Product]; !ok {
			unknown.Addf(line.Field, "names no product: there is no %q; GET /api/products lists all", line.Product)
		}
	}
	return unknown.Err()
}

// checkTotal refuses an order that nobody could pay.
func checkTotal(order models.Order, lines []models.OrderLine) error {
	err := money.CheckCharge(order.Total, order.Currency)
	if err == nil {
		return nil
	}
	field := "items"
	if len(lines) == 1 {
		field = lines[0].Field
	}
	return models.Invalid(field, "makes a total of %d, which cannot be paid: it %s", order.Total, err)
}

// Get finds an order.
func (s *Orders) Get(ctx context.Context, id string) (models.Order, error) {
	return models.FindOrder(s.store.Read(ctx), id)
}

// List lists orders, newest first.
func (s *Orders) List(ctx context.Context, f models.OrderFilter, page models.Page) (models.List[models.Order], error) {
	return list(ctx, s.store, models.ListOrders, f, page)
}

// Change lets edit change whom a processing order calls back, and what it tells
// them. An order that has ended has told everything, and doesn't change.
func (s *Orders) Change(ctx context.Context, id string, edit func(t *models.Task) error) (models.Order, error) {
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
		return models.ChangeTask(tx, &order.Task)
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
		return checkUnpaid(tx, id)
	})
	return order, err
}

// checkUnpaid makes sure that nobody has paid an order, or is about to: who gives it up
// gives the money back first.
func checkUnpaid(tx *models.Tx, id string) error {
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
			if err := checkUnpaid(tx, id); err != nil {
				return err
			}
		}
		return models.Delete[models.Order](tx, id)
	})
}

// Packing is the operation that processes an order: it takes the items from the
// stock, packs them one by one, and gives them back should the order not
// complete.
type Packing struct {
	store *models.Store
	tasks *task.Engine
	step  time.Duration // how long it takes to pack one item
}

// NewPacking returns the operation for orders.
func NewPacking(store *models.Store, tasks *task.Engine, step time.Duration) task.Operation {
	p := &Packing{store: store, tasks: tasks, step: step}
	return task.Operation{
		Kind:  callbacks.KindOrder.Name,
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

func (p *Packing) run(ctx context.Context, t *models.Task, report task.Progress) (any, error) {
	order, ok := t.Resource.(models.Order)
	var err error
	if !ok {
		if order, err = models.FindOrderToPack(p.store.Read(ctx), t.ResourceID); err != nil {
			return nil, err
		}
	}
	var count int64
	for i, item := range order.Items {
		count += item.Quantity
		number := i + 1
		if number < order.Packing { // packed by a run that was killed
			continue
		}
		if number > order.Packing {
			err = p.tell(order, number, report)
		}
		if err == nil {
			err = pause.For(ctx, p.step)
		}
		if err != nil {
			return nil, err
		}
	}
	return packed{
		Summary: fmt.Sprintf("%s, %s: your order is ready", plural(count, "item"), money.Format(order.Total, order.Currency)),
		Items:   count, Total: order.Total, Currency: order.Currency,
	}, nil
}

// tell reports that an item is being packed. With the first of them, all are taken
// from the stock.
func (p *Packing) tell(order models.Order, number int, report task.Progress) error {
	message := fmt.Sprintf("Packing item %d of %d", number, len(order.Items))
	progress := min(100*number/len(order.Items), 95)
	return report(progress, message, func(tx *models.Tx) error {
		if number > 1 {
			return models.SetPacking(tx, order.ID, number)
		}
		return reserve(tx, order)
	})
}

// reserve takes all items of an order from the stock, or none: a *callbacks.Error rolls
// the transaction back. What another run has reserved, at a server that took this one
// for dead, is not taken again.
func reserve(tx *models.Tx, order models.Order) error {
	items := byProduct(order.Items)
	if err := lockProducts(tx, items); err != nil {
		return err
	}
	for _, item := range items {
		ok, err := models.TakeStock(tx, item.ProductID, item.Quantity)
		if err != nil {
			return err
		}
		if !ok {
			return &callbacks.Error{Code: CodeOutOfStock, Message: fmt.Sprintf("There are not %d of %s in stock", item.Quantity, item.Slug)}
		}
	}
	reserved, err := models.ReserveOrder(tx, order.ID)
	if err == nil && !reserved {
		return giveBack(tx, items)
	}
	return err
}

func lockProducts(tx *models.Tx, items []models.OrderItem) error {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ProductID
	}
	return models.LockProducts(tx, ids)
}

// giveBack returns items to the stock.
func giveBack(tx *models.Tx, items []models.OrderItem) error {
	for _, item := range items {
		if err := models.ReturnStock(tx, item.ProductID, item.Quantity); err != nil {
			return err
		}
	}
	return nil
}

// ended gives the stock back, and the money, unless the order completed.
func (p *Packing) ended(tx *models.Tx, t *models.Task) error {
	if t.Status == models.StatusCompleted {
		return nil
	}
	if err := p.refund(tx, t.ResourceID); err != nil {
		return err
	}
	if err := models.SetOutcome(tx, t.ResourceID, t.Status); err != nil {
		return err
	}
	reserved, err := models.UnreserveOrder(tx, t.ResourceID)
	if err != nil || !reserved {
		return err
	}
	order, err := models.FindOrderToPack(tx.DB, t.ResourceID)
	if err != nil {
		return err
	}
	items := byProduct(order.Items)
	if err := lockProducts(tx, items); err != nil {
		return err
	}
	return giveBack(tx, items)
}

// refund gives back what was paid for an order. A payment that has not ended yet
// finds that out itself (Charging.charged).
func (p *Packing) refund(tx *models.Tx, orderID string) error {
	before, found, err := models.FindClaim(tx.DB, orderID)
	if err != nil {
		return err
	}
	if found { // the payment first: see Tx.Lock
		if err := tx.Lock("payments", before.ID); err != nil {
			return err
		}
	}
	if err := tx.Lock("orders", orderID); err != nil { // no other payment claims it any more
		return err
	}
	paid, found, err := models.FindClaim(tx.DB, orderID)
	if err != nil || !found || paid.Task.Status != models.StatusCompleted {
		return err
	}
	return refundUnfulfilled(tx, p.tasks, paid)
}

// byProduct puts items into an order that all orders share. On PostgreSQL an order
// holds the products that it has taken from until it is stored, and two that took
// them crosswise would wait for each other.
func byProduct(items []models.OrderItem) []models.OrderItem {
	return slices.SortedFunc(slices.Values(items), func(a, b models.OrderItem) int { return strings.Compare(a.ProductID, b.ProductID) })
}
