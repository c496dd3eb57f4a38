package models

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Statuses of a delivery. Only pending is followed by another status by itself;
// a redelivery makes any other one pending again.
const (
	DeliveryPending    = "pending"    // to be sent, for the first time or again
	DeliveryDelivered  = "delivered"  // the receiver answered 2xx
	DeliverySuperseded = "superseded" // progress that a newer update has overtaken
	DeliveryExhausted  = "exhausted"  // the last attempt has failed: a dead letter
	DeliveryGone       = "gone"       // the receiver answered 410, or its webhook is deleted or disabled
)

// Delivery is one update on its way to one target: the callback URL of its task,
// or a webhook. It keeps the state; its attempts keep the history.
type Delivery struct {
	ID           string
	UpdateID     int64
	Update       Update `gorm:"-"`
	CallbackID   string
	TaskID       string
	Sequence     int64  // of the update
	Supersedable bool   // a newer update overtakes it, see Update.Supersedable; false once somebody has asked for it
	Type         string // of the update
	WebhookID    string // "" for the task's callback URL
	URL          string
	Host         string // of URL, see HostOf
	Status       string
	Attempts     int // made so far
	RetryCount   int `gorm:"column:round"` // attempts since it was created or redelivered; the retry schedule counts these
	// NextAttemptAt is when it is due, if it is pending; nil while it waits for an
	// older one of its task, or for its turn in a replay (see webhook_delivery.go).
	NextAttemptAt *time.Time
	// ClaimedBy is the server that sends it, where several share a database. Should
	// that one die, another takes it (services/queue/river/rescuer.go).
	ClaimedBy   string
	Replaying   bool   // when pending: it is in its webhook's replay queue
	StatusCode  int    // of the latest answer, 0 for none
	Error       string // of the latest attempt
	CreatedAt   time.Time
	UpdatedAt   time.Time
	DeliveredAt *time.Time
}

// NewDelivery is a delivery of u that is due now.
func NewDelivery(u Update, webhookID, rawURL string) *Delivery {
	return &Delivery{
		ID: NewID(PrefixDelivery), UpdateID: u.ID, Update: u,
		CallbackID: u.CallbackID, TaskID: u.TaskID, Sequence: u.Sequence, Supersedable: u.Supersedable(), Type: u.Type,
		WebhookID: webhookID, URL: rawURL, Host: HostOf(rawURL),
		Status: DeliveryPending, NextAttemptAt: &u.CreatedAt, CreatedAt: u.CreatedAt, UpdatedAt: u.CreatedAt,
	}
}

// HostOf is what deliveries to a URL share with those to others: a scheme, a host
// and a port.
func HostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
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
	OrderID    string
	TaskID     string
	CallbackID string
	WebhookID  string
	Status     string
	URL        string
}

// FindDelivery finds a delivery with its update.
func FindDelivery(db *gorm.DB, id string) (Delivery, error) {
	ds, err := deliveriesOf(db.Where("id = ?", id))
	if err == nil && len(ds) == 0 {
		err = gorm.ErrRecordNotFound
	}
	if err != nil {
		return Delivery{}, notFound(err, "delivery", id)
	}
	return ds[0], nil
}

// deliveriesOf runs a query for deliveries, and reads their updates.
func deliveriesOf(query *gorm.DB) (ds []Delivery, err error) {
	if err = query.Find(&ds).Error; err == nil {
		err = ReadUpdates(query, ds)
	}
	return ds, err
}

// FindDeliveries finds deliveries by their ids, without their updates.
func FindDeliveries(db *gorm.DB, ids []string) (ds []Delivery, err error) {
	err = db.Where("id IN ?", ids).Find(&ds).Error
	return ds, wrap(err, "finding %d deliveries", len(ids))
}

// ReadUpdates reads the updates of deliveries.
func ReadUpdates(db *gorm.DB, ds []Delivery) error {
	ids := make([]int64, len(ds))
	for i, d := range ds {
		ids[i] = d.UpdateID
	}
	updates, err := updatesByID(db, ids)
	for i := range ds {
		ds[i].Update = updates[ds[i].UpdateID]
	}
	return err
}

