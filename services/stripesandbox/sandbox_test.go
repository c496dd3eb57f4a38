package stripesandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stripe/stripe-go/v85"
	"go.uber.org/goleak"

	"petstore/services/stripesandbox"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		os.Exit(code)
	}))
}

// client is stripe-go, joined to a sandbox in the same process.
func client(sandbox *stripesandbox.Sandbox) *stripe.Client {
	return stripe.NewClient("sk_test_sandbox", stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		HTTPClient: &http.Client{Transport: sandbox}, MaxNetworkRetries: stripe.Int64(0),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})))
}

func payWith(method, key string) *stripe.PaymentIntentCreateParams {
	return &stripe.PaymentIntentCreateParams{
		Params: stripe.Params{IdempotencyKey: stripe.String(key)},
		Amount: stripe.Int64(100), Currency: stripe.String("usd"), PaymentMethod: stripe.String(method),
		PaymentMethodTypes: []*string{stripe.String("card")},
	}
}

// TestMethods holds the test payment methods against https://docs.stripe.com/testing.
func TestMethods(t *testing.T) {
	api := client(open(t, ""))
	tests := []struct {
		method  string
		code    stripe.ErrorCode
		decline stripe.DeclineCode
	}{
		{method: "pm_card_visa"},
		{method: "pm_card_mastercard"},
		{"pm_card_visa_chargeDeclined", "card_declined", "generic_decline"},
		{"pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"},
		{"pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"},
		{"pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"},
		{"pm_card_chargeDeclinedExpiredCard", "expired_card", ""},
		{"pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", ""},
		{"pm_card_chargeDeclinedProcessingError", "processing_error", ""},
		{"pm_card_authenticationRequired", "authentication_required", "authentication_not_handled"},
		// faults 26
		{"pm_card_chargeDeclined", "card_declined", "generic_decline"},
		{"pm_card_chargeCustomerFail", "card_declined", "generic_decline"},
		{"pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"},
		{"pm_card_radarBlock", "card_declined", "fraudulent"},
		{"pm_card_threeDSecure2Required", "authentication_required", "authentication_not_handled"},
		{"pm_card_threeDSecureRequiredChargeDeclined", "authentication_required", "authentication_not_handled"},
		{method: "pm_card_threeDSecureOptional"},
		{method: "pm_card_mastercard_debit"},
		{method: "pm_card_th_debit"},
		{method: "pm_card_refundFail"},
	}
	for _, test := range tests {
		t.Run(test.method, func(t *testing.T) {
			intent, err := api.V1PaymentIntents.Create(t.Context(), payWith(test.method, "create "+test.method))
			if err != nil || intent.Status != stripe.PaymentIntentStatusRequiresConfirmation {
				t.Fatalf("created: %+v, %v", intent, err)
			}
			_, err = api.V1PaymentIntents.Confirm(t.Context(), intent.ID, &stripe.PaymentIntentConfirmParams{ErrorOnRequiresAction: new(true)})
			after, findErr := api.V1PaymentIntents.Retrieve(t.Context(), intent.ID, nil)
			if findErr != nil {
				t.Fatal(findErr)
			}
			if test.code == "" {
				if err != nil || after.Status != stripe.PaymentIntentStatusSucceeded || after.AmountReceived != 100 || after.LatestCharge == nil {
					t.Errorf("confirmed: %+v, %v", after, err)
				}
				return
			}
			var refused *stripe.Error
			if !errors.As(err, &refused) {
				t.Fatalf("error is %v", err)
			}
			if refused.HTTPStatusCode != http.StatusPaymentRequired || refused.Type != stripe.ErrorTypeCard || refused.Code != test.code || refused.DeclineCode != test.decline {
				t.Errorf("error is %v", refused)
			}
			if refused.PaymentIntent == nil || refused.PaymentIntent.ID != intent.ID {
				t.Error("the error does not show the PaymentIntent")
			}
			if after.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || after.AmountReceived != 0 ||
				after.LastPaymentError == nil || after.LastPaymentError.Code != test.code {
				t.Errorf("after the decline: %+v", after)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	api := client(open(t, ""))
	paid, err := api.V1PaymentIntents.Create(t.Context(), confirmed(payWith("pm_card_visa", "paid")))
	if err != nil {
		t.Fatal(err)
	}
	unpaid, err := api.V1PaymentIntents.Create(t.Context(), payWith("pm_card_visa", "unpaid"))
	if err != nil {
		t.Fatal(err)
	}
	create := func(change func(*stripe.PaymentIntentCreateParams)) error {
		params := payWith("pm_card_visa", "")
		params.IdempotencyKey = nil
		change(params)
		_, err := api.V1PaymentIntents.Create(t.Context(), params)
		return err
	}
	refund := func(intent string, amount int64) error {
		_, err := api.V1Refunds.Create(t.Context(), &stripe.RefundCreateParams{PaymentIntent: &intent, Amount: &amount})
		return err
	}
	_, missing := api.V1PaymentIntents.Retrieve(t.Context(), "pi_nope", nil)
	_, twice := api.V1PaymentIntents.Confirm(t.Context(), paid.ID, nil)
	_, late := api.V1PaymentIntents.Cancel(t.Context(), paid.ID, nil)
	tests := []struct {
		name   string
		err    error
		status int
		code   stripe.ErrorCode
		param  string
	}{
		{"unknown method", create(func(p *stripe.PaymentIntentCreateParams) { p.PaymentMethod = stripe.String("pm_nope") }), 400, "resource_missing", "payment_method"},
		{"too small", create(func(p *stripe.PaymentIntentCreateParams) { p.Amount = stripe.Int64(49) }), 400, "amount_too_small", "amount"},
		{"too large", create(func(p *stripe.PaymentIntentCreateParams) { p.Amount = stripe.Int64(100_000_000) }), 400, "amount_too_large", "amount"},
		{"negative", create(func(p *stripe.PaymentIntentCreateParams) { p.Amount = stripe.Int64(-1) }), 400, "parameter_invalid_integer", "amount"},
		{"strange currency", create(func(p *stripe.PaymentIntentCreateParams) { p.Currency = stripe.String("us$") }), 400, "", "currency"},
		{"currency of nobody", create(func(p *stripe.PaymentIntentCreateParams) { p.Currency = stripe.String("xxx") }), 400, "", "currency"},
		{"unknown intent", missing, 404, "resource_missing", "intent"},
		{"confirmed twice", twice, 400, "payment_intent_unexpected_state", ""},
		{"cancelled when paid", late, 400, "payment_intent_unexpected_state", ""},
		{"refund of nothing", refund("pi_nope", 1), 400, "resource_missing", "payment_intent"},
		{"refund of the unpaid", refund(unpaid.ID, 1), 400, "payment_intent_unexpected_state", ""},
		{"refund of too much", refund(paid.ID, 101), 400, "", "amount"},
		{"refund", refund(paid.ID, 100), 200, "", ""},
		{"refund again", refund(paid.ID, 1), 400, "charge_already_refunded", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var refused *stripe.Error
			switch {
			case test.status == 200 && test.err == nil:
			case !errors.As(test.err, &refused):
				t.Errorf("error is %v", test.err)
			case refused.HTTPStatusCode != test.status || refused.Code != test.code || refused.Param != test.param || refused.Type != stripe.ErrorTypeInvalidRequest:
				t.Errorf("error is %v", refused)
			}
		})
	}
}

func confirmed(p *stripe.PaymentIntentCreateParams) *stripe.PaymentIntentCreateParams {
	p.Confirm = new(true)
	return p
}

// TestIdempotency holds the keys against https://docs.stripe.com/api/idempotent_requests,
// also when the sandbox was closed in between.
func TestIdempotency(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sandbox.db")
	sandbox, err := stripesandbox.Open(path, stripesandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	api := client(sandbox)
	first, err := api.V1PaymentIntents.Create(t.Context(), confirmed(payWith("pm_card_visa", "one")))
	if err != nil {
		t.Fatal(err)
	}
	_, declined := api.V1PaymentIntents.Create(t.Context(), confirmed(payWith("pm_card_visa_chargeDeclined", "two")))
	if _, err := api.V1PaymentIntents.Create(t.Context(), payWith("pm_nope", "three")); err == nil {
		t.Error("an unknown method was accepted")
	}
	if err := sandbox.Close(); err != nil {
		t.Fatal(err)
	}

	sandbox = open(t, path)
	api = client(sandbox)
	again, err := api.V1PaymentIntents.Create(t.Context(), confirmed(payWith("pm_card_visa", "one")))
	if err != nil || again.ID != first.ID {
		t.Errorf("again: %v, %v, want %s", again, err, first.ID)
	} else if again.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("the answer does not say that it is replayed")
	}
	_, declinedAgain := api.V1PaymentIntents.Create(t.Context(), confirmed(payWith("pm_card_visa_chargeDeclined", "two")))
	var was, is *stripe.Error
	if !errors.As(declined, &was) || !errors.As(declinedAgain, &is) || was.PaymentIntent.ID != is.PaymentIntent.ID {
		t.Errorf("the decline was %v, and is %v", declined, declinedAgain)
	}
	other := payWith("pm_card_visa", "one")
	other.Amount = stripe.Int64(200)
	_, err = api.V1PaymentIntents.Create(t.Context(), other)
	if !errors.As(err, &is) || is.Type != stripe.ErrorTypeIdempotency {
		t.Errorf("the key with another amount: %v", err)
	}
	_, err = api.V1PaymentIntents.Confirm(t.Context(), first.ID, &stripe.PaymentIntentConfirmParams{Params: stripe.Params{IdempotencyKey: stripe.String("one")}})
	if !errors.As(err, &is) || is.Type != stripe.ErrorTypeIdempotency {
		t.Errorf("the key at another path: %v", err)
	}
	if _, err := api.V1PaymentIntents.Create(t.Context(), payWith("pm_card_visa", "three")); err != nil {
		t.Errorf("a request that was not begun is remembered: %v", err)
	}
	intents, err := sandbox.Intents()
	if err != nil || len(intents) != 3 {
		t.Errorf("there are %d intents, want 3: %v", len(intents), err)
	}
}

func TestManyAtOnce(t *testing.T) {
	sandbox := open(t, "")
	api := client(sandbox)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := api.V1PaymentIntents.Create(t.Context(), confirmed(payWith("pm_card_visa", "the same"))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	intents, err := sandbox.Intents()
	if err != nil || len(intents) != 1 {
		t.Fatalf("%d intents, %v", len(intents), err)
	}
	for i := range 20 {
		group.Go(func() {
			_, _ = api.V1Refunds.Create(t.Context(), &stripe.RefundCreateParams{ // most of them are refused
				Params: stripe.Params{IdempotencyKey: stripe.String(fmt.Sprint("refund ", i))}, PaymentIntent: &intents[0].ID, Amount: stripe.Int64(30),
			})
		})
	}
	group.Wait()
	if refunds, err := sandbox.Refunds(); err != nil || len(refunds) != 3 {
		t.Errorf("%d refunds of 30 of 100, %v", len(refunds), err)
	}
}

func TestFile(t *testing.T) {
	if _, err := stripesandbox.Open(t.TempDir(), stripesandbox.Options{}); err == nil {
		t.Error("a folder was opened as a file")
	}
	broken := filepath.Join(t.TempDir(), "broken.db")
	if err := os.WriteFile(broken, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stripesandbox.Open(broken, stripesandbox.Options{}); err == nil {
		t.Error("a broken file was opened")
	}
}

// TestDamagedFile (reliability 15, another instance): whichever page of the sandbox's file is damaged, or missing, is said at the
// start; nothing panics then, or later.
func TestDamagedFile(t *testing.T) {
	const pageSize = 4096
	path := filepath.Join(t.TempDir(), "sandbox.db")
	sandbox, err := stripesandbox.Open(path, stripesandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if _, err := client(sandbox).V1PaymentIntents.Create(t.Context(), payWith("pm_card_visa", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := sandbox.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	try := func(name string, content []byte) {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		sandbox, err := stripesandbox.Open(path, stripesandbox.Options{})
		if err != nil {
			if refused++; !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		defer sandbox.Close()
		if _, err := client(sandbox).V1PaymentIntents.Create(t.Context(), payWith("pm_card_visa", "new")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if intents, err := sandbox.Intents(); err != nil || len(intents) != 21 {
			t.Errorf("%s: %d payments, %v", name, len(intents), err)
		}
	}
	for begin := 0; begin < len(whole); begin += pageSize {
		damaged := slices.Clone(whole)
		for i := range pageSize {
			damaged[begin+i] = byte(i * 7)
		}
		try(fmt.Sprintf("damaged-%d", begin), damaged)
		if begin > 2*pageSize { // or bbolt takes it for no file of its own
			try(fmt.Sprintf("cut-%d", begin), whole[:begin])
		}
	}
	if refused < 10 {
		t.Errorf("%d are refused", refused)
	}
}

func TestInterrupted(t *testing.T) {
	sandbox, err := stripesandbox.Open("", stripesandbox.Options{Delay: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	defer sandbox.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(sandbox).V1PaymentIntents.Create(ctx, payWith("pm_card_visa", "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if intents, err := sandbox.Intents(); err != nil || len(intents) != 0 {
		t.Errorf("%v, %v", intents, err)
	}
}
