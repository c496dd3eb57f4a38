package services

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/postgrestest"
	"petstore/services/task"
)

// newReplicas returns two tills that share a database and a provider.
func newReplicas(t *testing.T) [2]*till {
	t.Helper()
	url, provider := postgrestest.URL(t), newProvider(t)
	return [2]*till{newTillOn(t, url, provider), newTillOn(t, url, provider)}
}

// atOnce calls fn n times side by side, and returns how many were accepted. All
// others must have been refused with a conflict.
func atOnce(t *testing.T, n int, fn func(i int) error) int {
	t.Helper()
	var accepted atomic.Int32
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			switch err := fn(i); {
			case err == nil:
				accepted.Add(1)
			case models.Code(err) != models.CodeConflict:
				t.Error(err)
			}
		})
	}
	all.Wait()
	return int(accepted.Load())
}

// TestReplicasChargeOnce: replicas take payments side by side. Each is charged
// once, and an order is paid by one of them.
func TestReplicasChargeOnce(t *testing.T) {
	x := newReplicas(t)
	order := x[0].order()
	if n := atOnce(t, 20, func(i int) error {
		p, err := x[i%2].pay(order, "")
		if err == nil {
			x[i%2].wait(p.TaskID)
		}
		return err
	}); n != 1 {
		t.Errorf("%d payments of one order were accepted", n)
	}
	begun := time.Now()
	if n := atOnce(t, 20, func(i int) error {
		p, err := x[i%2].pay(models.Order{}, "")
		if err == nil {
			x[(i+1)%2].wait(p.TaskID)
		}
		return err
	}); n != 20 {
		t.Errorf("%d payments were accepted", n)
	}
	if took := time.Since(begun); took > patienceOfTests/2 {
		t.Errorf("waiting for what the other replica does took %v", took)
	}
	x[0].checkBalance("", order.Total+20*100, 0)
	if n := len(x[0].provider.asks("confirm")); n != 21 {
		t.Errorf("the provider was asked %d times to charge", n)
	}
}

// TestReplicasRefundOnce: of a payment, replicas give back what was paid and no
// more; then its order is free for another payment.
func TestReplicasRefundOnce(t *testing.T) {
	t.Parallel()
	x := newReplicas(t)
	order := x[0].order()
	p := x[0].paid(order, "")
	const shares = 8
	all := make(chan struct{})
	x[0].provider.disturb(func(a ask) fault {
		if a.n == shares+1 {
			close(all)
		}
		<-all
		return healthy
	})
	if n := atOnce(t, 20, func(i int) error {
		amount := order.Total / shares
		if i == 0 {
			amount = order.Total % shares
		}
		r, err := x[i%2].payments.Refund(t.Context(), models.Refund{PaymentID: p.ID, Amount: amount})
		if err == nil {
			x[i%2].wait(r.TaskID)
		}
		return err
	}); n != shares+1 {
		t.Errorf("%d refunds were accepted", n)
	}
	x[0].checkBalance(p.ID, order.Total, order.Total)
	if p = x[0].find(p.ID); p.Refunded != order.Total || p.ClaimsOrder || x[0].findOrder(order.ID).PaymentID != "" {
		t.Errorf("all was given back, and the payment is %+v", p)
	}
}

