package stripesandbox

import (
	"cmp"
	"time"
)

const statusFailed = "failed" // of a refund

// Refund gives back a charge or a part of it
// (https://docs.stripe.com/api/refunds/object).
type Refund struct {
	Amount                 int64             `json:"amount"`
	BalanceTransaction     *string           `json:"balance_transaction"`
	Charge                 *string           `json:"charge"`
	Created                int64             `json:"created"`
	Currency               string            `json:"currency"`
	ID                     string            `json:"id"`
	Metadata               map[string]string `json:"metadata"`
	Object                 string            `json:"object"`
	PaymentIntent          string            `json:"payment_intent"`
	Reason                 *string           `json:"reason"`
	ReceiptNumber          *string           `json:"receipt_number"`
	SourceTransferReversal *string           `json:"source_transfer_reversal"`
	Status                 string            `json:"status"`
	TransferReversal       *string           `json:"transfer_reversal"`
}

func createRefund(c *call) (any, error) {
	r := &Refund{
		ID: newID("re_"), Object: "refund", Status: statusSucceeded, Created: time.Now().Unix(),
		PaymentIntent: c.form.required("payment_intent"), Amount: c.form.amount("amount", 0),
		Reason: c.form.oneOf("reason", "duplicate", "fraudulent", "requested_by_customer"), Metadata: c.form.metadata(),
	}
	if err := c.form.done(); err != nil {
		return nil, err
	}
	i, err := findIntent(c, "payment_intent", r.PaymentIntent)
	if err != nil {
		return nil, err
	}
	if i.Status != statusSucceeded {
		return nil, unexpectedState(i, "This PaymentIntent (%s) does not have a successful charge to refund.", i.ID)
	}
	left, err := unrefunded(c, i)
	if err != nil {
		return nil, err
	}
	if left == 0 {
		return nil, invalid("charge_already_refunded", "", "Charge %s has already been refunded.", *i.LatestCharge)
	}
	if r.Amount == 0 {
		r.Amount = left
	}
	if r.Amount > left {
		return nil, invalid("", "amount", "Refund amount (%d) is greater than unrefunded amount on charge (%d)", r.Amount, left)
	}
	r.Currency, r.Charge = i.Currency, i.LatestCharge
	// Stripe says so some time later; whoever waits for the answer learns it from there.
	if i.PaymentMethod != nil {
		r.Status = cmp.Or(methods[*i.PaymentMethod].refund, statusSucceeded)
	}
	if err := put(c.tx, bucketRefunds, r.ID, r); err != nil {
		return nil, err
	}
	if r.Status == statusFailed {
		return r, nil // the money is still with us
	}
	return r, put(c.tx, bucketUnrefunded, i.ID, left-r.Amount)
}

// unrefunded is what is left of a charge.
func unrefunded(c *call, i *Intent) (int64, error) {
	left, found, err := get[int64](c.tx, bucketUnrefunded, i.ID)
	if !found {
		return i.AmountReceived, err
	}
	return left, err
}
