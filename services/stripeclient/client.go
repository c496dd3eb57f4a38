// Package stripeclient is how payments reach Stripe: few requests, each with an
// idempotency key; outages that are waited out; and refusals in words for a client.
package stripeclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"

	"petstore/callbacks"
	"petstore/callbacks/pause"
	"petstore/models"
	"petstore/services/money"
)

// timeout is how long one request to Stripe may take. Stripe itself gives
// up on a charge after less.
const timeout = 30 * time.Second

// backoff is how an outage is waited out: six attempts in about half a
// minute, if Stripe refuses at once.
var backoff = []time.Duration{500 * time.Millisecond, time.Second, 3 * time.Second, 8 * time.Second, 15 * time.Second}

// Client makes requests to Stripe. Each of them has an idempotency key made
// from the id of a payment or refund: however often it is sent, Stripe acts on
// it once (https://docs.stripe.com/api/idempotent_requests).
type Client struct {
	api *stripe.Client
	// Backoff is how long Retry waits before the second attempt, the third, …
	Backoff []time.Duration
}

// Options say how to reach Stripe.
type Options struct {
	Key string // the secret API key
	URL string // of the API, "" for Stripe's own
	// Transport carries the requests; nil is the network.
	Transport http.RoundTripper
}

// New returns a client of Stripe's API.
func New(o Options) *Client {
	config := &stripe.BackendConfig{
		HTTPClient: &http.Client{
			Transport: o.Transport, Timeout: timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		MaxNetworkRetries: stripe.Int64(0), // Retry does that, and says so
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
	}
	if o.URL != "" {
		config.URL = stripe.String(o.URL)
	}
	return &Client{
		api:     stripe.NewClient(o.Key, stripe.WithBackends(stripe.NewBackendsWithConfig(config))),
		Backoff: backoff,
	}
}

// Prepare makes the PaymentIntent of a payment. That moves no money: it can be
// charged by Confirm, and only once.
func (c *Client) Prepare(ctx context.Context, p models.Payment) (*stripe.PaymentIntent, error) {
	params := &stripe.PaymentIntentCreateParams{
		Params:   stripe.Params{IdempotencyKey: stripe.String(p.ID)},
		Amount:   new(money.ToStripe(p.Amount, p.Currency)),
		Currency: stripe.String(strings.ToLower(p.Currency)),
		// Cards are charged while we wait. Other methods send the customer to a
		// page of theirs, and there is no customer here.
		PaymentMethodTypes: []*string{stripe.String("card")},
		PaymentMethod:      stripe.String(p.PaymentMethod),
		Metadata:           map[string]string{"payment_id": p.ID},
	}
	if p.Description != "" {
		params.Description = stripe.String(p.Description)
	}
	if p.OrderID != "" {
		params.Metadata["order_id"] = p.OrderID
	}
	intent, err := c.api.V1PaymentIntents.Create(ctx, params)
	return intent, explain(ctx, err)
}

// Confirm charges a payment that was prepared.
func (c *Client) Confirm(ctx context.Context, p models.Payment) (*stripe.PaymentIntent, error) {
	intent, err := c.api.V1PaymentIntents.Confirm(ctx, p.ProviderID, &stripe.PaymentIntentConfirmParams{
		Params: stripe.Params{IdempotencyKey: stripe.String(p.ID + "-confirm")},
		// A card whose bank wants to see the customer is a decline: nobody is
		// there to be seen, and a payment must not wait for ever.
		ErrorOnRequiresAction: new(true),
	})
	return intent, explain(ctx, err)
}

// Find asks what has become of a payment that was prepared.
func (c *Client) Find(ctx context.Context, p models.Payment) (*stripe.PaymentIntent, error) {
	intent, err := c.api.V1PaymentIntents.Retrieve(ctx, p.ProviderID, nil)
	return intent, explain(ctx, err)
}

// Cancel makes sure that a payment which was prepared is never charged.
func (c *Client) Cancel(ctx context.Context, p models.Payment) (*stripe.PaymentIntent, error) {
	intent, err := c.api.V1PaymentIntents.Cancel(ctx, p.ProviderID, &stripe.PaymentIntentCancelParams{
		Params:             stripe.Params{IdempotencyKey: stripe.String(p.ID + "-cancel")},
		CancellationReason: stripe.String("abandoned"),
	})
	return intent, explain(ctx, err)
}

// Refund gives back amount of a payment, under the given idempotency key.
func (c *Client) Refund(ctx context.Context, p models.Payment, amount int64, reason, key string) (*stripe.Refund, error) {
	params := &stripe.RefundCreateParams{
		Params:        stripe.Params{IdempotencyKey: stripe.String(key)},
		PaymentIntent: stripe.String(p.ProviderID),
		Amount:        new(money.ToStripe(amount, p.Currency)),
		Metadata:      map[string]string{"payment_id": p.ID, "refund_id": key},
	}
	if reason != "" {
		params.Reason = stripe.String(reason)
	}
	refund, err := c.api.V1Refunds.Create(ctx, params)
	return refund, explain(ctx, err)
}

// Charged says what a PaymentIntent means for its payment: nil if it is charged
// (https://docs.stripe.com/payments/paymentintents/lifecycle).
func Charged(intent *stripe.PaymentIntent) error {
	switch intent.Status {
	case stripe.PaymentIntentStatusSucceeded:
		return nil
	case stripe.PaymentIntentStatusRequiresPaymentMethod:
		return declined(intent.LastPaymentError)
	case stripe.PaymentIntentStatusRequiresAction:
		return newError(CodeAuthenticationRequired)
	case stripe.PaymentIntentStatusCanceled:
		return newError(CodeProviderRejected)
	case stripe.PaymentIntentStatusProcessing, stripe.PaymentIntentStatusRequiresConfirmation, stripe.PaymentIntentStatusRequiresCapture:
	}
	return &transientError{errUnsettled}
}

// Refunded says whether a refund was made: nil if it was, and has not come back.
func Refunded(refund *stripe.Refund) error {
	if refund.Status == stripe.RefundStatusFailed || refund.Status == stripe.RefundStatusCanceled {
		return newError(CodeRefundFailed)
	}
	return nil
}

// transientError is an answer that says nothing yet: Stripe could not be reached, did
// not answer, or is out of order. What was asked for may have happened.
type transientError struct{ err error }

func (o *transientError) Error() string { return "Stripe is out of order: " + o.err.Error() }
func (o *transientError) Unwrap() error { return o.err }

var errUnsettled = errors.New("no decision yet")

// explain turns an error of the client into an *transientError, or into the *callbacks.Error
// that it means for the payment.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // interrupted by us: says nothing about Stripe
	}
	var refused *stripe.Error
	if !errors.As(err, &refused) {
		return &transientError{err}
	}
	switch {
	case refused.HTTPStatusCode >= http.StatusInternalServerError,
		refused.HTTPStatusCode == http.StatusTooManyRequests,
		refused.HTTPStatusCode == http.StatusConflict,                // the same key is in use, by a request that we gave up on
		refused.Code == stripe.ErrorCodePaymentIntentUnexpectedState: // something else was quicker: Find tells what
		return &transientError{err}
	case refused.Type == stripe.ErrorTypeCard:
		return declined(refused)
	}
	failure := rejected(refused)
	slog.Warn("Stripe refused a request.", "code", failure.Code, "status", refused.HTTPStatusCode,
		"stripe_code", refused.Code, "param", refused.Param, "request_id", refused.RequestID)
	return failure
}

// Retry calls ask until Stripe answers, or its outage has lasted too long:
// then the error is the *callbacks.Error for that. A shortage of this machine's is returned at
// once: it says nothing about Stripe. waiting is told before each pause.
func (c *Client) Retry(ctx context.Context, waiting func(message string) error, ask func() error) error {
	for attempt := 0; ; attempt++ {
		err := ask()
		var transient *transientError
		if !errors.As(err, &transient) || callbacks.IsLocalResourceError(err) {
			return err
		}
		slog.Warn("A request to Stripe failed.", "attempt", attempt+1, "err", transient.err)
		if attempt == len(c.Backoff) {
			return newError(CodeProviderUnavailable)
		}
		// Jitter keeps those that wait for the same outage apart.
		wait := time.Duration(float64(c.Backoff[attempt]) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // nobody gains by guessing it
		if err := waiting(fmt.Sprintf("Stripe does not answer: attempt %d of %d follows", attempt+2, len(c.Backoff)+1)); err != nil {
			return err
		}
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
}
