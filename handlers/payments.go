package handlers

import (
	"context"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

type payments interface {
	Create(ctx context.Context, p models.Payment) (models.Payment, error)
	Get(ctx context.Context, id string) (models.Payment, error)
	List(ctx context.Context, f models.PaymentFilter, page models.Page) (models.List[models.Payment], error)
	Delete(ctx context.Context, id string) error
}

type paymentHandlers struct {
	payments payments
	tasks    tasks
	policy   callbacks.Policy
}

// Payments are the routes of payments and their refunds.
func Payments(s interface {
	payments
	refunds
}) Resource {
	return func(a *API) {
		h, g := paymentHandlers{payments: s, tasks: a.cfg.Tasks, policy: a.cfg.Policy}, a.group("/api/payments").tagged("payment_id", tagOf(s.Get, showPayment))
		g.get("", h.list)
		g.post("", h.create)
		g.get("/:payment_id", h.get)
		g.delete("/:payment_id", h.delete)
		a.starters[callbacks.KindPayment.Name] = h.start

		r, g := refundHandlers{refunds: s, tasks: a.cfg.Tasks, policy: a.cfg.Policy}, a.group("/api/payments/:payment_id/refunds")
		g.get("", r.list)
		g.post("", r.create)
		g.get("/:refund_id", r.get)
	}
}

// paymentRequest asks for an amount to be charged.
type paymentRequest struct {
	// In the currency's smallest unit: 100 is 1.00 USD. For an order, its total. At most 99999999, but for
	// some currencies that need more digits, such as IDR.
	Amount int64 `json:"amount" validate:"required,min=1,max=999999999999" minimum:"1" maximum:"999999999999" example:"100"`
	// ISO 4217, in capitals or not. Without it, the order's currency, or USD.
	Currency string `json:"currency,omitempty" maxLength:"3" example:"USD"`
	// Who charges it.
	Provider string `json:"provider" validate:"required,oneof=stripe" enums:"stripe" example:"stripe"`
	// A PaymentMethod of Stripe. In test mode the default is pm_card_visa, and others of
	// https://docs.stripe.com/testing show what else can happen.
	PaymentMethod string `json:"payment_method,omitempty" maxLength:"103" example:"pm_card_visa"`
	// The order that is paid.
	OrderID string `json:"order_id,omitempty" validate:"max=100" example:"ord_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	// For the customer's eyes.
	Description string `json:"description,omitempty" validate:"max=500" example:"Dog food"`
	callback
}

// payment is a payment as the API shows it.
type payment struct {
	// Its id, for GET /api/payments/{payment_id}.
	PaymentID string `json:"payment_id" example:"pay_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	taskHead
	// In the currency's smallest unit.
	Amount int64 `json:"amount" minimum:"1" example:"100"`
	// Of amount and refunded: ISO 4217.
	Currency string `json:"currency" example:"USD"`
	// Who charges it.
	Provider string `json:"provider" enums:"stripe" example:"stripe"`
	// What the provider calls it, null until it knows of it.
	ProviderID *string `json:"provider_id" extensions:"x-nullable" example:"pi_3MtwBwLkdIwHu7ix28a3tqPa"`
	// The provider's name for what is charged.
	PaymentMethod string `json:"payment_method" example:"pm_card_visa"`
	// The order that is paid, null for none.
	OrderID *string `json:"order_id" extensions:"x-nullable" example:"ord_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	// What the request gave, for the customer's eyes.
	Description string `json:"description" example:"Dog food"`
	// What has been given back, or is about to be.
	Refunded int64 `json:"refunded" minimum:"0" example:"0"`
	taskTail
}

func showPayment(p models.Payment) payment {
	return payment{
		PaymentID: p.ID, taskHead: showHead(p.Task),
		Amount: p.Amount, Currency: p.Currency, Provider: p.Provider, ProviderID: nullable(p.ProviderID),
		PaymentMethod: p.PaymentMethod, OrderID: nullable(p.OrderID), Description: p.Description, Refunded: p.Refunded,
		taskTail: showTail(p.Task, p.CreatedAt, p.UpdatedAt),
	}
}

var methodID = regexp.MustCompile(`^pm_[A-Za-z0-9_]{1,100}$`)

// check checks what validate tags cannot say, and writes the currency in capitals.
func (r *paymentRequest) check() error {
	var wrong models.FieldErrors
	var ok bool
	if r.Currency, ok = currency(r.Currency); !ok {
		wrong.Addf("currency", "must be a currency's code, such as USD (ISO 4217)")
	}
	if r.PaymentMethod != "" && !methodID.MatchString(r.PaymentMethod) {
		wrong.Addf("payment_method", "must be the id of a PaymentMethod at Stripe, such as pm_card_visa")
	}
	return wrong.Err()
}

// currency checks a currency, which may be empty, and writes it in capitals.
func currency(code string) (capitals string, ok bool) {
	code = strings.ToUpper(code)
	return code, code == "" || validate.Var(code, "iso4217") == nil
}

// @Summary     Pay
// @Description Answers at once; progress and outcome are POSTed to `callback_url`. However often a payment is interrupted, it is charged once at the most.
// @Description
// @Description With `order_id` the amount must be the order's total. An order is paid once: while a payment of it is processing or completed, another is a conflict. If the order fails, its payment is not charged and fails with `order_failed`; what was charged already is given back by a refund that begins by itself, and calls the payment's `callback_url`.
// @Description
// @Description A payment that fails says why in `error.code`: `card_declined`, `insufficient_funds`, `expired_card`, `incorrect_cvc`, `processing_error`, `authentication_required`, `invalid_payment_method`, `amount_too_small`, `amount_too_large`, `provider_rejected`, or `provider_unavailable` when the provider's outage outlasted all attempts.
// @ID          createPayment
// @Tags        payments
// @Param       payment body paymentRequest true "What to charge, and whom to tell"
// @Success     202 {object} payment "Accepted: it is being processed"
// @Failure     409 {object} problem "The order is paid, being paid, failed or cancelled"
// @x-callback  "paymentUpdate"
// @Router      /api/payments [post]
func (h paymentHandlers) create(c *gin.Context) error { return createTask(c, h.tasks, h.start) }

// start is the taskStarter of payments.
func (h paymentHandlers) start(ctx context.Context, body []byte) (startedTask, error) {
	var request paymentRequest
	err := unmarshal(body, &request)
	task, taskErr := request.task(callbacks.KindPayment, h.policy)
	if err := invalid(request, err, request.check(), taskErr); err != nil {
		return startedTask{}, err
	}
	p, err := h.payments.Create(ctx, models.Payment{
		Amount: request.Amount, Currency: request.Currency, Provider: request.Provider, PaymentMethod: request.PaymentMethod,
		OrderID: request.OrderID, Description: request.Description, Task: task,
	})
	if err != nil {
		return startedTask{}, err
	}
	return started(p.TaskID, "/api/payments", p.ID, p, h.payments.Get, showPayment), nil
}

// @Summary     List payments
// @Description Newest first.
// @ID          listPayments
// @Tags        payments
// @Param       status   query string false "Only with this status" Enums(processing, completed, failed, cancelled)
// @Param       order_id query string false "Only for this order" maxlength(100)
// @Param       currency query string false "Only in this currency" minlength(3) maxlength(3) example(USD)
// @Success     200 {object} page[payment]
// @Router      /api/payments [get]
func (h paymentHandlers) list(c *gin.Context) error {
	q := newQuery(c)
	filter := models.PaymentFilter{Status: q.oneOf("status", taskStatuses...), OrderID: q.text("order_id", 100)}
	var ok bool
	if filter.Currency, ok = currency(q.text("currency", 3)); !ok {
		q.wrong.Addf("currency", "must be a currency's code, such as USD (ISO 4217)")
	}
	return servePage(c, q, h.payments.List, filter, showPayment)
}

// @Summary     Get a payment
// @ID          getPayment
// @Tags        payments
// @Param       payment_id path string true "Its id"
// @Success     200 {object} payment
// @Router      /api/payments/{payment_id} [get]
func (h paymentHandlers) get(c *gin.Context) error {
	return serveOne(c, "payment_id", h.payments.Get, showPayment)
}

// @Summary     Remove a payment
// @Description Only once it and its refunds have ended, and not while it pays an order: refund it first. That moves no money. Its tasks and callbacks can still be looked up.
// @ID          deletePayment
// @Tags        payments
// @Param       payment_id path string true "Its id"
// @Success     204
// @Failure     409 {object} problem "It is processing, or pays an order"
// @Router      /api/payments/{payment_id} [delete]
func (h paymentHandlers) delete(c *gin.Context) error {
	return serveDelete(c, "payment_id", h.payments.Delete)
}
