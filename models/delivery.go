package models

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"gorm.io/gorm"
)

// Statuses of a delivery. Only pending is followed by another status by itself;
// a redelivery makes any other one pending again.
const (
	DeliveryPending    = "pending"    // to be sent, for the first time or again
	DeliveryDelivered  = "delivered"  // the receiver answered 2xx
	DeliverySuperseded = "superseded" // progress that a newer update has overtaken
	DeliveryExhausted  = "exhausted"  // the last attempt has failed
	DeliveryGone       = "gone"       // the receiver answered 410, or its webhook is deleted or disabled
)

// Delivery is one update on its way to one target: the callback URL of its task,
// or a webhook. It keeps the state; its attempts keep the history.
type Delivery struct {
	ID            string
	UpdateID      int64
	Update        Update
	CallbackID    string
	TaskID        string
	Type          string // of the update
	WebhookID     string // "" for the task's callback URL
	URL           string
	Status        string
	Attempts      int        // made so far
	Round         int        // attempts since it was created or redelivered; the retry schedule counts these
	NextAttemptAt *time.Time // when pending
	Claimed       bool       // when pending: a job is making an attempt, until NextAttemptAt at most
	Replaying     bool       // when pending: it stands in its webhook's line of replays, see webhook_delivery.go
	StatusCode    int        // of the latest answer, 0 for none
	Error         string     // of the latest attempt
	CreatedAt     time.Time
	UpdatedAt     time.Time
	DeliveredAt   *time.Time
}

// Attempt is one try of a delivery.
type Attempt struct {
	DeliveryID string `gorm:"primaryKey"`
	Number     int    `gorm:"primaryKey;autoIncrement:false"` // 1, 2, 3, …
	StartedAt  time.Time
	Duration   time.Duration // of the whole exchange
	Address    string        // that was dialled, ip:port
	StatusCode int           // of the answer, 0 for none
	Headers    http.Header   `gorm:"serializer:json"` // of the answer
	Body       string        // of the answer, its beginning
	Error      string        // why it failed, "" when it did not
}

// Target names whom a delivery is for. The updates of one task reach one target
// in their order.
func (d Delivery) Target() string {
	if d.WebhookID != "" {
		return d.WebhookID
	}
	return d.URL
}

// DeliveryFilter narrows a list of deliveries; zero values narrow nothing.
type DeliveryFilter struct {
	ResourceID string // of an order, …
	TaskID     string
	CallbackID string
	WebhookID  string
	Status     string
	URL        string
}

// FindDelivery finds a delivery with its update.
func FindDelivery(db *gorm.DB, id string) (Delivery, error) {
	var d Delivery
	err := db.Joins("Update").Where("deliveries.id = ?", id).Take(&d).Error
	return d, notFound(err, "delivery", id)
}

// DeliveryAttempts lists the attempts of a delivery, first to last.
func DeliveryAttempts(db *gorm.DB, deliveryID string) ([]Attempt, error) {
	attempts := []Attempt{}
	if err := db.Where("delivery_id = ?", deliveryID).Order("number").Find(&attempts).Error; err != nil {
		return nil, fmt.Errorf("listing attempts of delivery %s: %w", deliveryID, err)
	}
	return attempts, nil
}

// ListDeliveries lists deliveries, newest first.
func ListDeliveries(db *gorm.DB, f DeliveryFilter, page Page) (List[Delivery], error) {
	q := f.narrow(db.Joins("Update"))
	return find(q, page, "deliveries.id", func(d Delivery) string { return d.ID })
}

func (f DeliveryFilter) narrow(q *gorm.DB) *gorm.DB {
	if f.ResourceID != "" {
		q = q.Where("deliveries.task_id IN (?)", q.Session(&gorm.Session{NewDB: true}).Model(&Task{}).Select("id").
			Where("resource_id = ?", f.ResourceID))
	}
	for column, value := range map[string]string{
		"deliveries.task_id": f.TaskID, "deliveries.callback_id": f.CallbackID,
		"deliveries.webhook_id": f.WebhookID, "deliveries.status": f.Status, "deliveries.url": f.URL,
	} {
		if value != "" {
			q = q.Where(column+" = ?", value)
		}
	}
	return q
}

