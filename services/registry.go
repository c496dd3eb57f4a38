package services

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"petstore/models"
)

// registry holds the enabled webhooks in memory, so that an update which nobody
// has asked for costs no query.
type registry struct {
	now     func() time.Time
	enabled atomic.Pointer[[]models.Webhook] // never changed, only replaced

	mu      sync.Mutex // held while enabled is replaced
	changes int        // since the start, so that what was read before one does not undo it
}

func newRegistry() *registry {
	r := &registry{now: models.Now}
	r.enabled.Store(&[]models.Webhook{})
	return r
}

// matching lists the webhooks that want updates of a type.
func (r *registry) matching(updateType string) []models.Webhook {
	var found []models.Webhook
	for _, w := range *r.enabled.Load() {
		if w.Wants(updateType) {
			found = append(found, w)
		}
	}
	return found
}

// get finds an enabled webhook.
func (r *registry) get(id string) (models.Webhook, bool) {
	for _, w := range *r.enabled.Load() {
		if w.ID == id {
			return w, true
		}
	}
	return models.Webhook{}, false
}

// put takes in the new state of a webhook, once it is committed.
func (r *registry) put(w models.Webhook) {
	if known, ok := r.get(w.ID); ok && known.Version >= w.Version {
		return
	}
	r.change(func(webhooks []models.Webhook) []models.Webhook {
		webhooks = without(webhooks, w.ID)
		if w.Enabled() {
			webhooks = append(webhooks, w)
		}
		return webhooks
	})
}

// remove forgets a webhook.
func (r *registry) remove(id string) {
	r.change(func(webhooks []models.Webhook) []models.Webhook { return without(webhooks, id) })
}

func (r *registry) change(edit func([]models.Webhook) []models.Webhook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	webhooks := edit(slices.Clone(*r.enabled.Load()))
	r.enabled.Store(&webhooks)
}

// reload replaces everything by what read finds, unless something was changed
// while it read: that is newer.
func (r *registry) reload(read func() ([]models.Webhook, error)) error {
	r.mu.Lock()
	before := r.changes
	r.mu.Unlock()
	webhooks, err := read()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == before {
		r.enabled.Store(&webhooks)
	}
	return nil
}

func without(webhooks []models.Webhook, id string) []models.Webhook {
	return slices.DeleteFunc(webhooks, func(w models.Webhook) bool { return w.ID == id })
}
