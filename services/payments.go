package services

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v85"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/money"
	"petstore/services/stripeclient"
	"petstore/services/task"
)

// ProviderStripe is the only provider of payments.
const ProviderStripe = "stripe"

// currencyDefault is what a payment without a currency and an order is in.
const currencyDefault = "USD"

// Payments takes payments and lets clients look after them. Charging charges them.
type Payments struct {
	store   *models.Store
	tasks   *task.Engine
	methods Methods
}

// Methods are the payment methods that clients may name.
type Methods struct {
	Default string   // charged where a client names none; with "" clients must
	Known   []string // there are no others; nil where only the provider knows
}

// NewPayments returns the payments that store holds, charged by tasks.
func NewPayments(store *models.Store, tasks *task.Engine, methods Methods) *Payments {
	return &Payments{store: store, tasks: tasks, methods: methods}
}

// choose returns the payment method to charge when a client has named one, or "".
func (m Methods) choose(named string) (string, error) {
	switch {
	case named == "" && m.Default == "":
		return "", models.Invalid("payment_method", "is required")
	case named == "":
		return m.Default, nil
	case m.Known != nil && !slices.Contains(m.Known, named):
		return "", models.Invalid("payment_method", "must be one that the sandbox knows: %s", strings.Join(m.Known, ", "))
	}
	return named, nil
}

// Create stores a payment, its task and its first update in one transaction. p says what to
// charge, and p.Task whom to tell. An empty Currency is the order's, or US dollars. A payment
// for an order claims it: until the payment has failed or is given back, no other can be made
// for that order.
func (s *Payments) Create(ctx context.Context, p models.Payment) (models.Payment, error) {
	p.ID, p.ClaimsOrder = models.NewID(callbacks.KindPayment.Prefix), p.OrderID != ""
	p.CreatedAt = models.Now()
	p.UpdatedAt = p.CreatedAt
	var err error
	if p.PaymentMethod, err = s.methods.choose(p.PaymentMethod); err != nil {
		return p, err
	}
	p.Task.Kind, p.Task.ResourceID, p.Task.Message = callbacks.KindPayment.Name, p.ID, "Payment received"
	var stored models.Payment
	err = s.tasks.Create(ctx, p.Task, func(tx *models.Tx, t models.Task) error {
		stored.Task, stored.TaskID = t, t.ID
		return models.CreatePayment(tx, &stored)
	}, func(tx *models.Tx) error {
		stored = p
		if err := checkOrder(tx, &stored); err != nil {
			return err
		}
		stored.Currency = cmp.Or(stored.Currency, currencyDefault)
		if err := money.CheckCharge(stored.Amount, stored.Currency); err != nil {
			return models.Invalid("amount", "%s", err)
		}
		return nil
	})
	return stored, err
}

// checkOrder checks a payment against the order that it is for, if any: nobody
// pays twice, or another sum than was asked for.
func checkOrder(tx *models.Tx, p *models.Payment) error {
	if p.OrderID == "" {
		return nil
	}
	order, err := models.LockOrder(tx, p.OrderID)
	if models.Code(err) == models.CodeNotFound {
		return models.Invalid("order_id", "names no order: there is no %q; GET /api/orders lists all", p.OrderID)
	}
	if err != nil {
		return err
	}
	if p.Currency == "" {
		p.Currency = order.Currency
	}
	if p.Currency != order.Currency {
		return models.Invalid("currency", "must be the order's: %s", order.Currency)
	}
	if p.Amount != order.Total {
		return models.Invalid("amount", "must be the order's total: %d, which is %s", order.Total, money.Format(order.Total, order.Currency))
	}
	if order.Task.Status == models.StatusFailed || order.Task.Status == models.StatusCancelled {
		return models.Conflict("The order is %s; there is nothing to pay.", order.Task.Status)
	}
	return checkClaim(tx, order)
}