// PendingDeliveries lists the deliveries of a task that are yet to be made, in
// the order of their updates.
func PendingDeliveries(db *gorm.DB, taskID string) ([]Delivery, error) {
	var ds []Delivery
	err := db.Joins("Update").Where("deliveries.task_id = ? AND deliveries.status = ?", taskID, DeliveryPending).
		Order("deliveries.update_id").Find(&ds).Error
	if err != nil {
		return nil, fmt.Errorf("listing pending deliveries of task %s: %w", taskID, err)
	}
	return ds, nil
}

// CreateDelivery stores a delivery that is to be made, unless it is stored already.
func CreateDelivery(tx *Tx, d *Delivery) error {
	_, err := CreateDeliveryOnce(tx, d)
	return err
}

// CreateDeliveryOnce is CreateDelivery; it reports false if it is stored already,
// or its webhook has one of that update.
func CreateDeliveryOnce(tx *Tx, d *Delivery) (bool, error) {
	created, err := tx.exec(`INSERT INTO deliveries (id, update_id, callback_id, task_id, type, webhook_id, url, status, attempts, round,
		next_attempt_at, status_code, error, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, '', ?, ?) ON CONFLICT DO NOTHING`,
		d.ID, d.UpdateID, d.CallbackID, d.TaskID, d.Type, d.WebhookID, d.URL, d.Status, d.NextAttemptAt, d.CreatedAt, d.UpdatedAt)
	if err != nil {
		return false, fmt.Errorf("storing delivery %s: %w", d.ID, err)
	}
	return created == 1, nil
}

// SupersedeDelivery gives up a delivery because a newer update has overtaken it.
func SupersedeDelivery(tx *Tx, id string) error {
	_, err := tx.exec("UPDATE deliveries SET status = ?, next_attempt_at = NULL, updated_at = ? WHERE id = ? AND status = ?",
		DeliverySuperseded, Now(), id, DeliveryPending)
	if err != nil {
		return fmt.Errorf("superseding delivery %s: %w", id, err)
	}
	return nil
}

// SaveAttempt stores an attempt, gives it its number, and stores the state that
// it leaves d in. due is the NextAttemptAt that d had when the attempt began:
// should the delivery have been superseded, renewed or delivered by another
// attempt since, a failure changes that state no more, and ours is false.
func SaveAttempt(tx *Tx, d *Delivery, a *Attempt, due *time.Time) (ours bool, err error) {
	d.UpdatedAt = Now()
	if d.Status == DeliveryDelivered {
		ours, err = true, saveSuccess(tx, d, a)
	} else {
		ours, err = saveFailure(tx, d, a, due)
	}
	if err == nil {
		err = createAttempt(tx, a)
	}
	if err != nil {
		return false, fmt.Errorf("storing an attempt of delivery %s: %w", d.ID, err)
	}
	d.Attempts = a.Number
	return ours, nil
}

func saveSuccess(tx *Tx, d *Delivery, a *Attempt) error {
	stored, err := tx.exec(`UPDATE deliveries SET status = 'delivered', round = ?, status_code = ?, error = ?, next_attempt_at = NULL,
		delivered_at = ?, updated_at = ?, attempts = attempts + 1 WHERE id = ? AND attempts = ?`,
		d.Round, d.StatusCode, d.Error, d.DeliveredAt, d.UpdatedAt, d.ID, d.Attempts)
	if stored == 1 || err != nil {
		a.Number = d.Attempts + 1
		return err
	}
	// Another attempt was made meanwhile.
	return queryRow(tx.DB, `UPDATE deliveries SET status = 'delivered', round = ?, status_code = ?, error = ?, next_attempt_at = NULL,
		delivered_at = ?, updated_at = ?, attempts = attempts + 1 WHERE id = ? RETURNING attempts`,
		d.Round, d.StatusCode, d.Error, d.DeliveredAt, d.UpdatedAt, d.ID).Scan(&a.Number)
}

