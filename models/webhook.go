package models

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Webhook is a URL that a client has registered for events: updates of tasks,
// whoever began them.
type Webhook struct {
	ID          string
	URL         string
	Events      []string `gorm:"serializer:json"` // patterns, see MatchesEvent
	Description string
	// Secrets sign what is sent, newest first. They are stored as they are: a
	// hash cannot sign.
	Secrets []WebhookSecret `gorm:"serializer:json"`
	// DisabledAt is nil while the webhook is enabled.
	DisabledAt     *time.Time
	DisabledReason string
	// FailingSince is when the first attempt failed since one succeeded.
	FailingSince *time.Time
	Version      int64 // counts changes, so that an older state never replaces a newer one
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// WebhookSecret is a key. Until is when it stops signing, nil for the current one.
type WebhookSecret struct {
	Secret string     `json:"secret"`
	Until  *time.Time `json:"until,omitempty"`
}

// NewWebhook is what a client registers.
type NewWebhook struct {
	URL         string
	Events      []string
	Description string
	Enabled     bool
}

// MaxWebhooks is how many webhooks there can be: every update is held against
// each of them.
const MaxWebhooks = 100

// Enabled reports whether anything is sent to the webhook.
func (w *Webhook) Enabled() bool { return w.DisabledAt == nil }

// Wants reports whether the webhook has asked for updates of this type.
func (w *Webhook) Wants(updateType string) bool { return matchesAny(w.Events, updateType) }

func matchesAny(patterns []string, updateType string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return MatchesEvent(pattern, updateType) })
}

// MatchesEvent reports whether a pattern picks updates of a type: "*" all of
// them, "order.*" all of one kind, "order.completed" just that.
func MatchesEvent(pattern, updateType string) bool {
	kind, all := strings.CutSuffix(pattern, "*")
	return pattern == updateType || all && strings.HasPrefix(updateType, kind)
}

// KeysAt are the secrets that sign at a time, newest first.
func (w *Webhook) KeysAt(now time.Time) []string {
	var keys []string
	for _, s := range w.Secrets {
		if s.Until == nil || now.Before(*s.Until) {
			keys = append(keys, s.Secret)
		}
	}
	return keys
}

// Rotate makes secret the current one. Those before it sign until the time given,
// or as long as they would have; those that sign no more are forgotten.
func (w *Webhook) Rotate(secret string, now, until time.Time) {
	secrets := []WebhookSecret{{Secret: secret}}
	for _, s := range w.Secrets {
		if s.Until == nil {
			s.Until = &until
		}
		if now.Before(*s.Until) {
			secrets = append(secrets, s)
		}
	}
	w.Secrets = secrets
}

// Disable stops what is sent, until it is enabled again.
func (w *Webhook) Disable(now time.Time, reason string) {
	w.DisabledAt, w.DisabledReason = &now, reason
}

// Enable sends again, and forgets what was wrong.
func (w *Webhook) Enable() {
	w.DisabledAt, w.DisabledReason, w.FailingSince = nil, "", nil
}

// FindWebhook finds a webhook.
func FindWebhook(db *gorm.DB, id string) (Webhook, error) {
	return take[Webhook](db.Where("id = ?", id), "webhook", id)
}

// LockWebhook finds a webhook that is about to be changed: on PostgreSQL, other
// transactions wait until this one has ended.
func LockWebhook(tx *Tx, id string) (Webhook, error) {
	return FindWebhook(tx.ForUpdate(), id)
}

// ListWebhooks lists webhooks, newest first; only those that are enabled, or not,
// if that is given.
func ListWebhooks(db *gorm.DB, enabled *bool, page Page) (List[Webhook], error) {
	if enabled != nil {
		db = db.Where("(disabled_at IS NULL) = ?", *enabled)
	}
	return find(db, page, "id", func(w Webhook) string { return w.ID })
}

// EnabledWebhooks lists all webhooks that something is sent to, oldest first.
func EnabledWebhooks(db *gorm.DB) ([]Webhook, error) {
	var webhooks []Webhook
	err := db.Where("disabled_at IS NULL").Order("id").Find(&webhooks).Error
	return webhooks, wrap(err, "listing enabled webhooks")
}

// WebhookURLs are the URLs of all webhooks, by id.
func WebhookURLs(db *gorm.DB) (map[string]string, error) {
	var webhooks []Webhook
	err := db.Select("id, url").Find(&webhooks).Error
	urls := make(map[string]string, len(webhooks))
	for _, w := range webhooks {
		urls[w.ID] = w.URL
	}
	return urls, wrap(err, "reading the URLs of webhooks")
}

// CreateWebhook stores a new webhook, unless there are MaxWebhooks already.
func CreateWebhook(tx *Tx, w *Webhook) error {
	if tx.Name() == "postgres" { // others must not register between counting and storing
		if err := tx.Exec("LOCK TABLE webhooks IN SHARE ROW EXCLUSIVE MODE").Error; err != nil {
			return fmt.Errorf("locking the webhooks: %w", err)
		}
	}
	var count int64
	if err := tx.Model(&Webhook{}).Count(&count).Error; err != nil {
		return fmt.Errorf("counting webhooks: %w", err)
	}
	if count >= MaxWebhooks {
		return Conflict("There are %d webhooks, and there can't be more: delete one first.", count)
	}
	return Create(tx, w)
}

// UpdateWebhook stores a changed webhook, and counts the change.
func UpdateWebhook(tx *Tx, w *Webhook) error {
	w.Version++
	w.UpdatedAt = Now()
	return wrap(tx.Save(w).Error, "storing webhook %s", w.ID)
}

// DeleteWebhook removes a webhook and its secrets. Its deliveries stay, as history.
func DeleteWebhook(tx *Tx, id string) error {
	res := tx.Delete(&Webhook{ID: id})
	if res.Error == nil && res.RowsAffected == 0 {
		return NotFound("webhook", id)
	}
	if res.Error != nil {
		return fmt.Errorf("deleting webhook %s: %w", id, res.Error)
	}
	return nil
}
