package services

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
	"petstore/models"
	"petstore/services/dispatch"
	"petstore/services/task"
)

const (
	// rotationOverlap is how long the secrets before a rotation go on signing.
	rotationOverlap = 24 * time.Hour
	// maxSecrets is how many secrets of one webhook can sign at a time; each makes
	// the header of a delivery longer.
	maxSecrets = 5
	// refreshInterval is how late a replica can hear of another one's changes.
	refreshInterval = 2 * time.Second
	// maxReplay is how many updates one request replays: each is a row to write.
	maxReplay = 1000
	// abandonBatchSize is how many deliveries one transaction ends.
	abandonBatchSize = 500
)

// Why something is disabled, or given up, in the words that its owner reads.
const (
	reasonAsked   = "Disabled through the API."
	reasonDeleted = "the webhook is deleted or disabled"
)

var errDisabled = models.Conflict("The webhook is disabled: enable it first.")

// Webhooks lets clients register for events. How updates reach the webhooks is
// the dispatcher's business.
type Webhooks struct {
	store      *models.Store
	tasks      *task.Engine
	dispatcher *dispatch.Dispatcher
	// replayLimit is how many updates one request replays.
	replayLimit int
}

// NewWebhooks reads the webhooks that the store holds; from now on tasks tells
// them what happens. Operations must have been registered before.
func NewWebhooks(ctx context.Context, store *models.Store, tasks *task.Engine, dispatcher *dispatch.Dispatcher) (*Webhooks, error) {
	s := &Webhooks{store: store, tasks: tasks, dispatcher: dispatcher, replayLimit: maxReplay}
	return s, s.refresh(ctx)
}

// refresh reads the enabled webhooks.
func (s *Webhooks) refresh(ctx context.Context) error {
	return s.dispatcher.Webhooks.Reload(func() ([]models.Webhook, error) { return models.EnabledWebhooks(s.store.Read(ctx)) })
}

// Follow hears of the changes that other replicas make, until ctx ends: two
// seconds after they were made, at most. On SQLite there are no others.
func (s *Webhooks) Follow(ctx context.Context) {
	if s.store.Shared() {
		s.follow(ctx, refreshInterval)
	}
}

func (s *Webhooks) follow(ctx context.Context, interval time.Duration) {
	for pause.For(ctx, interval) == nil {
		if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
			slog.Warn("The webhooks could not be read; those known go on.", "err", err)
		}
	}
}