// TestRefundsThatEndAtOnce: neither sees the end of the other before it has stored
// its own, and yet the order is released.
func TestRefundsThatEndAtOnce(t *testing.T) {
	t.Parallel()
	x := newTillOn(t, postgrestest.URL(t), newProvider(t))
	order := x.order()
	p := x.paid(order, "")
	operations := NewCharging(x.store, x.tasks, x.stripe)
	refund := operations[slices.IndexFunc(operations, func(o task.Operation) bool { return o.Kind == callbacks.KindRefund.Name })]
	var met, both sync.WaitGroup
	var ended atomic.Int32
	met.Add(2)
	for _, amount := range []int64{1000, order.Total - 1000} {
		r, err := models.FindRefund(x.store.Read(t.Context()), x.pendingRefund(p.ID, amount))
		if err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		both.Go(func() {
			err := x.store.InTx(t.Context(), func(tx *models.Tx) error {
				if err := tx.Exec("SELECT 1").Error; err != nil { // a transaction of its own
					return err
				}
				ending := r.Task
				ending.Status = models.StatusCompleted
				ending.Sequence++
				if _, err := models.AdvanceTask(tx, &ending); err != nil {
					return err
				}
				once.Do(func() { met.Done(); met.Wait() })
				if err := refund.Ended(tx, &ending); err != nil {
					return err
				}
				ended.Add(1)
				return x.until(func() bool { return ended.Load() == 2 || x.blocked() }) // not stored before the other has ended, if it can
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if x.find(p.ID).ClaimsOrder || x.findOrder(order.ID).PaymentID != "" {
		t.Error("all was given back, and the payment still pays the order")
	}
}

// until waits for what another transaction does.
func (x *till) until(is func() bool) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for ctx := within(x.t); !is(); {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// blocked reports whether a transaction waits for another.
func (x *till) blocked() bool {
	var blocked int
	err := x.store.Read(x.t.Context()).Raw(`SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`).Row().Scan(&blocked)
	if err != nil {
		x.t.Error(err)
	}
	return blocked > 0
}

// TestPaymentIsNotDeletedUnderItsRefund: whichever comes first, a refund that was
// accepted has its payment.
func TestPaymentIsNotDeletedUnderItsRefund(t *testing.T) {
	t.Parallel()
	x := newTillOn(t, postgrestest.URL(t), newProvider(t))
	for range 10 {
		p := x.paid(models.Order{}, "")
		var refund models.Refund
		var refunding, deleting error
		var both sync.WaitGroup
		both.Go(func() { refund, refunding = x.payments.Refund(t.Context(), models.Refund{PaymentID: p.ID}) })
		both.Go(func() { deleting = x.payments.Delete(t.Context(), p.ID) })
		both.Wait()
		switch {
		case refunding == nil:
			if task := x.wait(refund.TaskID); task.Status != models.StatusCompleted {
				t.Errorf("the refund is %s, %s; deleting: %v", task.Status, task.ErrorMessage, deleting)
			}
		case models.Code(refunding) != models.CodeNotFound || deleting != nil:
			t.Error(refunding, deleting)
		}
	}
}

// TestTwoRunsTakeTheStockOnce: a server that is taken for dead and lives may work
// on an order beside another.
func TestTwoRunsTakeTheStockOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{url: postgrestest.URL(t), idle: true})
	if err := e.products.Seed(within(t)); err != nil {
		t.Fatal(err)
	}
	order, err := e.orders.Create(within(t), models.NewOrder{Lines: []models.OrderLine{{Product: "cat-tree", Quantity: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	before, err := e.products.Get(within(t), "cat-tree")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := e.store.InTx(within(t), func(tx *models.Tx) error { return reserve(tx, order) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if after, err := e.products.Get(within(t), "cat-tree"); err != nil || after.Stock != before.Stock-2 {
		t.Errorf("%d of %d are left, %v", after.Stock, before.Stock, err)
	}
}

// TestReplicasShareTheStock: orders that name the same products crosswise do not
// block each other, and sell each item once.
func TestReplicasShareTheStock(t *testing.T) {
	t.Parallel()
	const stock, orders = 30, 40
	url := postgrestest.URL(t)
	e := [2]*engine{newEngine(t, options{url: url}), newEngine(t, options{url: url})}
	products := []string{"a", "b", "c"}
	for _, slug := range products {
		e[0].product(slug, stock)
	}
	var completed atomic.Int32
	atOnce(t, orders, func(i int) error {
		slugs := []string{products[i%3], products[(i+1+i%2)%3]} // ab, ca, …: each pair both ways
		task := e[i%2].ended(e[i%2].order("", slugs...).TaskID)
		switch {
		case task.Status == models.StatusCompleted:
			completed.Add(1)
		case task.ErrorCode != CodeOutOfStock:
			return errors.New(task.ErrorCode)
		}
		return nil
	})
	left := int64(0)
	for _, slug := range products {
		left += e[0].stock(slug)
	}
	if sold := 2 * int64(completed.Load()); left+sold != int64(len(products)*stock) {
		t.Errorf("%d are left of %d, and %d were sold", left, len(products)*stock, sold)
	}
}

// TestReplicasKeepTheLimit: webhooks that are registered side by side are no more
// than there can be.
func TestReplicasKeepTheLimit(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{url: postgrestest.URL(t), idle: true})
	webhooks, err := NewWebhooks(within(t), e.store, e.tasks, e.dispatcher)
	if err != nil {
		t.Fatal(err)
	}
	n := atOnce(t, models.MaxWebhooks+20, func(i int) error {
		_, err := webhooks.Create(within(t), models.NewWebhook{URL: fmt.Sprint("http://127.0.0.1:1/", i), Events: []string{"*"}, Enabled: true})
		return err
	})
	if n != models.MaxWebhooks {
		t.Errorf("%d webhooks were registered", n)
	}
}
