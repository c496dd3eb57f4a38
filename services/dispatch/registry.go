package dispatch

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"petstore/models"
)

// Registry holds the enabled webhooks in memory, so that an update which nobody
// has asked for costs no query.
type Registry struct {
	// Now is the time by which secrets sign, and failures are counted.
	Now     func() time.Time
	enabled atomic.Pointer[[]models.Webhook] // never changed, only replaced

	mu      sync.Mutex // held while enabled is replaced
	changes int        // since the start, so that what was read before one does not undo it
	gone    map[string]int64
}

// maxGone is how many webhooks are remembered that are no longer enabled, with their
// versions: on PostgreSQL a change that was committed before can come here after.
const maxGone = 1000

func newRegistry() *Registry {
	r := &Registry{Now: models.Now, gone: map[string]int64{}}
	r.enabled.Store(&[]models.Webhook{})
	return r
}

// matching lists the webhooks that want updates of a type.
func (r *Registry) matching(updateType string) []models.Webhook {
	var found []models.Webhook
	for _, w := range *r.enabled.Load() {
		if w.Wants(updateType) {
			found = append(found, w)
		}
	}
	return found
}

// Get finds an enabled webhook.
func (r *Registry) Get(id string) (models.Webhook, bool) {
	for _, w := range *r.enabled.Load() {
		if w.ID == id {
			return w, true
		}
	}
	return models.Webhook{}, false
}

// Put takes in the new state of a webhook, once it is committed.
func (r *Registry) Put(w models.Webhook) {
	r.change(func(webhooks []models.Webhook) []models.Webhook {
		known := slices.ContainsFunc(webhooks, func(k models.Webhook) bool { return k.ID == w.ID && k.Version >= w.Version })
		if known || r.gone[w.ID] >= w.Version {
			return webhooks
		}
		webhooks = without(webhooks, w.ID)
		if !w.Enabled() {
			r.forget(w.ID, w.Version)
			return webhooks
		}
		return append(webhooks, w)
	})
}

// Remove forgets a webhook for good.
func (r *Registry) Remove(id string) {
	r.change(func(webhooks []models.Webhook) []models.Webhook {
		r.forget(id, math.MaxInt64)
		return without(webhooks, id)
	})
}

func (r *Registry) forget(id string, version int64) {
	if len(r.gone) >= maxGone {
		clear(r.gone)
	}
	r.gone[id] = version
}

func (r *Registry) change(edit func([]models.Webhook) []models.Webhook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	webhooks := edit(slices.Clone(*r.enabled.Load()))
	r.enabled.Store(&webhooks)
}

// Reload replaces everything by what read finds, unless something was changed
// while it read: that is newer.
func (r *Registry) Reload(read func() ([]models.Webhook, error)) error {
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
