package services

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"petstore/models"
	"petstore/services/money"
	"petstore/services/stripeclient"
	"petstore/services/stripesandbox/stripemock"
)

func TestPaymentOutcomes(t *testing.T) {
	x := newTill(t)
	tests := []struct {
		method string
		amount int64
		code   string
	}{
		{"", 100, ""},
		{"pm_card_mastercard", 99_999_999, ""},
		{"pm_card_visa_chargeDeclined", 100, stripeclient.CodeCardDeclined},
		{"pm_card_visa_chargeDeclinedInsufficientFunds", 100, stripeclient.CodeInsufficientFunds},
		{"pm_card_visa_chargeDeclinedLostCard", 100, stripeclient.CodeCardDeclined},
		{"pm_card_chargeDeclinedExpiredCard", 100, stripeclient.CodeExpiredCard},
		{"pm_card_chargeDeclinedIncorrectCvc", 100, stripeclient.CodeIncorrectCVC},
		{"pm_card_chargeDeclinedProcessingError", 100, stripeclient.CodeCardProcessing},
		{"pm_card_authenticationRequired", 100, stripeclient.CodeAuthenticationRequired},
		{"pm_nope", 100, stripeclient.CodeInvalidPaymentMethod},
		{"pm_card_visa", 1, stripeclient.CodeAmountTooSmall},
	}
	for _, test := range tests {
		t.Run(test.method, func(t *testing.T) {
			p, err := x.payments.Create(t.Context(), models.Payment{Amount: test.amount, Provider: ProviderStripe, PaymentMethod: test.method})
			if err != nil {
				t.Fatal(err)
			}
			before := len(x.provider.asks("confirm"))
			task := x.wait(p.TaskID)
			if task.ErrorCode != test.code || test.code != "" && (task.Status != models.StatusFailed || task.ErrorMessage == "") {
				t.Errorf("the payment is %s: %s %s", task.Status, task.ErrorCode, task.ErrorMessage)
			}
			if test.code == "" {
				x.checkBalance(p.ID, test.amount, 0)
			} else {
				x.checkBalance(p.ID, 0, 0)
			}
			if n := len(x.provider.asks("confirm")) - before; n > 1 {
				t.Errorf("the card was tried %d times", n)
			}
			if p = x.find(p.ID); p.Currency != "USD" || test.code == "" && p.ProviderID == "" {
				t.Errorf("the payment is stored as %+v", p)
			}
		})
	}
}