func saveFailure(tx *Tx, d *Delivery, a *Attempt, due *time.Time) (ours bool, err error) {
	stored, err := tx.exec(`UPDATE deliveries SET status = ?, round = ?, status_code = ?, error = ?, next_attempt_at = ?, claimed = FALSE
		WHERE id = ? AND status = 'pending' AND next_attempt_at = ?`,
		d.Status, d.Round, d.StatusCode, d.Error, d.NextAttemptAt, d.ID, due)
	if err != nil {
		return false, err
	}
	err = queryRow(tx.DB, "UPDATE deliveries SET attempts = attempts + 1, updated_at = ? WHERE id = ? RETURNING attempts",
		d.UpdatedAt, d.ID).Scan(&a.Number)
	return stored == 1, err
}

func createAttempt(tx *Tx, a *Attempt) error {
	if a.Headers == nil {
		a.Headers = http.Header{}
	}
	headers, err := json.Marshal(a.Headers)
	if err == nil {
		_, err = tx.exec(`INSERT INTO attempts (delivery_id, number, started_at, duration, address, status_code, headers, body, error)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			a.DeliveryID, a.Number, a.StartedAt, int64(a.Duration), a.Address, a.StatusCode, string(headers), a.Body, a.Error)
	}
	return err
}

// RenewDelivery makes a delivery pending again, due now, with all its retries. One
// to a webhook goes to where that is now.
func RenewDelivery(tx *Tx, id string) error {
	_, err := renewDelivery(tx.Model(&Delivery{}), id)
	return err
}

// RenewUndelivered is RenewDelivery, unless the delivery was accepted meanwhile or
// stands in a line of replays: false.
func RenewUndelivered(tx *Tx, id string) (bool, error) {
	return renewDelivery(tx.Model(&Delivery{}).Where("status <> 'delivered' AND NOT (status = 'pending' AND replaying)"), id)
}

func renewDelivery(db *gorm.DB, id string) (bool, error) {
	now := Now()
	res := db.Where("id = ?", id).Updates(map[string]any{
		"status": DeliveryPending, "round": 0, "next_attempt_at": now, "updated_at": now, "claimed": false, "replaying": false,
		"url": gorm.Expr("COALESCE((SELECT w.url FROM webhooks w WHERE w.id = deliveries.webhook_id), deliveries.url)"),
	})
	if res.Error != nil {
		return false, fmt.Errorf("renewing delivery %s: %w", id, res.Error)
	}
	return res.RowsAffected == 1, nil
}

// MatchingDeliveries lists the ids of deliveries that f matches and that can be
// made, newest first, limit at most. One to a webhook that is deleted or disabled
// cannot.
func MatchingDeliveries(db *gorm.DB, f DeliveryFilter, limit int) ([]string, error) {
	var ids []string
	err := f.narrow(db.Model(&Delivery{})).
		Where("deliveries.webhook_id = '' OR deliveries.webhook_id IN (SELECT w.id FROM webhooks w WHERE w.disabled_at IS NULL)").
		Order("deliveries.id DESC").Limit(limit).Pluck("deliveries.id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return ids, nil
}

// ClaimDelivery takes a delivery that is due, by making it due again only at
// until, and reports false if another has taken it, it is no longer pending, or it
// stands in a line of replays.
func ClaimDelivery(tx *Tx, id string, until time.Time) (bool, error) {
	return claim(tx, "NOT replaying", id, until)
}

func claim(tx *Tx, condition, id string, until time.Time) (bool, error) {
	now := Now()
	claimed, err := tx.exec(`UPDATE deliveries SET next_attempt_at = ?, claimed = TRUE, updated_at = ?
		WHERE id = ? AND status = 'pending' AND next_attempt_at <= ? AND `+condition, until, now, id, now)
	if err != nil {
		return false, fmt.Errorf("claiming delivery %s: %w", id, err)
	}
	return claimed == 1, nil
}

// FreeClaims makes all deliveries due that are claimed. It is for those who know
// that nobody makes an attempt: the process that did is dead.
func FreeClaims(tx *Tx) error {
	_, err := tx.exec("UPDATE deliveries SET next_attempt_at = ?, claimed = FALSE WHERE status = 'pending' AND claimed", Now())
	if err != nil {
		return fmt.Errorf("freeing the claims on deliveries: %w", err)
	}
	return nil
}
