package handlers

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

type orders interface {
	Create(ctx context.Context, n models.NewOrder) (models.Order, error)
	Get(ctx context.Context, id string) (models.Order, error)
	List(ctx context.Context, f models.OrderFilter, page models.Page) (models.List[models.Order], error)
	Change(ctx context.Context, id string, edit func(task *models.Task) error) (models.Order, error)
	Cancel(ctx context.Context, id string) (models.Order, error)
	Delete(ctx context.Context, id string) error
}

type orderHandlers struct {
	orders orders
	tasks  tasks
	policy callbacks.Policy
}

// Orders are the routes of orders.
func Orders(s orders) Resource {
	return func(a *API) {
		h, g := orderHandlers{orders: s, tasks: a.cfg.Tasks, policy: a.cfg.Policy}, a.group("/api/orders").tagged("order_id", tagOf(s.Get, showOrder))
		g.get("", h.list)
		g.post("", h.create)
		g.get("/stream", a.streams(s).followOrders)
		g.get("/:order_id", h.get)
		g.put("/:order_id", h.replace)
		g.patch("/:order_id", h.patch)
		g.delete("/:order_id", h.delete)
		g.post("/:order_id/cancel", h.cancel)
		a.starters[callbacks.KindOrder.Name] = h.start
	}
}

// orderRequest orders one product (`product`, `quantity`) or several (`items`).
type orderRequest struct {
	// A product's slug or id.
	Product string `json:"product,omitempty" validate:"max=100" minLength:"1" example:"dog-food"`
	// How many of it.
	Quantity *int64 `json:"quantity,omitempty" validate:"omitempty,min=1,max=1000" default:"1" example:"1"`
	// Several products, instead of one.
	Items []itemRequest `json:"items,omitempty" validate:"max=100,dive" minItems:"1"`
	callback
}

type itemRequest struct {
	// A product's slug or id.
	Product string `json:"product" validate:"required,max=100" minLength:"1" example:"dog-food"`
	// How many of it.
	Quantity *int64 `json:"quantity,omitempty" validate:"omitempty,min=1,max=1000" default:"1" example:"2"`
}

// orderChange is what can be changed of an order that is processing.
type orderChange struct { //nolint:unused // read by the contract's generator
	callback
}

// order is an order as the API shows it.
type order struct {
	// Its id, for GET /api/orders/{order_id}.
	OrderID string `json:"order_id" example:"ord_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	taskHead
	// What was ordered, at the names and prices of that time.
	Items []orderItem `json:"items"`
	// In the currency's smallest unit.
	Total int64 `json:"total" minimum:"0" example:"2499"`
	// Of total and prices: ISO 4217.
	Currency string `json:"currency" example:"USD"`
	// Whether a payment of it has completed, and was not given back.
	Paid bool `json:"paid" example:"false"`
	// That payment, null without one.
	PaymentID *string `json:"payment_id" extensions:"x-nullable" example:"pay_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	taskTail
}

type orderItem struct {
	// The product's id.
	ProductID string `json:"product_id" example:"prod_0199f2a0c1d27d3ea4b5c6d7e8f90125"`
	// The product's slug.
	Product string `json:"product" example:"dog-food"`
	// What the product was called when it was ordered.
	Name string `json:"name" example:"Dog food"`
	// How many of it.
	Quantity int64 `json:"quantity" minimum:"1" example:"1"`
	// Of one, in the currency's smallest unit: 2499 is 24.99 USD.
	Price int64 `json:"price" minimum:"0" example:"2499"`
}

// lines turns either form of a request into lines of an order.
func (r orderRequest) lines() ([]models.OrderLine, error) {
	if r.Items == nil {
		if r.Product == "" {
			return nil, models.Invalid("product", "is required, or items for several products")
		}
		return []models.OrderLine{{Product: r.Product, Quantity: orOne(r.Quantity), Field: "product"}}, nil
	}
	var wrong models.FieldErrors
	if r.Product != "" {
		wrong.Addf("product", "must not be given together with items")
	}
	if r.Quantity != nil {
		wrong.Addf("quantity", "must not be given together with items; each item has its own")
	}
	if len(r.Items) == 0 {
		wrong.Addf("items", "must have at least one entry")
	}
	lines := make([]models.OrderLine, len(r.Items))
	for i, item := range r.Items {
		lines[i] = models.OrderLine{Product: item.Product, Quantity: orOne(item.Quantity), Field: fmt.Sprintf("items[%d].product", i)}
	}
	return lines, wrong.Err()
}

func orOne(quantity *int64) int64 {
	if quantity == nil {
		return 1
	}
	return *quantity
}

