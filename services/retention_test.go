package services

import (
	"net/http"
	"testing"
	"time"

	"petstore/models"
)

// TestRetention: what has ended and is old goes, with all that belongs to it; what is
// processing, young, or still to be delivered stays.
func TestRetention(t *testing.T) {
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		if a.OrderID == "ord_refused" {
			w.WriteHeader(500)
		}
	})
	e := newEngine(t, options{waits: []time.Duration{time.Hour}})
	e.product("dog-food", 10)
	old := e.order(rc.URL, "dog-food")
	e.ended(old.TaskID)
	e.delivered(old.TaskID)
	pending := e.order("http://127.0.0.1:1/", "dog-food")
	e.ended(pending.TaskID)
	ago := models.Now().Add(-48 * time.Hour)
	e.drain()
	e.exec("UPDATE tasks SET updated_at = ?", ago)
	e.start()
	young := e.order(rc.URL, "dog-food")
	e.ended(young.TaskID)
	e.delivered(young.TaskID)
	r := NewRetention(e.store, 24*time.Hour)
	if n, err := r.sweep(within(t)); n != 1 || err != nil {
		t.Fatalf("%d removed, %v", n, err)
	}
	if _, err := e.orders.Get(within(t), old.ID); models.Code(err) != models.CodeNotFound {
		t.Errorf("the old order: %v", err)
	}
	for _, order := range []models.Order{pending, young} {
		if _, err := e.orders.Get(within(t), order.ID); err != nil {
			t.Error(err)
		}
	}
	for table, want := range map[string]int64{"tasks": 2, "orders": 2, "order_items": 2, "updates": 6, "deliveries": 2} {
		var n int64
		if err := e.store.Read(within(t)).Table(table).Count(&n).Error; err != nil || n != want {
			t.Errorf("%d rows in %s, want %d (%v)", n, table, want, err)
		}
	}
	var orphans int64
	if err := e.store.Read(within(t)).Table("attempts").Where("delivery_id NOT IN (SELECT id FROM deliveries)").Count(&orphans).Error; err != nil || orphans > 0 {
		t.Errorf("%d attempts without a delivery, %v", orphans, err)
	}
}

// TestRetentionOfPayments: an order that is paid goes after its payment, and a refund's
// task after both.
func TestRetentionOfPayments(t *testing.T) {
	x := newTill(t)
	p := x.paid(x.order(), "")
	x.refunded(p.ID, 10)
	err := x.store.InTx(within(t), func(tx *models.Tx) error {
		return tx.Exec("UPDATE tasks SET updated_at = ?", models.Now().Add(-48*time.Hour)).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	r := NewRetention(x.store, 24*time.Hour)
	for range 3 { // what was in use goes with the next look
		if _, err := r.sweep(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"tasks", "orders", "payments", "refunds", "updates"} {
		var n int64
		if err := x.store.Read(within(t)).Table(table).Count(&n).Error; err != nil || n != 0 {
			t.Errorf("%d rows are left in %s (%v)", n, table, err)
		}
	}
}
