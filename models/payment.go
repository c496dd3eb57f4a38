package models

import (
	"errors"
	"fmt"
	"time"

	"petstore/callbacks"

	"gorm.io/gorm"
)

// Payment is an amount that is charged through a provider. How far it has come
// is told by its task.
type Payment struct {
	ID            string
	TaskID        string
	Task          Task
	OrderID       string // that it pays, "" for none
	ClaimsOrder   bool   // no other payment may pay the order: this one does, or may yet
	Amount        int64  // in the currency's smallest unit
	Currency      string // ISO 4217
	Provider      string
	ProviderID    string // what the provider calls it, "" until it knows of it
	PaymentMethod string // the provider's id of what is charged
	Description   string
	Refunded      int64 // by refunds that are made, or may yet be; at most Amount
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// PaymentFilter narrows a list of payments; zero values narrow nothing.
type PaymentFilter struct {
	Status   string
	OrderID  string
	Currency string
}

// CreatePayment stores a new payment. One that claims an order which another
// payment claims is a conflict.
func CreatePayment(tx *Tx, p *Payment) error {
	err := tx.Omit("Task").Create(p).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return Conflict("Another payment pays the order.")
	}
	return wrap(err, "storing payment %s", p.ID)
}

// FindPayment finds a payment with its task.
func FindPayment(db *gorm.DB, id string) (Payment, error) {
	return take[Payment](db.Joins("Task").Where("payments.id = ?", id), "payment", id)
}

// LockPayment is FindPayment for changes that depend on what it finds: others wait
// until this transaction has ended.
func LockPayment(tx *Tx, id string) (Payment, error) {
	if err := tx.Lock("payments", id); err != nil {
		return Payment{}, err
	}
	return FindPayment(tx.DB, id)
}

// FindClaim finds the payment that claims an order, if one does.
func FindClaim(db *gorm.DB, orderID string) (p Payment, found bool, err error) {
	err = db.Joins("Task").Where("payments.order_id = ? AND payments.claims_order", orderID).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, false, nil
	}
	return p, true, wrap(err, "finding the payment of order %s", orderID)
}

// ListPayments lists payments with their tasks, newest first.
func ListPayments(db *gorm.DB, f PaymentFilter, page Page) (List[Payment], error) {
	q := db.Joins("Task")
	if f.OrderID != "" { // whose payments are few
		q = q.Where("payments.order_id = ? AND payments.order_id <> ''", f.OrderID)
		if f.Status != "" {
			q, f.Status = q.Where(`"Task"."status" = ?`, f.Status), ""
		}
	}
	return findResources(q, callbacks.KindPayment, f.Status, "currency", f.Currency, page, func(p Payment) string { return p.ID })
}

// SetPaymentProviderID notes what the provider calls a payment.
func SetPaymentProviderID(tx *Tx, id, providerID string) error {
	err := tx.Exec("UPDATE payments SET provider_id = ?, updated_at = ? WHERE id = ?", providerID, Now(), id).Error
	return wrap(err, "noting the provider's id of payment %s", id)
}

// SetPaid notes that a payment has paid its order.
func SetPaid(tx *Tx, p Payment) error {
	if p.OrderID == "" {
		return nil
	}
	err := tx.Exec("UPDATE orders SET payment_id = ?, updated_at = ? WHERE id = ?", p.ID, Now(), p.OrderID).Error
	return wrap(err, "noting that order %s is paid", p.OrderID)
}

// ReleaseOrder notes that a payment does not pay its order and never will, so
// that another may.
func ReleaseOrder(tx *Tx, p Payment) error {
	if p.OrderID == "" {
		return nil
	}
	err := tx.Exec("UPDATE payments SET claims_order = ?, updated_at = ? WHERE id = ?", false, Now(), p.ID).Error
	if err == nil {
		err = tx.Exec("UPDATE orders SET payment_id = '', updated_at = ? WHERE id = ? AND payment_id = ?", Now(), p.OrderID, p.ID).Error
	}
	return wrap(err, "releasing order %s from payment %s", p.OrderID, p.ID)
}

// PaymentInUse says why a payment cannot be removed now, "" if it can.
func PaymentInUse(db *gorm.DB, p Payment) (string, error) {
	var tasks, orders int64
	err := db.Model(&Task{}).Where("kind IN ? AND status = ? AND (resource_id = ? OR resource_id IN (?))",
		[]string{callbacks.KindPayment.Name, callbacks.KindRefund.Name, callbacks.KindReversal.Name}, StatusProcessing,
		p.ID, db.Model(&Refund{}).Select("id").Where("payment_id = ?", p.ID)).Count(&tasks).Error
	if err == nil && p.ClaimsOrder {
		err = db.Model(&Order{}).Where("id = ?", p.OrderID).Count(&orders).Error
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("looking for the use of payment %s: %w", p.ID, err)
	case tasks > 0:
		return "The payment, or a refund of it, is processing.", nil
	case orders > 0:
		return fmt.Sprintf("The payment pays order %s: refund it first.", p.OrderID), nil
	}
	return "", nil
}