func TestPaymentTellsWhatItDoes(t *testing.T) {
	x := newTill(t)
	order := x.order()
	p := x.paid(order, "")
	want := []string{
		"payment.created: Payment received", "payment.progress: Preparing the payment",
		"payment.progress: Charging " + money.Format(order.Total, "USD"), "payment.completed: Completed",
	}
	if got := x.told(p.TaskID); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if summary := money.Format(order.Total, "USD") + " paid for order " + order.ID; !strings.Contains(string(p.Task.Result), summary) {
		t.Errorf("the result is %s, want one with %q", p.Task.Result, summary)
	}
	r := x.refunded(p.ID, 40)
	want = []string{
		"refund.created: Refund received", "refund.progress: Refunding 0.40 USD",
		"refund.progress: 0.40 USD are on their way back", "refund.completed: Completed",
	}
	if got := x.told(r.TaskID); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if !strings.Contains(string(r.Task.Result), `"summary":"0.40 USD refunded"`) || r.ProviderID == "" {
		t.Errorf("the refund is %+v, %s", r, r.Task.Result)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	x := newTill(t)
	p := x.paid(models.Order{}, "")
	r := x.refunded(p.ID, 0)
	want := []ask{{"create", p.ID, 1}, {"confirm", p.ID + "-confirm", 1}, {"refund", r.ID, 1}}
	if got := x.provider.asks(""); !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}

// TestEveryRequestIsStripes repeats payments, refunds and reversals while
// stripe-mock checks each request against Stripe's description of its API.
func TestEveryRequestIsStripes(t *testing.T) {
	t.Parallel()
	x := newTill(t)
	x.provider.mirror = stripemock.Start(t)
	p, err := x.payments.Create(t.Context(), models.Payment{Amount: 100, Currency: "JPY", Provider: ProviderStripe, Description: "Dog food & toys"})
	if err != nil {
		t.Fatal(err)
	}
	x.wait(p.TaskID)
	r, err := x.payments.Refund(t.Context(), models.Refund{PaymentID: p.ID, Amount: 40, Reason: "requested_by_customer"})
	if err != nil {
		t.Fatal(err)
	}
	x.wait(r.TaskID)
	x.refunded(p.ID, 0)
	x.checkBalance(p.ID, 100, 100)
	x.paid(x.order(), "pm_card_visa_chargeDeclined")
	for _, what := range []fault{brokenBefore, brokenAfter} {
		x.provider.disturb(outOfOrderFor("confirm", "find", what))
		p := x.paid(models.Order{}, "")
		x.provider.disturb(nil)
		x.reversal(p.ID)
	}
	for _, what := range []string{"create", "confirm", "find", "cancel", "refund"} {
		if len(x.provider.asks(what)) == 0 {
			t.Errorf("there was no request to %s", what)
		}
	}
}

// outOfOrderFor breaks confirm and find: confirm as what says, find always.
func outOfOrderFor(confirm, find string, what fault) func(a ask) fault {
	return func(a ask) fault {
		switch a.what {
		case confirm:
			return what
		case find:
			return unavailable
		}
		return healthy
	}
}

func TestOrderIsPaidOnce(t *testing.T) {
	x := newTill(t)
	order := x.order()
	if declined := x.paid(order, "pm_card_visa_chargeDeclined"); declined.ClaimsOrder || x.findOrder(order.ID).PaymentID != "" {
		t.Error("a declined payment pays the order")
	}
	p := x.paid(order, "")
	if got := x.findOrder(order.ID).PaymentID; got != p.ID {
		t.Errorf("the order is paid by %q, want %q", got, p.ID)
	}
	conflict := func(what string) {
		t.Helper()
		if _, err := x.pay(order, ""); models.Code(err) != models.CodeConflict || !strings.Contains(err.Error(), what) {
			t.Errorf("error is %v, want one with %q", err, what)
		}
	}
	conflict("The order is paid already, by payment " + p.ID)
	x.refunded(p.ID, order.Total-1)
	conflict("is paid already")
	x.refunded(p.ID, 0)
	if got := x.findOrder(order.ID).PaymentID; got != "" {
		t.Errorf("an order whose payment was given back is paid by %s", got)
	}
	second := x.paid(order, "")
	if got := x.findOrder(order.ID).PaymentID; got != second.ID {
		t.Errorf("the order is paid by %q, want %q", got, second.ID)
	}
	x.checkBalance("", 2*order.Total, order.Total)
}

// TestCancelAnOrderThatIsPaid: an order that is being paid, or is paid, is cancelled
// when the money was given back, not before.
func TestCancelAnOrderThatIsPaid(t *testing.T) {
	x := newTill(t)
	x.tasks.Register(NewPacking(x.store, x.tasks, time.Hour))
	order, err := x.orders.Create(within(t), models.NewOrder{Lines: []models.OrderLine{{Product: "dog-food", Quantity: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	p := x.paid(order, "")
	if _, err := x.orders.Cancel(within(t), order.ID); models.Code(err) != models.CodeConflict || !strings.Contains(err.Error(), p.ID) {
		t.Errorf("cancelling gave %v", err)
	}
	// As it would be had it failed.
	if err := x.store.InTx(within(t), func(tx *models.Tx) error {
		return tx.Exec("UPDATE tasks SET status = 'failed' WHERE id = ?", order.TaskID).Error
	}); err != nil {
		t.Fatal(err)
	}
	if err := x.orders.Delete(within(t), order.ID); models.Code(err) != models.CodeConflict || !strings.Contains(err.Error(), "refund it first") {
		t.Errorf("deleting it gave %v", err)
	}
	if err := x.store.InTx(within(t), func(tx *models.Tx) error {
		return tx.Exec("UPDATE tasks SET status = 'processing' WHERE id = ?", order.TaskID).Error
	}); err != nil {
		t.Fatal(err)
	}
	x.refunded(p.ID, 0)
	if cancelled, err := x.orders.Cancel(within(t), order.ID); err != nil || cancelled.Task.Status != models.StatusCancelled {
		t.Errorf("after the refund it is %s, %v", cancelled.Task.Status, err)
	}
}

func TestConcurrentPaymentsOfOneOrder(t *testing.T) {
	x := newTill(t)
	order := x.order()
	var accepted atomic.Int32
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			p, err := x.pay(order, "")
			switch {
			case err == nil:
				accepted.Add(1)
				x.wait(p.TaskID)
			case models.Code(err) != models.CodeConflict:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("%d payments were accepted", n)
	}
	x.checkBalance("", order.Total, 0)
}

func TestPaymentIsCheckedAgainstItsOrder(t *testing.T) {
	x := newTill(t)
	order, cancelled := x.order(), x.order()
	err := x.store.InTx(t.Context(), func(tx *models.Tx) error {
		return tx.Exec("UPDATE tasks SET status = 'cancelled' WHERE id = ?", cancelled.TaskID).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		payment models.Payment
		code    string
		field   string
	}{
		{"no such order", models.Payment{Amount: 1, OrderID: "ord_nope"}, models.CodeInvalid, "order_id"},
		{"too little", models.Payment{Amount: order.Total - 1, OrderID: order.ID}, models.CodeInvalid, "amount"},
		{"too much", models.Payment{Amount: order.Total + 1, OrderID: order.ID}, models.CodeInvalid, "amount"},
		{"another currency", models.Payment{Amount: order.Total, Currency: "EUR", OrderID: order.ID}, models.CodeInvalid, "currency"},
		{"cancelled order", models.Payment{Amount: order.Total, OrderID: cancelled.ID}, models.CodeConflict, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := x.payments.Create(t.Context(), test.payment)
			var known *models.Error
			if !errors.As(err, &known) || known.Code != test.code || test.field != "" && known.Fields[0].Field != test.field {
				t.Errorf("error is %v", err)
			}
		})
	}
	if n := len(x.provider.asks("")); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
	sandbox := NewPayments(x.store, x.tasks, Methods{Known: []string{"pm_card_visa", "pm_card_amex"}})
	_, err = sandbox.Create(t.Context(), models.Payment{Amount: 100, PaymentMethod: "pm_nope"}) // faults 26
	var known *models.Error
	if !errors.As(err, &known) || known.Fields[0].Field != "payment_method" || !strings.Contains(known.Fields[0].Message, "pm_card_visa, pm_card_amex") {
		t.Errorf("a method that the sandbox does not have: %v", err)
	}
	if _, err := NewPayments(x.store, x.tasks, Methods{}).Create(t.Context(), models.Payment{Amount: 1}); models.Code(err) != models.CodeInvalid {
		t.Errorf("without a method: %v", err)
	}
}

// TestPaymentCurrencies is faults 24 and 25: what Stripe is asked for is in its own unit, and what it would refuse is
// refused at once.
func TestPaymentCurrencies(t *testing.T) {
	x := newTill(t)
	for _, test := range []struct {
		amount  int64
		code    string
		summary string // of what is paid
		refuse  string // says what the amount must be
	}{
		{505, "ISK", "505 ISK paid", ""}, // the sandbox refuses 505, and takes 50500
		{5000, "UGX", "5000 UGX paid", ""},
		{50_000, "MGA", "500.00 MGA paid", ""},
		{5120, "KWD", "5.120 KWD paid", ""},
		{250_000_000, "IDR", "2500000.00 IDR paid", ""},
		{123_456, "RSD", "1234.56 RSD paid", ""}, // faults 22
		{123_456, "XCG", "1234.56 XCG paid", ""}, // faults 23
		{5124, "KWD", "", "must be a multiple of 10 in KWD"},
		{50_050, "MGA", "", "must be a multiple of 100 in MGA"},
		{100_000_000, "USD", "", "must be between 1 and 99999999 in USD"},
	} {
		p, err := x.payments.Create(t.Context(), models.Payment{Amount: test.amount, Currency: test.code, Provider: ProviderStripe})
		if test.refuse != "" {
			var known *models.Error
			if !errors.As(err, &known) || known.Fields[0] != (models.FieldError{Field: "amount", Message: test.refuse}) {
				t.Errorf("%d %s: %v", test.amount, test.code, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		task := x.wait(p.TaskID)
		if task.Status != models.StatusCompleted || !strings.Contains(string(task.Result), test.summary) {
			t.Errorf("%d %s: %s %s %s", test.amount, test.code, task.Status, task.ErrorCode, task.Result)
		}
		if r := x.refunded(p.ID, 0); r.Task.Status != models.StatusCompleted || r.Amount != test.amount {
			t.Errorf("refund of %d %s: %s, %d", test.amount, test.code, r.Task.Status, r.Amount)
		}
	}
}

func TestRefundsNeverExceedThePayment(t *testing.T) {
	x := newTill(t)
	p := x.paid(models.Order{}, "")
	var accepted atomic.Int32
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			r, err := x.payments.Refund(t.Context(), models.Refund{PaymentID: p.ID, Amount: 30})
			switch {
			case err == nil:
				accepted.Add(1)
				x.wait(r.TaskID)
			case models.Code(err) != models.CodeConflict:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := accepted.Load(); n != 3 {
		t.Errorf("%d refunds of 30 of 100 were accepted", n)
	}
	if r := x.refunded(p.ID, 0); r.Amount != 10 {
		t.Errorf("the last refund is of %d, want 10", r.Amount)
	}
	x.checkBalance(p.ID, 100, 100)
	for _, amount := range []int64{0, 1, 100} {
		if _, err := x.payments.Refund(t.Context(), models.Refund{PaymentID: p.ID, Amount: amount}); models.Code(err) != models.CodeConflict {
			t.Errorf("refund of %d of nothing: %v", amount, err)
		}
	}
	if _, err := x.payments.Refund(t.Context(), models.Refund{PaymentID: p.ID, Amount: 101}); models.Code(err) != models.CodeInvalid {
		t.Errorf("refund of more than was paid: %v", err)
	}
	failed := x.paid(models.Order{}, "pm_card_visa_chargeDeclined")
	if _, err := x.payments.Refund(t.Context(), models.Refund{PaymentID: failed.ID}); models.Code(err) != models.CodeConflict {
		t.Errorf("refund of a failed payment: %v", err)
	}
	if _, err := x.payments.Refund(t.Context(), models.Refund{PaymentID: "pay_nope"}); models.Code(err) != models.CodeNotFound {
		t.Errorf("refund of no payment: %v", err)
	}
	if _, err := x.payments.GetRefund(t.Context(), failed.ID, x.refundsOf(p.ID, models.RefundFilter{})[0].ID); models.Code(err) != models.CodeNotFound {
		t.Errorf("refund of another payment: %v", err)
	}
	if n := len(x.refundsOf(p.ID, models.RefundFilter{Status: models.StatusCompleted})); n != 4 {
		t.Errorf("%d refunds are listed, want 4", n)
	}
}

func (x *till) refundsOf(paymentID string, f models.RefundFilter) []models.Refund {
	x.t.Helper()
	list, err := x.payments.ListRefunds(x.t.Context(), paymentID, f, models.Page{Limit: 100})
	if err != nil {
		x.t.Fatal(err)
	}
	return list.Items
}

// TestFailedRefund shows that a refund which was surely not made can be asked
// for again, and one that may have been made cannot.
func TestFailedRefund(t *testing.T) {
	x := newTill(t)
	p := x.paid(models.Order{}, "")
	x.provider.disturb(func(a ask) fault { return brokenAfter })
	unknown := x.refunded(p.ID, 60)
	if unknown.Task.ErrorCode != stripeclient.CodeProviderUnavailable || x.find(p.ID).Refunded != 60 {
		t.Errorf("the refund failed with %q, and %d are refunded", unknown.Task.ErrorCode, x.find(p.ID).Refunded)
	}
	x.provider.disturb(nil)
	elsewhere := models.Payment{ID: p.ID, ProviderID: p.ProviderID}
	if _, err := x.stripe.Refund(t.Context(), elsewhere, 40, "", "from the dashboard"); err != nil {
		t.Fatal(err)
	}
	known := x.refunded(p.ID, 40)
	if known.Task.ErrorCode != stripeclient.CodeAlreadyRefunded || x.find(p.ID).Refunded != 60 {
		t.Errorf("the refund failed with %q, and %d are refunded", known.Task.ErrorCode, x.find(p.ID).Refunded)
	}
	x.checkBalance(p.ID, 100, 100)
}

func TestDeletePayment(t *testing.T) {
	x := newTill(t)
	order := x.order()
	p := x.paid(order, "")
	if err := x.payments.Delete(t.Context(), p.ID); models.Code(err) != models.CodeConflict {
		t.Errorf("deleting a payment that pays an order: %v", err)
	}
	hold := make(chan struct{})
	x.provider.disturb(func(ask) fault { <-hold; return healthy })
	r, err := x.payments.Refund(t.Context(), models.Refund{PaymentID: p.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.payments.Delete(t.Context(), p.ID); models.Code(err) != models.CodeConflict {
		t.Errorf("deleting a payment that is being refunded: %v", err)
	}
	processing, err := x.pay(models.Order{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := x.payments.Delete(t.Context(), processing.ID); models.Code(err) != models.CodeConflict {
		t.Errorf("deleting a payment that is processing: %v", err)
	}
	close(hold)
	x.wait(r.TaskID)
	if err := x.payments.Delete(t.Context(), p.ID); err != nil {
		t.Errorf("deleting a payment that was given back: %v", err)
	}
	if _, err := x.payments.Get(t.Context(), p.ID); models.Code(err) != models.CodeNotFound {
		t.Errorf("after that: %v", err)
	}
	if _, err := x.tasks.Get(t.Context(), r.TaskID); err != nil {
		t.Errorf("the refund's task: %v", err)
	}
	x.wait(processing.TaskID)
	if err := x.payments.Delete(t.Context(), "pay_nope"); models.Code(err) != models.CodeNotFound {
		t.Errorf("deleting nothing: %v", err)
	}
	if err := x.orders.Delete(t.Context(), x.paidOrder()); err != nil {
		t.Errorf("deleting an order that is paid: %v", err)
	}
}

func (x *till) paidOrder() string {
	x.t.Helper()
	order := x.order()
	x.paid(order, "")
	return order.ID
}

func TestListPayments(t *testing.T) {
	x := newTill(t)
	order := x.order()
	failed := x.paid(order, "pm_card_visa_chargeDeclined")
	paid := x.paid(order, "")
	yen, err := x.payments.Create(t.Context(), models.Payment{Amount: 100, Currency: "JPY"})
	if err != nil {
		t.Fatal(err)
	}
	x.wait(yen.TaskID)
	tests := []struct {
		name   string
		filter models.PaymentFilter
		want   []string
	}{
		{"all", models.PaymentFilter{}, []string{yen.ID, paid.ID, failed.ID}},
		{"status", models.PaymentFilter{Status: models.StatusFailed}, []string{failed.ID}},
		{"order", models.PaymentFilter{OrderID: order.ID}, []string{paid.ID, failed.ID}},
		{"order and status", models.PaymentFilter{OrderID: order.ID, Status: models.StatusCompleted}, []string{paid.ID}},
		{"currency", models.PaymentFilter{Currency: "JPY"}, []string{yen.ID}},
		{"nothing", models.PaymentFilter{OrderID: "ord_nope"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			page := models.Page{Limit: 1}
			for {
				list, err := x.payments.List(t.Context(), test.filter, page)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range list.Items {
					got = append(got, p.ID)
				}
				if page.Cursor = list.Next; page.Cursor == "" {
					break
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("listed %v, want %v", got, test.want)
			}
		})
	}
}