func checkClaim(tx *models.Tx, order models.Order) error {
	other, found, err := models.FindClaim(tx.DB, order.ID)
	switch {
	case err != nil || !found:
		return err
	case order.PaymentID != "":
		return models.Conflict("The order is paid already, by payment %s.", order.PaymentID)
	case other.Task.Status == models.StatusProcessing:
		return models.Conflict("The order is being paid, by payment %s.", other.ID)
	}
	return models.Conflict("Payment %s of the order has failed, but may have been charged. What was charged is being given back.", other.ID)
}

// Get finds a payment.
func (s *Payments) Get(ctx context.Context, id string) (models.Payment, error) {
	return models.FindPayment(s.store.Read(ctx), id)
}

// List lists payments, newest first.
func (s *Payments) List(ctx context.Context, f models.PaymentFilter, page models.Page) (models.List[models.Payment], error) {
	return list(ctx, s.store, models.ListPayments, f, page)
}

// Delete removes a payment that has ended, unless it pays an order that is still
// there. Its task, updates and deliveries stay.
func (s *Payments) Delete(ctx context.Context, id string) error {
	return s.store.InTx(ctx, func(tx *models.Tx) error {
		p, err := models.LockPayment(tx, id)
		if err != nil {
			return err
		}
		use, err := models.PaymentInUse(tx.DB, p)
		if err != nil {
			return err
		}
		if use != "" {
			return models.Conflict("%s", use)
		}
		return models.Delete[models.Payment](tx, id)
	})
}

// Charging is the operation that charges a payment, in two steps. First the
// payment is prepared at the provider, which moves no money, and what the
// provider calls it is stored. Then it is confirmed, which the provider does
// once at the most, however often it is asked. So a run that was killed finds
// out what happened before it goes on, and nobody is charged twice.
//
// A payment that fails without its outcome being known, because the provider
// cannot be reached any more, is followed by a reversal: a task of its own that
// gives back what may have been charged.
type Charging struct {
	store  *models.Store
	tasks  *task.Engine
	stripe *stripeclient.Client
}

// NewCharging returns the operations for payments, refunds and reversals.
func NewCharging(store *models.Store, tasks *task.Engine, s *stripeclient.Client) []task.Operation {
	c := &Charging{store: store, tasks: tasks, stripe: s}
	return []task.Operation{
		{Kind: callbacks.KindPayment.Name, Run: c.charge, Ended: c.charged},
		{Kind: callbacks.KindRefund.Name, Run: c.refund, Ended: c.refunded},
		{Kind: callbacks.KindReversal.Name, Run: c.reverse, Ended: c.reversed},
	}
}

// receipt is the result of a payment.
type receipt struct {
	Summary    string `json:"summary"`
	Amount     int64  `json:"amount"`
	Currency   string `json:"currency"`
	Provider   string `json:"provider"`
	ProviderID string `json:"provider_id"`
	OrderID    string `json:"order_id,omitempty"`
}

func (c *Charging) charge(ctx context.Context, t *models.Task, report task.Progress) (any, error) {
	p, err := models.FindPayment(c.store.Read(ctx), t.ResourceID)
	if err != nil {
		return nil, err
	}
	mayBeCharged := p.ProviderID != "" // by a run that was interrupted
	if !mayBeCharged {
		if err := c.checkOrder(ctx, p); err != nil {
			return nil, err
		}
		if err := c.prepare(ctx, &p, report); err != nil {
			return nil, err
		}
	}
	err = c.confirm(ctx, p, mayBeCharged, report)
	var failure *callbacks.Error
	if errors.As(err, &failure) && failure.Code == stripeclient.CodeProviderUnavailable {
		failure.Message += "; should it have charged the payment, that is given back"
	}
	if err != nil {
		return nil, err
	}
	summary := money.Format(p.Amount, p.Currency) + " paid"
	if p.OrderID != "" {
		summary += " for order " + p.OrderID
	}
	return receipt{
		Summary: summary, Amount: p.Amount, Currency: p.Currency,
		Provider: p.Provider, ProviderID: p.ProviderID, OrderID: p.OrderID,
	}, nil
}

