package services

import (
	"context"
	"log/slog"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
	"petstore/models"
)

const (
	// removeBatchSize is how many tasks one transaction removes: few, since others wait
	// for it.
	removeBatchSize = 20
	// removePause is between two of them.
	removePause = 20 * time.Millisecond
	// retentionEvery is how often it is looked for what has become too old.
	retentionEvery = time.Minute
)

// Retention removes work that has ended and is old, in small steps beside everything
// else: with its updates, deliveries, attempts, pictures and reports.
type Retention struct {
	store *models.Store
	age   time.Duration
	every time.Duration
}

// NewRetention removes what ended longer ago than age; 0 keeps everything.
func NewRetention(store *models.Store, age time.Duration) *Retention {
	return &Retention{store: store, age: age, every: min(retentionEvery, max(age/2, time.Second))}
}

// Run removes what becomes too old, until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	if r.age == 0 {
		return
	}
	for pause.For(ctx, r.every) == nil {
		removed, err := r.sweep(ctx)
		if err != nil && ctx.Err() == nil {
			slog.Warn("What is too old could not be removed; it is tried again.", "err", err)
		}
		if removed > 0 {
			slog.Info("Finished work was removed.", "tasks", removed, "older_than", r.age.String())
		}
	}
}

// sweep removes what is too old now.
func (r *Retention) sweep(ctx context.Context) (removed int, err error) {
	before := models.Now().Add(-r.age)
	for after := ""; ; {
		tasks, err := models.EndedTasks(r.store.Read(ctx), before, after, removeBatchSize)
		if err != nil || len(tasks) == 0 {
			return removed, err
		}
		n, err := r.remove(ctx, tasks)
		if err != nil {
			return removed, err
		}
		removed += n
		after = tasks[len(tasks)-1].ID
		if err := pause.For(ctx, removePause); err != nil {
			return removed, err
		}
	}
}

// remove removes those of some tasks that nothing needs, and returns how many those are.
func (r *Retention) remove(ctx context.Context, tasks []models.EndedTask) (n int, err error) {
	err = r.store.InTx(ctx, func(tx *models.Tx) error {
		n = 0
		for _, t := range tasks {
			gone, err := models.RemoveTask(tx, t)
			if err == nil && gone && t.Kind == callbacks.KindImage.Name {
				err = models.AddOrphanBlobs(tx, models.Now(), blobsOf(t.ResourceID)...)
			}
			if err != nil {
				return err
			}
			if gone {
				n++
			}
		}
		return nil
	})
	return n, err
}
