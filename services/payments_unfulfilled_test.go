package services

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/stripeclient"
	"petstore/services/task"
)

// TestFailedOrderCostsNothing (security 1) has an order fail at each moment of its payment.
// Whoever pays is not charged, or has it back without asking, and is told.
func TestFailedOrderCostsNothing(t *testing.T) {
	const toldOfRefund = "refund.created"
	tests := []struct {
		moment string // of the payment at which the order fails
		code   string // of the payment
		told   string // what the payment's task or its refund tells
	}{
		{"create", codeOrderEnded, "Nothing was charged"},
		{"confirm", "", toldOfRefund},
		{"end", "", toldOfRefund},
		{"refund", "", toldOfRefund}, // of a part, which somebody has asked for
	}
	for _, test := range tests {
		t.Run(test.moment, func(t *testing.T) {
			x := newTill(t)
			order, fail := x.orderThatFails()
			ended := false
			end := func() {
				if !ended {
					ended = true
					fail()
				}
			}
			x.provider.disturb(func(a ask) fault {
				if a.what == test.moment {
					end()
				}
				return healthy
			})
			p := x.paid(order, "")
			switch test.moment {
			case "end":
				end()
			case "refund":
				x.refunded(p.ID, 1000)
			}
			if p.Task.ErrorCode != test.code {
				t.Errorf("the payment ended with %q: %s", p.Task.ErrorCode, p.Task.ErrorMessage)
			}
			x.checkGivenBack(order, p, test.told)
		})
	}
}

