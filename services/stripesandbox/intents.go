package stripesandbox

import (
	"net/http"
	"strings"
	"time"

	"petstore/services/money"
)

// Intent is a PaymentIntent (https://docs.stripe.com/api/payment_intents/object):
// the attempt to be paid an amount, which can succeed once.
type Intent struct {
	Amount             int64             `json:"amount"`
	AmountCapturable   int64             `json:"amount_capturable"`
	AmountReceived     int64             `json:"amount_received"`
	CanceledAt         *int64            `json:"canceled_at"`
	CancellationReason *string           `json:"cancellation_reason"`
	CaptureMethod      string            `json:"capture_method"`
	ClientSecret       string            `json:"client_secret"`
	ConfirmationMethod string            `json:"confirmation_method"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Description        *string           `json:"description"`
	ID                 string            `json:"id"`
	LastPaymentError   *Error            `json:"last_payment_error"`
	LatestCharge       *string           `json:"latest_charge"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	NextAction         *nextAction       `json:"next_action"`
	Object             string            `json:"object"`
	PaymentMethod      *string           `json:"payment_method"`
	PaymentMethodTypes []string          `json:"payment_method_types"`
	Status             string            `json:"status"`
}

// nextAction is what the customer has to do.
type nextAction struct {
	Type string `json:"type"`
}

// Statuses of a PaymentIntent (https://docs.stripe.com/payments/paymentintents/lifecycle).
const (
	statusNeedsMethod       = "requires_payment_method"
	statusNeedsConfirmation = "requires_confirmation"
	statusNeedsAction       = "requires_action"
	statusSucceeded         = "succeeded"
	statusCanceled          = "canceled"
)

// minAmounts are the smallest charges (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts),
// of the currencies that the sandbox knows them for.
var minAmounts = map[string]int64{"usd": 50, "eur": 50, "chf": 50, "cad": 50, "aud": 50, "gbp": 30, "jpy": 50}

func createIntent(c *call) (any, error) {
	confirm, failOnAction := c.form.flag("confirm"), c.form.flag("error_on_requires_action")
	i := &Intent{
		ID: newID("pi_"), Object: "payment_intent", CaptureMethod: "automatic", ConfirmationMethod: "automatic",
		Currency: strings.ToLower(c.form.required("currency")), Created: time.Now().Unix(), Status: statusNeedsMethod,
		PaymentMethod: c.form.text("payment_method"), PaymentMethodTypes: c.form.list("payment_method_types"),
		Description: c.form.text("description"), Metadata: c.form.metadata(),
	}
	c.form.required("amount")
	i.Amount = c.form.amount("amount", 0)
	i.ClientSecret = newID(i.ID + "_secret_")
	if i.PaymentMethodTypes == nil {
		i.PaymentMethodTypes = []string{"card"}
	}
	if err := checkIntent(c.form, i); err != nil {
		return nil, err
	}
	if i.PaymentMethod != nil {
		i.Status = statusNeedsConfirmation
	}
	if confirm {
		return charge(c, i, failOnAction)
	}
	return i, put(c.tx, bucketIntents, i.ID, i)
}

func checkIntent(f *form, i *Intent) error {
	if err := f.done(); err != nil {
		return err
	}
	switch {
	case !money.Known(strings.ToUpper(i.Currency)):
		return invalid("", "currency", "Invalid currency: %s", i.Currency)
	case i.Amount > money.MaxCharge(i.Currency):
		return invalid("amount_too_large", "amount", "Amount must be no more than %d %s", money.MaxCharge(i.Currency), i.Currency)
	case i.Amount%money.ChargeStep(i.Currency) != 0:
		return invalid("amount_invalid", "amount", "Amount must be a multiple of %d %s", money.ChargeStep(i.Currency), i.Currency)
	case i.Amount < minAmounts[i.Currency]:
		return invalid("amount_too_small", "amount", "Amount must be at least %d %s", minAmounts[i.Currency], i.Currency)
	}
	return checkMethod(i.PaymentMethod)
}

func checkMethod(id *string) error {
	if id == nil {
		return nil
	}
	if _, known := methods[*id]; !known {
		return missing("PaymentMethod", "payment_method", *id)
	}
	return nil
}

func retrieveIntent(c *call) (any, error) { return findIntent(c, "intent", c.id) }

// findIntent finds the PaymentIntent that param names.
func findIntent(c *call, param, id string) (*Intent, error) {
	i, found, err := get[Intent](c.tx, bucketIntents, id)
	if !found && err == nil {
		err = missing("payment_intent", param, id)
	}
	return &i, err
}

func confirmIntent(c *call) (any, error) {
	method, failOnAction := c.form.text("payment_method"), c.form.flag("error_on_requires_action")
	if err := c.form.done(); err != nil {
		return nil, err
	}
	i, err := findIntent(c, "intent", c.id)
	if err != nil {
		return nil, err
	}
	if err := checkMethod(method); err != nil {
		return nil, err
	}
	if i.Status == statusSucceeded {
		return nil, unexpectedState(i, "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.")
	}
	if i.Status == statusCanceled {
		return nil, unexpectedState(i, "You cannot confirm this PaymentIntent because it has a status of canceled.")
	}
	if method != nil {
		i.PaymentMethod = method
	}
	return charge(c, i, failOnAction)
}

// charge confirms a PaymentIntent: it tries to charge its payment method.
func charge(c *call, i *Intent, failOnAction bool) (any, error) {
	if i.PaymentMethod == nil {
		return nil, unexpectedState(i, "You cannot confirm this PaymentIntent because it's missing a payment method.")
	}
	attempt := newID("ch_")
	card := methods[*i.PaymentMethod]
	why := card.decline
	if card.authenticate {
		if !failOnAction {
			i.Status, i.NextAction = statusNeedsAction, &nextAction{Type: "use_stripe_sdk"}
			return i, put(c.tx, bucketIntents, i.ID, i)
		}
		why = &notHandled
	}
	if why == nil {
		i.Status, i.AmountReceived, i.LatestCharge = statusSucceeded, i.Amount, &attempt
		i.LastPaymentError, i.NextAction = nil, nil
		return i, put(c.tx, bucketIntents, i.ID, i)
	}
	i.Status, i.PaymentMethod, i.LatestCharge, i.NextAction = statusNeedsMethod, nil, &attempt, nil
	i.LastPaymentError = &Error{
		Charge: attempt, Code: why.code, DeclineCode: why.declineCode, DocURL: docURL(why.code), Message: why.message, Type: typeCard,
	}
	if err := put(c.tx, bucketIntents, i.ID, i); err != nil {
		return nil, err
	}
	declined := *i.LastPaymentError
	declined.PaymentIntent, declined.status = i, http.StatusPaymentRequired
	return nil, &declined
}

func cancelIntent(c *call) (any, error) {
	reason := c.form.oneOf("cancellation_reason", "abandoned", "duplicate", "fraudulent", "requested_by_customer")
	if err := c.form.done(); err != nil {
		return nil, err
	}
	i, err := findIntent(c, "intent", c.id)
	if err != nil {
		return nil, err
	}
	if i.Status == statusSucceeded || i.Status == statusCanceled {
		return nil, unexpectedState(i, "You cannot cancel this PaymentIntent because it has a status of %s.", i.Status)
	}
	now := time.Now().Unix()
	i.Status, i.CanceledAt, i.CancellationReason, i.NextAction = statusCanceled, &now, reason, nil
	return i, put(c.tx, bucketIntents, i.ID, i)
}