// Create registers a webhook. Its secret is in the answer, and never again.
func (s *Webhooks) Create(ctx context.Context, n models.NewWebhook) (models.Webhook, error) {
	if err := s.checkEvents(n.Events); err != nil {
		return models.Webhook{}, err
	}
	now := models.Now()
	w := models.Webhook{
		ID: models.NewID(callbacks.KindWebhook.Prefix), URL: n.URL, Events: n.Events, Description: n.Description,
		Secrets: []models.WebhookSecret{{Secret: callbacks.NewSecret()}}, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if !n.Enabled {
		w.Disable(now, reasonAsked)
	}
	err := s.store.InTx(ctx, func(tx *models.Tx) error {
		tx.AfterCommit(func() { s.dispatcher.Webhooks.Put(w) })
		return models.CreateWebhook(tx, &w)
	})
	return w, err
}

// taskEvents are what can happen to each kind of task.
var taskEvents = []string{callbacks.EventCreated, callbacks.EventProgress, models.StatusCompleted, models.StatusFailed, models.StatusCancelled}

// checkEvents refuses patterns that nothing can match: a typing error would be
// noticed only by what does not come.
func (s *Webhooks) checkEvents(patterns []string) error {
	kinds := slices.Sorted(maps.Keys(s.tasks.Operations()))
	var wrong models.FieldErrors
	for i, pattern := range patterns {
		kind, event, _ := strings.Cut(pattern, ".")
		known := slices.Contains(kinds, kind) && (event == "*" || slices.Contains(taskEvents, event))
		if pattern != "*" && !known {
			wrong.Addf(fmt.Sprintf("events[%d]", i), "names no event: it must be * or one of %s, then a full stop, and one of %s, *",
				strings.Join(kinds, ", "), strings.Join(taskEvents, ", "))
		}
	}
	return wrong.Err()
}

// Get finds a webhook.
func (s *Webhooks) Get(ctx context.Context, id string) (models.Webhook, error) {
	return models.FindWebhook(s.store.Read(ctx), id)
}

// List lists webhooks, newest first; only those that are enabled, or not, if that
// is given.
func (s *Webhooks) List(ctx context.Context, enabled *bool, page models.Page) (models.List[models.Webhook], error) {
	return list(ctx, s.store, models.ListWebhooks, enabled, page)
}

// Change lets edit say what a webhook is to be. Enabling it forgets why it was
// disabled; what waits to be sent goes to its new URL.
func (s *Webhooks) Change(ctx context.Context, id string, edit func(now models.NewWebhook) (models.NewWebhook, error)) (models.Webhook, error) {
	return s.change(ctx, id, func(tx *models.Tx, w *models.Webhook) error {
		to, err := edit(models.NewWebhook{URL: w.URL, Events: w.Events, Description: w.Description, Enabled: w.Enabled()})
		if err != nil {
			return err
		}
		if err := s.checkEvents(to.Events); err != nil {
			return err
		}
		if to.URL != w.URL {
			if err := models.RedirectDeliveries(tx, id, to.URL); err != nil {
				return err
			}
		}
		w.URL, w.Events, w.Description = to.URL, to.Events, to.Description
		switch {
		case to.Enabled && !w.Enabled():
			w.Enable()
		case !to.Enabled && w.Enabled():
			w.Disable(s.dispatcher.Webhooks.Now(), reasonAsked)
		}
		return nil
	})
}

// Rotate gives a webhook a new secret, which is in the answer and never again.
// For 24 hours those before it go on signing beside it.
func (s *Webhooks) Rotate(ctx context.Context, id string) (models.Webhook, error) {
	secret := callbacks.NewSecret()
	return s.change(ctx, id, func(_ *models.Tx, w *models.Webhook) error {
		now := s.dispatcher.Webhooks.Now()
		w.Rotate(secret, now, now.Add(rotationOverlap))
		if len(w.Secrets) > maxSecrets {
			return models.Conflict("The secret was rotated %d times in the last 24 hours, and those before it still sign: wait, or delete the webhook.", maxSecrets-1)
		}
		return nil
	})
}

func (s *Webhooks) change(ctx context.Context, id string, edit func(*models.Tx, *models.Webhook) error) (models.Webhook, error) {
	var w models.Webhook
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if w, err = models.LockWebhook(tx, id); err != nil {
			return err
		}
		if err = edit(tx, &w); err != nil {
			return err
		}
		tx.AfterCommit(func() {
			s.dispatcher.Webhooks.Put(w)
			s.dispatcher.Wake(models.HostOf(w.URL))
		})
		return models.UpdateWebhook(tx, &w)
	})
	return w, err
}

// Delete removes a webhook. What waits to be sent to it is given up; what was
// sent can still be looked up.
func (s *Webhooks) Delete(ctx context.Context, id string) error {
	err := s.store.InTx(ctx, func(tx *models.Tx) error {
		tx.AfterCommit(func() { s.dispatcher.Webhooks.Remove(id) })
		return models.DeleteWebhook(tx, id)
	})
	if err != nil {
		return err
	}
	// Not ctx: the webhook is gone, and its owner should see that at once. Should
	// the process die here, each delivery ends when it comes due.
	return s.abandonAll(context.WithoutCancel(ctx), id)
}

func (s *Webhooks) abandonAll(ctx context.Context, id string) error {
	for {
		var count int64
		err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
			count, err = models.AbandonDeliveries(tx, id, reasonDeleted, abandonBatchSize)
			return err
		})
		if err != nil || count < abandonBatchSize {
			return err
		}
	}
}