// DeliveryAttempts lists the attempts of a delivery, first to last.
func DeliveryAttempts(db *gorm.DB, deliveryID string, page Page) (List[Attempt], error) {
	list, err := findNumbered(db.Where("delivery_id = ?", deliveryID), page, "number", func(a Attempt) int { return a.Number })
	return list, wrap(err, "listing attempts of delivery %s", deliveryID)
}

// ListDeliveries lists deliveries, newest first.
func ListDeliveries(db *gorm.DB, f DeliveryFilter, page Page) (List[Delivery], error) {
	q, err := unionOf(f.narrow(db), "deliveries.id", page, f.scans())
	if err != nil {
		return List[Delivery]{}, err
	}
	list, err := find(q, page, "deliveries.id", func(d Delivery) string { return d.ID })
	if err == nil {
		err = ReadUpdates(db, list.Items)
	}
	return list, err
}

// narrow applies all of f.
func (f DeliveryFilter) narrow(q *gorm.DB) *gorm.DB {
	if f.OrderID != "" {
		q = q.Where("deliveries.task_id IN (SELECT id FROM tasks WHERE kind = 'order' AND status IN ('processing', 'completed', 'failed', 'cancelled') AND resource_id = ?)", f.OrderID)
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

// scans are walks along indexes that find what f picks, unless that are few anyway:
// the deliveries of a task, or of an update.
func (f DeliveryFilter) scans() []indexScan {
	if f.OrderID != "" || f.TaskID != "" || f.CallbackID != "" {
		return nil
	}
	statuses := []string{DeliveryPending, DeliveryDelivered, DeliverySuperseded, DeliveryExhausted, DeliveryGone}
	if f.Status != "" {
		statuses = []string{f.Status}
	}
	if f.Status == "" && f.WebhookID == "" && f.URL == "" {
		return nil
	}
	var scans []indexScan
	for _, status := range statuses {
		switch {
		case f.WebhookID != "":
			a := indexScan{from: "deliveries d", id: "d.id", where: "d.webhook_id = ? AND d.webhook_id <> '' AND d.status = ?", args: []any{f.WebhookID, status}}
			if f.URL != "" {
				a.where, a.args = a.where+" AND d.url = ?", append(a.args, f.URL)
			}
			scans = append(scans, a)
		case status == DeliveryPending:
			scans = append(scans, f.pending("IS NOT NULL"), f.pending("IS NULL"))
		case f.URL != "":
			scans = append(scans, indexScan{from: "deliveries d", id: "d.id", where: "d.url = ? AND d.status = ? AND d.status <> 'pending'", args: []any{f.URL, status}})
		default:
			scans = append(scans, indexScan{from: "deliveries d", id: "d.id", where: "d.status = ? AND d.status <> 'pending'", args: []any{status}})
		}
	}
	return scans
}

// pending walks along the indexes of what is due, or waits, and sorts what it finds.
func (f DeliveryFilter) pending(due string) indexScan {
	a := indexScan{from: "deliveries d", id: "d.id", sort: true, where: "d.status = 'pending' AND d.next_attempt_at " + due}
	if f.URL != "" {
		a.where, a.args = "d.host = ? AND d.url = ? AND "+a.where, []any{HostOf(f.URL), f.URL}
	}
	return a
}

// CreateDelivery stores a delivery that is to be made, unless it is stored already,
// or its webhook has one of that update. One to a webhook waits for those before
// it: it is due when they are done.
func CreateDelivery(tx *Tx, d *Delivery) (created bool, err error) {
	if d.WebhookID != "" {
		if err := waitForEarlier(tx, d); err != nil {
			return false, err
		}
	}
	if d.NextAttemptAt == nil {
		d.ClaimedBy = "" // whoever makes it due takes it
	}
	rows, err := tx.Write(`INSERT INTO deliveries (id, update_id, callback_id, task_id, sequence, supersedable, type, webhook_id, url, host, status, attempts, round,
		next_attempt_at, claimed_by, replaying, status_code, error, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, 0, '', ?, ?) ON CONFLICT DO NOTHING`,
		d.ID, d.UpdateID, d.CallbackID, d.TaskID, d.Sequence, d.Supersedable, d.Type, d.WebhookID, d.URL, d.Host, d.Status,
		d.NextAttemptAt, d.ClaimedBy, d.Replaying, d.CreatedAt, d.UpdatedAt)
	return rows == 1, wrap(err, "storing delivery %s", d.ID)
}

// CreateProgress stores the delivery of progress, and reports false if that was
// overtaken: by an update that its task has told since, perhaps at another server.
// Nor is it stored while it would have to wait: then d.NextAttemptAt is nil.
func CreateProgress(tx *Tx, d *Delivery) (created bool, err error) {
	var current bool
	err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM tasks WHERE id = ? AND sequence = ?)", d.TaskID, d.Sequence).Scan(&current)
	if err != nil {
		return false, fmt.Errorf("looking for what follows update %d of task %s: %w", d.Sequence, d.TaskID, err)
	}
	if !current {
		return false, nil
	}
	if d.WebhookID != "" {
		if err := waitForEarlier(tx, d); err != nil || d.NextAttemptAt == nil {
			return false, err
		}
	}
	if err := SupersedeProgress(tx, d.TaskID, d.Sequence); err != nil {
		return false, err
	}
	return CreateDelivery(tx, d)
}

// SupersedeProgress gives up what is pending of a task's progress before an update:
// that one has overtaken it.
func SupersedeProgress(tx *Tx, taskID string, before int64) error {
	_, err := tx.Write(`UPDATE deliveries SET status = 'superseded', next_attempt_at = NULL, claimed_by = '', updated_at = ?
		WHERE task_id = ? AND status = 'pending' AND supersedable AND sequence < ?`, Now(), taskID, before)
	return wrap(err, "superseding the progress of task %s", taskID)
}

// SaveAttempt stores an attempt, gives it its number, and stores the state that
// it leaves d in. retryCount is that of d when the attempt began: should the delivery
// have been superseded, redelivered or delivered by another attempt since, a failure
// changes that state no more, and ours is false.
func SaveAttempt(tx *Tx, d *Delivery, a *Attempt, retryCount int) (ours bool, err error) {
	d.UpdatedAt = Now()
	if d.Status == DeliveryDelivered {
		ours, err = true, saveSuccess(tx, d, a)
	} else {
		ours, err = saveFailure(tx, d, a, retryCount)
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
	stored, err := tx.Write(`UPDATE deliveries SET status = 'delivered', round = ?, status_code = ?, error = ?, next_attempt_at = NULL, claimed_by = '',
		replaying = FALSE, delivered_at = ?, updated_at = ?, attempts = attempts + 1 WHERE id = ? AND attempts = ?`,
		d.RetryCount, d.StatusCode, d.Error, d.DeliveredAt, d.UpdatedAt, d.ID, d.Attempts)
	if stored == 1 || err != nil {
		a.Number = d.Attempts + 1
		return err
	}
	// Another attempt was made meanwhile.
	return tx.QueryRow(`UPDATE deliveries SET status = 'delivered', round = ?, status_code = ?, error = ?, next_attempt_at = NULL, claimed_by = '',
		replaying = FALSE, delivered_at = ?, updated_at = ?, attempts = attempts + 1 WHERE id = ? RETURNING attempts`,
		d.RetryCount, d.StatusCode, d.Error, d.DeliveredAt, d.UpdatedAt, d.ID).Scan(&a.Number)
}

func saveFailure(tx *Tx, d *Delivery, a *Attempt, retryCount int) (ours bool, err error) {
	stored, err := tx.Write(`UPDATE deliveries SET status = ?, round = ?, status_code = ?, error = ?, next_attempt_at = ?, claimed_by = '',
		replaying = FALSE WHERE id = ? AND status = 'pending' AND round = ? AND attempts = ?`,
		d.Status, d.RetryCount, d.StatusCode, d.Error, d.NextAttemptAt, d.ID, retryCount, d.Attempts)
	if err != nil {
		return false, err
	}
	err = tx.QueryRow("UPDATE deliveries SET attempts = attempts + 1, updated_at = ? WHERE id = ? RETURNING attempts",
		d.UpdatedAt, d.ID).Scan(&a.Number)
	return stored == 1, err
}

func createAttempt(tx *Tx, a *Attempt) error {
	if a.Headers == nil {
		a.Headers = http.Header{}
	}
	headers, err := json.Marshal(a.Headers)
	if err == nil {
		_, err = tx.Write(`INSERT INTO attempts (delivery_id, number, started_at, duration, address, status_code, headers, body, error)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			a.DeliveryID, a.Number, a.StartedAt, int64(a.Duration), a.Address, a.StatusCode, string(headers), a.Body, a.Error)
	}
	return err
}

// Redeliver makes a delivery pending again, with all its retries, and due when those before
// it are done. It goes to d.URL: of one to a webhook, where that is now. A delivery that is due
// anyway is left as it is: then again is false. Otherwise the server named has claimed it.
func Redeliver(tx *Tx, d *Delivery, replaying bool, server string) (again bool, err error) {
	if d.Status == DeliveryPending && d.RetryCount == 0 && (d.NextAttemptAt != nil || d.Replaying) {
		return false, nil
	}
	now := Now()
	d.Host = HostOf(d.URL)
	d.Status, d.RetryCount, d.NextAttemptAt, d.UpdatedAt, d.Replaying, d.ClaimedBy, d.Supersedable = DeliveryPending, 0, &now, now, replaying, server, false
	if replaying {
		d.NextAttemptAt = nil // the queue gets there, see StartReplay
	} else if d.WebhookID != "" {
		if err := waitForEarlier(tx, d); err != nil {
			return false, err
		}
	}
	if d.NextAttemptAt == nil {
		d.ClaimedBy = ""
	}
	_, err = tx.Write("UPDATE deliveries SET status = ?, round = 0, next_attempt_at = ?, updated_at = ?, replaying = ?, supersedable = FALSE, claimed_by = ?, url = ?, host = ? WHERE id = ?",
		d.Status, d.NextAttemptAt, now, replaying, d.ClaimedBy, d.URL, d.Host, d.ID)
	return true, wrap(err, "redelivering %s", d.ID)
}

// sendable is what can be made again, of the deliveries d: not those to a webhook that is deleted or disabled.
const sendable = "(d.webhook_id = '' OR d.webhook_id IN (SELECT w.id FROM webhooks w WHERE w.disabled_at IS NULL))"

// MatchingDeliveries are the ids of deliveries that f matches and that can be made, newest first, limit at most. It may
// take long (Store.LimitedRead): what it passes over has no end.
func MatchingDeliveries(db *gorm.DB, f DeliveryFilter, limit int) (ids []string, err error) {
	scans := f.scans()
	for i := range scans {
		scans[i].where += " AND " + sendable
	}
	q := firstOf(f.narrow(db), "deliveries.id", "", limit, scans)
	err = q.Model(&Delivery{}).Where(strings.ReplaceAll(sendable, "d.", "deliveries.")).Order("deliveries.id DESC").Limit(limit).Pluck("deliveries.id", &ids).Error
	return ids, wrap(err, "listing deliveries")
}

// StillMatching finds those of some deliveries that f matches and that can be made, newest first, without their updates.
func StillMatching(db *gorm.DB, f DeliveryFilter, ids []string) (ds []Delivery, err error) {
	err = f.narrow(db).Where("deliveries.id IN ?", ids).Where(strings.ReplaceAll(sendable, "d.", "deliveries.")).Order("deliveries.id DESC").Find(&ds).Error
	return ds, wrap(err, "finding %d deliveries", len(ids))
}
