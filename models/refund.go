package models

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Refund gives back a payment or a part of it. How far it has come is told by
// its task.
type Refund struct {
	ID         string
	PaymentID  string
	Payment    Payment
	TaskID     string
	Task       Task
	Amount     int64  // in the smallest unit of the payment's currency
	Reason     string // duplicate, fraudulent or requested_by_customer; "" for none
	ProviderID string // what the provider calls it, "" until it is made
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// RefundFilter narrows a list of refunds of one payment; zero values narrow nothing.
type RefundFilter struct{ Status string }

// TakeRefund takes amount from what is left of a payment, and reports false when
// there is not that much. It reads and writes in one statement, so that refunds
// never exceed the payment.
func TakeRefund(tx *Tx, paymentID string, amount int64) (bool, error) {
	res := tx.Exec("UPDATE payments SET refunded = refunded + ?, updated_at = ? WHERE id = ? AND refunded + ? <= amount",
		amount, Now(), paymentID, amount)
	if res.Error != nil {
		return false, fmt.Errorf("taking a refund from payment %s: %w", paymentID, res.Error)
	}
	return res.RowsAffected == 1, nil
}

// ReturnRefund gives back what TakeRefund took.
func ReturnRefund(tx *Tx, r Refund) error {
	err := tx.Exec("UPDATE payments SET refunded = refunded - ?, updated_at = ? WHERE id = ?", r.Amount, Now(), r.PaymentID).Error
	return wrap(err, "returning refund %s", r.ID)
}

// FindRefund finds a refund with its task and its payment.
func FindRefund(db *gorm.DB, id string) (Refund, error) {
	return take[Refund](db.Joins("Task").Joins("Payment").Where("refunds.id = ?", id), "refund", id)
}

// ListRefunds lists the refunds of a payment with their tasks, newest first.
func ListRefunds(db *gorm.DB, paymentID string, f RefundFilter, page Page) (List[Refund], error) {
	q := db.Joins("Task").Joins("Payment").Where("refunds.payment_id = ?", paymentID)
	if f.Status != "" {
		q = q.Where(`"Task"."status" = ?`, f.Status)
	}
	return find(q, page, "refunds.id", func(r Refund) string { return r.ID })
}

// CompletedRefunds is the sum of what has been given back of a payment.
func CompletedRefunds(db *gorm.DB, paymentID string) (int64, error) {
	var sum int64
	err := db.Model(&Refund{}).Joins("JOIN tasks ON tasks.id = refunds.task_id").
		Where("refunds.payment_id = ? AND tasks.status = ?", paymentID, StatusCompleted).
		Select("CAST(COALESCE(SUM(refunds.amount), 0) AS BIGINT)").Scan(&sum).Error
	return sum, wrap(err, "adding up the refunds of payment %s", paymentID)
}

// SetRefundProviderID notes what the provider calls a refund.
func SetRefundProviderID(tx *Tx, id, providerID string) error {
	err := tx.Exec("UPDATE refunds SET provider_id = ?, updated_at = ? WHERE id = ?", providerID, Now(), id).Error
	return wrap(err, "noting the provider's id of refund %s", id)
}