// prepare makes a payment known to the provider.
func (c *Charging) prepare(ctx context.Context, p *models.Payment, report task.Progress) error {
	if err := report(10, "Preparing the payment"); err != nil {
		return err
	}
	return c.retry(ctx, report, 10, func() error {
		intent, err := c.stripe.Prepare(ctx, *p)
		if err != nil {
			return err
		}
		p.ProviderID = intent.ID
		return report(50, "Charging "+money.Format(p.Amount, p.Currency), func(tx *models.Tx) error {
			return models.SetPaymentProviderID(tx, p.ID, intent.ID)
		})
	})
}

// confirm charges a payment. Where an earlier attempt may have done so, it asks
// before it tries again.
func (c *Charging) confirm(ctx context.Context, p models.Payment, mayBeCharged bool, report task.Progress) error {
	return c.retry(ctx, report, 50, func() error {
		if mayBeCharged {
			intent, err := c.stripe.Find(ctx, p)
			if err != nil {
				return err
			}
			if intent.Status != stripe.PaymentIntentStatusRequiresConfirmation {
				return stripeclient.Charged(intent)
			}
		}
		if err := c.checkOrder(ctx, p); err != nil {
			if _, failed := c.stripe.Cancel(ctx, p); failed != nil {
				return failed
			}
			return err
		}
		mayBeCharged = true
		intent, err := c.stripe.Confirm(ctx, p)
		if err != nil {
			return err
		}
		return stripeclient.Charged(intent)
	})
}

// codeOrderEnded is the code of a payment whose order ended, and not completed,
// before it was charged.
const codeOrderEnded = "order_failed"

// checkOrder is a *callbacks.Error if there is nothing to pay any more. The order may
// end right after it: charged gives back what was charged all the same.
func (c *Charging) checkOrder(ctx context.Context, p models.Payment) error {
	if p.OrderID == "" {
		return nil
	}
	order, err := models.FindOrder(c.store.Read(ctx), p.OrderID)
	if err != nil && models.Code(err) != models.CodeNotFound {
		return err
	}
	if err == nil && !unfulfilled(order) {
		return nil
	}
	return &callbacks.Error{Code: codeOrderEnded, Message: "Nothing was charged: the order " + p.OrderID + " is not fulfilled"}
}

// charged notes what the end of a payment means for its order.
func (c *Charging) charged(tx *models.Tx, t *models.Task) error {
	p, err := models.LockPayment(tx, t.ResourceID)
	if err != nil {
		return err
	}
	switch {
	case t.Status == models.StatusCompleted:
		if err := models.SetPaid(tx, p); err != nil {
			return err
		}
		return refundUnfulfilled(tx, c.tasks, p)
	case p.ProviderID == "" || isDefinitive(t.ErrorCode):
		return models.ReleaseOrder(tx, p)
	}
	// Nobody to call back: to a client that follows payment_id, "completed"
	// would read as if the payment had.
	draft, err := c.tasks.DraftFollowing(models.Task{
		Kind: callbacks.KindReversal.Name, ResourceID: p.ID, Metadata: t.Metadata, Message: "The outcome of the payment is unknown",
	})
	if err != nil {
		return err
	}
	return c.tasks.Begin(tx, draft)
}

// retry asks Stripe for something until it answers, or its outage has lasted too
// long. The task waits at progress meanwhile, and says so. What Stripe refuses, and
// an outage that lasts, are a *callbacks.Error.
func (c *Charging) retry(ctx context.Context, report task.Progress, progress int, ask func() error) error {
	return c.stripe.Retry(ctx, func(message string) error { return report(progress, message) }, ask)
}

// isDefinitive reports whether a task that failed with this code is known not to have
// moved any money.
func isDefinitive(code string) bool {
	return code != stripeclient.CodeProviderUnavailable && code != task.CodeProcessing
}