// orderThatFails places an order that is packed until fail is called, which returns when
// it has failed.
func (x *till) orderThatFails() (order models.Order, fail func()) {
	x.t.Helper()
	end := make(chan struct{})
	packing := NewPacking(x.store, x.tasks, 0)
	packing.Run = func(ctx context.Context, _ *models.Task, _ task.Progress) (any, error) {
		select {
		case <-end:
			return nil, &callbacks.Error{Code: CodeOutOfStock, Message: "There are not 1 of dog-food in stock"}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	x.tasks.Register(packing)
	order, err := x.orders.Create(within(x.t), models.NewOrder{Lines: []models.OrderLine{{Product: "dog-food", Quantity: 1}}})
	if err != nil {
		x.t.Fatal(err)
	}
	return order, func() {
		close(end)
		if ended := x.wait(order.TaskID); ended.Status != models.StatusFailed {
			x.t.Errorf("the order is %s", ended.Status)
		}
	}
}

// checkGivenBack checks that a payment of an order that failed costs nothing, and that
// somebody was told so.
func (x *till) checkGivenBack(order models.Order, p models.Payment, told string) {
	x.t.Helper()
	said := x.told(p.TaskID)
	for _, r := range x.refundsOf(p.ID, models.RefundFilter{}) {
		x.wait(r.TaskID)
		said = append(said, x.told(r.TaskID)...)
	}
	if charged, refunded := x.provider.balance(p.ID); charged != refunded {
		x.t.Errorf("%d charged and %d given back", charged, refunded)
	}
	if o := x.findOrder(order.ID); o.PaymentID != "" {
		x.t.Errorf("the order is paid by %s", o.PaymentID)
	}
	if all := strings.Join(append(said, p.Task.ErrorMessage), "\n"); !strings.Contains(all, told) {
		x.t.Errorf("told %q, want %q", all, told)
	}
	if err := x.orders.Delete(within(x.t), order.ID); err != nil {
		x.t.Errorf("the order cannot be deleted: %v", err)
	}
}

// TestUnaskedRefundKeepsQuiet: who wants no progress of a payment gets none of its refund, either.
func TestUnaskedRefundKeepsQuiet(t *testing.T) {
	for picked, told := range map[string]string{"": "[]", "payment.failed": "[refund.completed refund.failed]"} {
		x := newTill(t)
		order, fail := x.orderThatFails()
		asked := models.Payment{Amount: order.Total, OrderID: order.ID, Task: models.Task{CallbackURL: "http://127.0.0.1:1/x", CallbackEvents: strings.Fields(picked)}}
		p, err := x.payments.Create(within(t), asked)
		if err != nil {
			t.Fatal(err)
		}
		x.wait(p.TaskID)
		fail()
		refunds := x.refundsOf(p.ID, models.RefundFilter{})
		if len(refunds) != 1 {
			t.Fatalf("the refunds are %+v", refunds)
		}
		if got := fmt.Sprint(x.wait(refunds[0].TaskID).CallbackEvents); got != told {
			t.Errorf("picked %q, told of %s, want %s", picked, got, told)
		}
	}
}

// TestPaidAndOutOfStock (security 1) is the attack itself: orders of what is not there, each
// paid at once.
func TestPaidAndOutOfStock(t *testing.T) {
	x := newTill(t)
	if err := x.store.InTx(within(t), func(tx *models.Tx) error { return tx.Exec("UPDATE products SET stock = 0").Error }); err != nil {
		t.Fatal(err)
	}
	var payments []models.Payment
	var orders []models.Order
	for range 20 {
		order, err := x.orders.Create(within(t), models.NewOrder{Lines: []models.OrderLine{{Product: "dog-food", Quantity: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := x.pay(order, ""); err == nil {
			orders, payments = append(orders, order), append(payments, p)
		} else if models.Code(err) != models.CodeConflict {
			t.Fatal(err)
		}
	}
	for i, p := range payments {
		x.wait(orders[i].TaskID)
		x.wait(p.TaskID)
		x.checkGivenBack(orders[i], x.find(p.ID), "")
	}
}

// TestFailedOrderAndOutage (security 1): the payment's outcome is unknown when its order
// fails, and what it has charged is given back once.
func TestFailedOrderAndOutage(t *testing.T) {
	x := newTill(t)
	order, fail := x.orderThatFails()
	x.provider.disturb(outOfOrderFor("confirm", "find", brokenAfter))
	p := x.paid(order, "")
	if p.Task.ErrorCode != stripeclient.CodeProviderUnavailable {
		t.Fatalf("the payment is %s: %s", p.Task.Status, p.Task.ErrorCode)
	}
	fail()
	x.provider.disturb(nil)
	x.reversal(p.ID)
	x.checkBalance(p.ID, order.Total, order.Total)
}

// TestRefusedRefundOfAFailedOrder (security 1): a refund that was under way when the order
// failed is refused. What it was to give back is given back all the same, and a refund that
// is made without being asked for is not repeated for ever.
func TestRefusedRefundOfAFailedOrder(t *testing.T) {
	x := newTill(t)
	order, fail := x.orderThatFails()
	p := x.paid(order, "")
	elsewhere := models.Payment{ID: p.ID, ProviderID: p.ProviderID}
	if _, err := x.stripe.Refund(t.Context(), elsewhere, order.Total, "", "from the dashboard"); err != nil {
		t.Fatal(err)
	}
	fail()
	// The automatic refund is refused: all is given back already.
	refunds := x.refundsOf(p.ID, models.RefundFilter{})
	if len(refunds) != 1 || refunds[0].Reason != reasonUnfulfilled {
		t.Fatalf("the refunds are %+v", refunds)
	}
	if ended := x.wait(refunds[0].TaskID); ended.ErrorCode != stripeclient.CodeAlreadyRefunded {
		t.Errorf("the refund ended with %q", ended.ErrorCode)
	}
	// So is one that somebody asks for, which is followed by an automatic one, once.
	asked := x.refunded(p.ID, 1)
	if asked.Task.ErrorCode != stripeclient.CodeAlreadyRefunded {
		t.Errorf("the refund ended with %q", asked.Task.ErrorCode)
	}
	refunds = x.refundsOf(p.ID, models.RefundFilter{})
	reasons := make([]string, len(refunds))
	for i, r := range refunds {
		x.wait(r.TaskID)
		reasons[i] = r.Reason
	}
	if want := []string{reasonUnfulfilled, "", reasonUnfulfilled}; !slices.Equal(reasons, want) {
		t.Errorf("the reasons are %q, want %q", reasons, want)
	}
	x.checkBalance(p.ID, order.Total, order.Total)
}
