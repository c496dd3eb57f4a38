package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/stripeclient"
	"petstore/services/task"
)

// TestOutages puts the provider out of order in different ways. Whatever it
// does, a payment that is completed was charged once, and one that failed costs
// nothing in the end.
func TestOutages(t *testing.T) {
	t.Parallel()
	first := func(n int, what string, f fault) func(ask) fault {
		return func(a ask) fault {
			if a.what == what && a.n <= n {
				return f
			}
			return healthy
		}
	}
	tests := []struct {
		name  string
		fault func(ask) fault
		code  string // of the failure, "" for completed
	}{
		{"down at first", first(2, "create", unavailable), ""},
		{"breaks at first", first(3, "create", brokenBefore), ""},
		{"too busy at first", first(2, "create", busy), ""},
		{"too busy in the middle", first(2, "confirm", busy), ""},
		{"the intent's answer is lost", first(3, "create", brokenAfter), ""},
		{"down in the middle", first(2, "confirm", unavailable), ""},
		{"the charge's answer is lost", first(3, "confirm", brokenAfter), ""},
		{"the charge is done and reported as failed", first(1, "confirm", failedAfter), ""},
		{"the charge is done and always reported as failed", first(99, "confirm", failedAfter), ""}, // as Stripe does, under one key
		{"down for good", func(ask) fault { return unavailable }, stripeclient.CodeProviderUnavailable},
		{"breaks for good", func(ask) fault { return brokenBefore }, stripeclient.CodeProviderUnavailable},
		{"every answer is lost", func(ask) fault { return brokenAfter }, stripeclient.CodeProviderUnavailable},
		{"no charge comes through", first(99, "confirm", brokenBefore), stripeclient.CodeProviderUnavailable},
		{"goes away before the charge", outOfOrderFor("confirm", "find", brokenBefore), stripeclient.CodeProviderUnavailable},
		{"goes away after the charge", outOfOrderFor("confirm", "find", brokenAfter), stripeclient.CodeProviderUnavailable},
		{"goes mad after the charge", outOfOrderFor("confirm", "find", failedAfter), stripeclient.CodeProviderUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := newTill(t)
			order := x.order()
			x.provider.disturb(test.fault)
			p := x.paid(order, "")
			x.provider.disturb(nil)
			if p.Task.ErrorCode != test.code {
				t.Fatalf("the payment failed with %q: %s", p.Task.ErrorCode, p.Task.ErrorMessage)
			}
			told := strings.Join(x.told(p.TaskID), "\n")
			if !strings.Contains(told, "Stripe does not answer: attempt 2 of 4 follows") {
				t.Errorf("the outage is not told: %s", told)
			}
			if test.code == "" {
				x.checkBalance(p.ID, order.Total, 0)
				return
			}
			if n := strings.Count(told, "follows"); n != 3 {
				t.Errorf("%d more attempts are told, want 3: %s", n, told)
			}
			if p.ProviderID != "" {
				if again, err := x.pay(order, ""); err == nil {
					if _, done := x.provider.balance(p.ID); done == 0 && x.reversal(p.ID).Status != models.StatusCompleted {
						t.Errorf("payment %s was accepted before the first was reversed", again.ID)
					}
					x.wait(again.TaskID)
				} else if models.Code(err) != models.CodeConflict {
					t.Error(err)
				}
				if task := x.reversal(p.ID); task.Status != models.StatusCompleted {
					t.Errorf("the reversal is %s: %s", task.Status, task.ErrorCode)
				}
			}
			if charged, refunded := x.provider.balance(p.ID); charged != refunded {
				t.Errorf("%d charged and %d given back", charged, refunded)
			}
			if x.findOrder(order.ID).PaymentID == "" {
				if second := x.paid(order, ""); second.Task.Status != models.StatusCompleted {
					t.Errorf("after that the order is paid: %s", second.Task.ErrorCode)
				}
			}
			charged, refunded := x.provider.balance("")
			if charged-refunded != order.Total {
				t.Errorf("the customer has paid %d - %d, want %d", charged, refunded, order.Total)
			}
		})
	}
}

var errKilled = errors.New("killed")