func showOrder(o models.Order) order {
	return order{
		OrderID: o.ID, taskHead: showHead(o.Task),
		Items: mapItems(o.Items, func(i models.OrderItem) orderItem {
			return orderItem{ProductID: i.ProductID, Product: i.Slug, Name: i.Name, Quantity: i.Quantity, Price: i.Price}
		}),
		Total: o.Total, Currency: o.Currency, Paid: o.PaymentID != "", PaymentID: nullable(o.PaymentID),
		taskTail: showTail(o.Task, o.CreatedAt, o.UpdatedAt),
	}
}

// @Summary     Place an order
// @Description Answers at once; progress and outcome are POSTed to `callback_url`. Give `product`, or `items` for several products.
// @Description
// @Description With `Prefer: wait=10` the answer waits for the outcome, ten seconds at the most: 201 with the order as it ended, completed or not, or else 202 as ever.
// @ID          createOrder
// @Tags        orders
// @Param       order  body   orderRequest true  "What to order, and whom to tell"
// @Success     202 {object} order "Accepted: it is being processed"
// @x-callback  "orderUpdate"
// @Router      /api/orders [post]
func (h orderHandlers) create(c *gin.Context) error { return createTask(c, h.tasks, h.start) }

// start is the taskStarter of orders.
func (h orderHandlers) start(ctx context.Context, body []byte) (startedTask, error) {
	var request orderRequest
	err := unmarshal(body, &request)
	lines, linesErr := request.lines()
	task, taskErr := request.task(callbacks.KindOrder, h.policy)
	if err := invalid(request, err, linesErr, taskErr); err != nil {
		return startedTask{}, err
	}
	o, err := h.orders.Create(ctx, models.NewOrder{Lines: lines, Task: task})
	if err != nil {
		return startedTask{}, err
	}
	return started(o.TaskID, "/api/orders", o.ID, o, h.orders.Get, showOrder), nil
}

// @Summary     List orders
// @Description Newest first.
// @ID          listOrders
// @Tags        orders
// @Param       status  query string false "Only with this status" Enums(processing, completed, failed, cancelled)
// @Param       product query string false "Only with this product in them, by slug or id" maxlength(100)
// @Success     200 {object} page[order]
// @Router      /api/orders [get]
func (h orderHandlers) list(c *gin.Context) error {
	q := newQuery(c)
	filter := models.OrderFilter{Status: q.oneOf("status", taskStatuses...), Product: q.text("product", 100)}
	return servePage(c, q, h.orders.List, filter, showOrder)
}

// @Summary     Get an order
// @ID          getOrder
// @Tags        orders
// @Param       order_id path string true "Its id"
// @Success     200 {object} order
// @Router      /api/orders/{order_id} [get]
func (h orderHandlers) get(c *gin.Context) error {
	return serveOne(c, "order_id", h.orders.Get, showOrder)
}

// @Summary     Replace whom an order tells, and with which metadata
// @Description Only while it is processing. What was ordered does not change.
// @ID          replaceOrder
// @Tags        orders
// @Param       order_id path string      true "Its id"
// @Param       order    body orderChange true "What to replace"
// @Success     200 {object} order
// @Failure     409 {object} problem "The order has ended"
// @Router      /api/orders/{order_id} [put]
func (h orderHandlers) replace(c *gin.Context) error {
	return changeCallback(c, "order_id", h.orders.Change, showOrder, callbacks.KindOrder, h.policy)
}

// @Summary     Change whom an order tells, or its metadata
// @Description A JSON merge patch (RFC 7396). Only while the order is processing.
// @ID          patchOrder
// @Tags        orders
// @Accept      json
// @Accept      application/merge-patch+json
// @Param       order_id path string      true "Its id"
// @Param       patch    body orderChange true "What to change"
// @Success     200 {object} order
// @Failure     409 {object} problem "The order has ended"
// @Router      /api/orders/{order_id} [patch]
func (h orderHandlers) patch(c *gin.Context) error {
	return changeCallback(c, "order_id", h.orders.Change, showOrder, callbacks.KindOrder, h.policy)
}

// @Summary     Cancel an order
// @Description Only while it is processing. Its stock is given back, and its last update says that it was cancelled.
// @ID          cancelOrder
// @Tags        orders
// @Param       order_id path string true "Its id"
// @Success     200 {object} order
// @Failure     409 {object} problem "The order has ended"
// @Router      /api/orders/{order_id}/cancel [post]
func (h orderHandlers) cancel(c *gin.Context) error {
	return serveOne(c, "order_id", h.orders.Cancel, showOrder)
}

// @Summary     Remove an order
// @Description Only once it has ended. Its task and its callbacks can still be looked up.
// @ID          deleteOrder
// @Tags        orders
// @Param       order_id path string true "Its id"
// @Success     204
// @Failure     409 {object} problem "The order is processing"
// @Router      /api/orders/{order_id} [delete]
func (h orderHandlers) delete(c *gin.Context) error {
	return serveDelete(c, "order_id", h.orders.Delete)
}