// TestKilledAnywhere interrupts the operation at each of its reports, before and
// after what the report stores, and runs it again: the payment is charged once
// and refunded once.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{callbacks.KindPayment.Name, callbacks.KindRefund.Name} {
		for moment := range 10 {
			t.Run(fmt.Sprint(kind, " ", moment), func(t *testing.T) {
				x := newTill(t)
				p := x.paid(models.Order{}, "pm_card_visa")
				var id string
				if kind == callbacks.KindRefund.Name {
					id = x.pendingRefund(p.ID, 30)
				} else {
					id = x.pendingPayment()
				}
				x.runTwice(kind, id, moment)
				charged, refunded := x.provider.balance("")
				if kind == callbacks.KindPayment.Name && (charged != 200 || refunded != 0) || kind == callbacks.KindRefund.Name && (charged != 100 || refunded != 30) {
					t.Errorf("%d charged and %d given back", charged, refunded)
				}
			})
		}
	}
}

// pendingPayment stores a payment that nobody works on.
func (x *till) pendingPayment() string {
	x.t.Helper()
	p := models.Payment{ID: models.NewID(callbacks.KindPayment.Prefix), Amount: 100, Currency: "USD", Provider: ProviderStripe, PaymentMethod: "pm_card_visa"}
	p.TaskID = x.pendingTask(callbacks.KindPayment.Name, p.ID)
	if err := x.store.InTx(x.t.Context(), func(tx *models.Tx) error { return models.CreatePayment(tx, &p) }); err != nil {
		x.t.Fatal(err)
	}
	return p.ID
}

func (x *till) pendingRefund(paymentID string, amount int64) string {
	x.t.Helper()
	r := models.Refund{ID: models.NewID(callbacks.KindRefund.Prefix), PaymentID: paymentID, Amount: amount}
	r.TaskID = x.pendingTask(callbacks.KindRefund.Name, r.ID)
	if err := x.store.InTx(x.t.Context(), func(tx *models.Tx) error { return models.Create(tx, &r) }); err != nil {
		x.t.Fatal(err)
	}
	return r.ID
}

func (x *till) pendingTask(kind, resourceID string) string {
	x.t.Helper()
	task := models.Task{ID: models.NewID(models.PrefixTask), Kind: kind, ResourceID: resourceID, Status: models.StatusProcessing, Metadata: models.Metadata{}}
	if err := x.store.InTx(x.t.Context(), func(tx *models.Tx) error { return models.CreateTask(tx, &task) }); err != nil {
		x.t.Fatal(err)
	}
	return task.ID
}

// runTwice runs an operation, kills it at a moment, and runs it again. Even
// moments are before a report, odd ones after it; those beyond the last report
// are after the end of the operation, before the engine has noted it.
func (x *till) runTwice(kind, resourceID string, moment int) {
	x.t.Helper()
	operations := NewCharging(x.store, x.tasks, x.stripe)
	i := slices.IndexFunc(operations, func(o task.Operation) bool { return o.Kind == kind })
	task := &models.Task{ResourceID: resourceID}
	at := 0
	dying := func(_ int, _ string, also ...func(tx *models.Tx) error) error {
		defer func() { at += 2 }()
		if at == moment {
			return errKilled
		}
		if err := x.store.InTx(x.t.Context(), everyOne(also)); err != nil {
			return err
		}
		if at+1 == moment {
			return errKilled
		}
		return nil
	}
	if _, err := operations[i].Run(x.t.Context(), task, dying); err != nil && !errors.Is(err, errKilled) {
		x.t.Fatal(err)
	}
	moment = -1
	if _, err := operations[i].Run(x.t.Context(), task, dying); err != nil {
		x.t.Fatal(err)
	}
}

func everyOne(fns []func(tx *models.Tx) error) func(tx *models.Tx) error {
	return func(tx *models.Tx) error {
		for _, fn := range fns {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestInterruptedPayment shows that a shutdown in the middle of an outage is no
// failure of the payment.
func TestInterruptedPayment(t *testing.T) {
	x := newTill(t)
	x.stripe.Backoff = slices.Repeat(x.stripe.Backoff, 1000)
	came := make(chan struct{}, 10_000)
	x.provider.disturb(func(ask) fault { came <- struct{}{}; return unavailable })
	ctx, cancel := context.WithCancel(t.Context())
	id := x.pendingPayment()
	go func() {
		<-came
		<-came
		cancel()
	}()
	operations := NewCharging(x.store, x.tasks, x.stripe)
	_, err := operations[0].Run(ctx, &models.Task{ResourceID: id}, func(int, string, ...func(tx *models.Tx) error) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
